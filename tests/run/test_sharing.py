"""Several coordinators work on one study in a PostgreSQL database."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tuner_storage import Location, Store
from tuner_storage.common_folder import check_common, marked
from tuner_storage.local_artifacts import LocalArtifacts

from tests.postgres import Server
from tests.recipes import small_recipe
from tests.runs import SETUP, Recorder, run_scripted
from tests.scripted import ScriptedTrainer
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.errors import RunError, StorageError
from tuner.executors.inline import InlineExecutor
from tuner.jobs import TrialJob
from tuner.results.trials import TrialResult
from tuner.run.build import build_coordinator
from tuner.run.coordinator import Coordinator
from tuner.run.joining import joining
from tuner.run.progress import RunView, Silent
from tuner.run.trial_loop import TrialLoop
from tuner.study import Study

NAMES = ("ann", "ben", "cleo", "dan")
SLOW = small_recipe().space | {"batch_size": 3}  # epochs of 0.2 s, with a checkpoint after each


class Team:
    """Coordinators of one study. Each has a name, as if it ran on another machine, and one trainer."""

    def __init__(self, location: Location, home: Path) -> None:
        self.location = location
        self.home = home

    def run(self, recipes: Recipe | Sequence[Recipe], **options: Any) -> list[Coordinator]:
        """Run coordinators to the end, each in a thread: one for each recipe, or four with the same one."""
        searches = [recipes] * len(NAMES) if isinstance(recipes, Recipe) else list(recipes)
        with ThreadPoolExecutor(len(searches)) as pool:
            runs = [
                pool.submit(self.one, recipe, name, **options) for recipe, name in zip(searches, NAMES, strict=False)
            ]
            return [run.result(timeout=60) for run in runs]

    def one(self, recipe: Recipe, name: str, **options: Any) -> Coordinator:
        """Run one of them to the end."""
        return run_scripted(self.home, recipe, location=self.location, shared_as=f"{name}:1:1", **options)

    def begin_and_die(self, recipe: Recipe, name: str) -> int:
        """Begin a trial as a coordinator that dies then; returns its number. Its lease has expired."""
        with self.leased(recipe, name) as (_, loop):
            job = loop._turn(lambda: loop._begin_next(loop._ask_tell.ask))
            assert job is not None
        self.rows("UPDATE tuner_lease SET expires = now() AT TIME ZONE 'UTC' - interval '1 s' RETURNING owner")
        return job.number

    @contextmanager
    def leased(self, recipe: Recipe, name: str) -> Iterator[tuple[Store, TrialLoop]]:
        """The loop of a coordinator that has taken its lease, which is neither renewed nor given back."""
        with studies.opened(self.location, create=True) as store:
            stored = studies.create_or_resume(store, "small", recipe, "0" * 64)
            lease = store.lease(stored.record.id, "small", shared=True)
            lease.owner = f"{name}:1:1"
            lease.acquire()
            executor = InlineExecutor(SETUP, ScriptedTrainer)
            yield store, build_coordinator(stored, recipe, lease, executor, Silent())._loop

    def rows(self, query: str) -> list[Any]:
        """Return the rows of a query, read without any code of tuner."""
        url = self.location.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg.connect(url, autocommit=True)) as server:
            return server.execute(query).fetchall()

    def trials(self) -> list[TrialResult]:
        """Return the trials of the study."""
        return Study("small", small_recipe(), self.location, None).trials()

    def trained_by(self) -> Counter[str]:
        """Return how many attempts each coordinator has begun."""
        tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'tuner_change'"
        if self.rows(tables) == [(0,)]:
            return Counter()
        return Counter(owner.split(":")[0] for (owner,) in self.rows("SELECT owner FROM tuner_attempt"))


@pytest.fixture
def team(postgres_location: Location, home: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A team that looks at each other often."""
    monkeypatch.setattr("tuner.run.sharing.LOOK", 0.1)
    return Team(postgres_location, home)


def test_coordinators_divide_the_trials_of_a_study_among_themselves(team: Team) -> None:
    """Each has some, together they have exactly the number that was asked for, and one finishes the study."""
    coordinators = team.run(small_recipe(budget={"trials": 12, "epochs": 2}, space=SLOW))

    assert [coordinator.stopped_by for coordinator in coordinators] == [None] * 4
    assert [trial.state for trial in team.trials()] == ["complete"] * 12
    assert team.trained_by().total() == 12
    assert set(team.trained_by()) == set(NAMES)
    assert team.rows("SELECT count(*) FROM tuner_model WHERE test IS NOT NULL") == [(1,)]
    assert team.rows("SELECT count(*) FROM tuner_lease") == [(0,)]


def test_rungs_confirmations_and_the_refit_are_common(team: Team) -> None:
    """A third of all trials passes a rung, whoever trains them; the best are confirmed once, and refitted once."""
    recipe = small_recipe(
        budget={"trials": 18, "epochs": 9},
        search={"sampler": "random", "pruner": "asha"},
        winner={"confirm": 2, "seeds": 2, "refit": True},
    )
    team.run([recipe, recipe])

    search = [trial for trial in team.trials() if trial.confirms is None]
    confirming = [trial for trial in team.trials() if trial.confirms is not None]
    assert Counter(trial.state for trial in search).keys() <= {"complete", "pruned"}
    assert len(search) == 18
    reached = sorted(search, key=lambda trial: trial.params["learning_rate"])
    complete = [trial for trial in search if trial.state == "complete"]
    assert 2 <= len(complete) <= 6
    assert {trial.number for trial in reached[:2]} <= {trial.number for trial in complete}, "the best were not promoted"
    assert Counter(trial.confirms for trial in confirming) == {trial.number: 2 for trial in reached[:2]}
    assert team.rows("SELECT count(*) FROM tuner_refit WHERE test IS NOT NULL") == [(1,)]


def test_the_trial_of_a_coordinator_that_died_goes_on_elsewhere(team: Team) -> None:
    """Once its lease has expired, another one trains it, and the dead one can write nothing more."""
    recipe = small_recipe()
    number = team.begin_and_die(recipe, "ben")
    team.one(recipe, "ann")

    assert [trial.state for trial in team.trials()] == ["complete"] * 6
    attempts = team.rows(f"SELECT owner, outcome FROM tuner_attempt WHERE trial_number = {number} ORDER BY attempt")
    assert attempts == [("ben:1:1", "interrupted"), ("ann:1:1", "complete")]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_turn_whose_connection_is_lost_is_taken_again(team: Team, moment: str) -> None:
    """Nothing of the first try was written, and nothing of it is left in memory, also if Optuna tries again itself."""
    close = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = '{}'"
    close = close.format(team.location.url.database)
    lost: list[Any] = []

    with team.leased(small_recipe(), "ann") as (store, loop):
        store.database.retry.max_wait = 30.0

        def step() -> TrialJob | None:
            if not lost and moment == "before":
                lost.extend(team.rows(close))
            job = loop._begin_next(loop._ask_tell.ask)
            if not lost:
                lost.extend(team.rows(close))
            return job

        job = loop._turn(step)
        assert job is not None
        assert (job.number, job.attempt, len(loop._state), list(loop._state.attempts)) == (0, 0, 1, [0])

    assert lost == [(True,)]
    assert team.rows("SELECT number, state FROM trials") == [(0, "RUNNING")]
    assert team.rows("SELECT trial_number, attempt FROM tuner_attempt") == [(0, 0)]


def test_a_trial_is_left_to_the_coordinator_that_trains_it_as_long_as_its_lease_holds(team: Team) -> None:
    """A run that begins meanwhile does not take it over."""
    recipe = small_recipe(budget={"trials": 6, "epochs": 2}, space=SLOW)
    joined: list[str | None] = []

    def join(view: RunView) -> None:
        if view.running and not joined:
            seen: list[RunView] = []
            other = Recorder(on_update=seen.append)
            stop = lambda: "stop" if seen and seen[-1].counts.complete == 2 else None  # noqa: E731
            joined.append(team.one(recipe, "ben", recorder=other, stop=stop).stopped_by)

    team.one(recipe, "ann", recorder=Recorder(on_update=join))

    assert joined == ["stop"]
    assert team.rows("SELECT owner FROM tuner_attempt WHERE trial_number = 0") == [("ann:1:1",)]
    assert [trial.state for trial in team.trials()] == ["complete"] * 6
    assert team.trained_by()["ben"] >= 2


def test_a_sleeper_whose_trial_was_taken_over_ends(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes nothing: its lease is gone (fault 19)."""
    recipe = small_recipe(budget={"trials": 4, "epochs": 4}, space=SLOW)
    slept: list[bool] = []
    monkeypatch.setattr("tuner_storage.lease.RENEWAL", 3600.0)

    def sleep(view: RunView) -> None:
        if view.running and not slept:
            slept.append(True)
            team.rows("UPDATE tuner_lease SET expires = now() AT TIME ZONE 'UTC' - interval '1 s' RETURNING owner")
            team.one(recipe, "ann")

    with pytest.raises(RunError, match="study 'small' was taken over by another run while this one was asleep"):
        team.one(recipe, "ben", recorder=Recorder(on_update=sleep))

    assert [trial.state for trial in team.trials()] == ["complete"] * 4
    assert team.rows("SELECT count(*) FROM tuner_attempt WHERE outcome = 'complete'") == [(4,)]


def test_a_run_whose_time_is_over_leaves_the_end_to_the_others(team: Team) -> None:
    """Of runs with a time limit, the last one tests the winner."""
    budget = {"trials": 60, "epochs": 2}
    short = small_recipe(budget=budget | {"timeout": 1.5}, space=SLOW)
    longer = small_recipe(budget=budget | {"timeout": 4.0}, space=SLOW)
    first, last = team.run([short, longer])

    assert (first.stopped_by, last.stopped_by) == ("timeout", "timeout")
    assert team.rows("SELECT count(*) FROM tuner_model WHERE test IS NOT NULL") == [(1,)]
    starts = dict(team.rows("SELECT owner, max(started) FROM tuner_attempt GROUP BY owner"))
    assert starts["ben:1:1"] > starts["ann:1:1"]


def test_a_target_that_one_reaches_ends_the_search_of_all(team: Team) -> None:
    """The others see the value without having trained that trial."""
    recipe = small_recipe(budget={"trials": 400, "epochs": 2, "target": 0.6})
    coordinators = team.run(recipe)

    assert {coordinator.stopped_by for coordinator in coordinators} == {"target"}
    assert len(team.trials()) < 100


def test_a_request_to_stop_reaches_all(team: Team) -> None:
    """Every coordinator ends, and the trials wait."""
    recipe = small_recipe(budget={"trials": 60, "epochs": 4}, space=SLOW)

    def stop(view: RunView) -> None:
        if view.counts.complete >= 2:
            with studies.existing(team.location, "small") as (store, _, record):
                store.request_stop(record.id)

    coordinators = team.run(recipe, recorder=Recorder(on_update=stop))

    assert {coordinator.stopped_by for coordinator in coordinators} == {"stop"}
    assert {trial.state for trial in team.trials()} <= {"complete", "waiting"}


@pytest.mark.slow
def test_restarts_of_the_server_cost_no_trial(team: Team, postgres: Server) -> None:
    """A turn that was cut off is taken again; no trial is lost, and none is trained twice to its end."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(team.run, small_recipe(budget={"trials": 30, "epochs": 3}, space=SLOW))
        while len(team.trained_by()) < len(NAMES):
            time.sleep(0.1)
        for mode in ("immediate", "fast", "immediate"):
            time.sleep(0.5)
            postgres.stop(mode)
            time.sleep(0.3)
            postgres.start()
        running.result(timeout=120)

    assert [trial.state for trial in team.trials()] == ["complete"] * 30
    complete = "SELECT trial_number FROM tuner_attempt WHERE outcome = 'complete' ORDER BY trial_number"
    assert team.rows(complete) == [(number,) for number in range(30)]
    assert team.rows("SELECT count(*) FROM tuner_epoch") == [(90,)]


def test_what_needs_the_whole_study_is_refused_while_it_is_shared(team: Team) -> None:
    """It cannot be deleted during a run, and no run begins while something else has it."""
    recipe = small_recipe()
    team.one(recipe, "ann")
    with studies.existing(team.location, "small") as stored:
        shared = stored.store.lease(stored.record.id, "small", shared=True)
        shared.owner = "ben:1:1"
        shared.acquire()
        with pytest.raises(RunError, match="study 'small' is being run by process 1 on ben since"):
            studies.delete(stored)
        shared.release()

        with stored.store.lease(stored.record.id, "small", to_delete=True):
            with pytest.raises(RunError, match="study 'small' is being run by process"):
                team.one(recipe, "cleo")
            assert stored.store.holdings(stored.record.id)[0].expires


def test_a_run_joins_with_the_settings_and_the_artifacts_of_those_that_are_there(team: Team, tmp_path: Path) -> None:
    """Another number of trials, or another folder of models, is refused with what would help."""
    recipe = small_recipe()
    more = small_recipe(budget={"trials": 9, "epochs": 4})
    owners = ["ann:1:1", "ben:1:1"]
    assert joining(more, recipe, {"budget": {"trials": None}}, "small", owners).budget.trials == 6
    with pytest.raises(RunError) as refused:
        joining(more, recipe, {"budget": {"trials": 9}}, "small", owners)
    message = "study 'small' is being run by process 1 on ann and 1 other with trials 6, not 9"
    assert str(refused.value) == message
    assert refused.value.hint == "leave that setting out to join, or stop the study first: tuner study stop small"

    here, there = (LocalArtifacts(tmp_path / part) for part in ("here", "there"))
    with marked(here, 1, "ann:1:1"):
        check_common(here, 1, "small", ["ann:1:1"])
        with pytest.raises(StorageError, match=f"run by process 1 on ann, whose models are not in {there.place}"):
            check_common(there, 1, "small", ["ann:1:1"])
    assert list(tmp_path.rglob("*.tmp")) == []
