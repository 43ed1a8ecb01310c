"""Pausing and promoting in whole runs with real storage, real samplers and the scripted trainer."""

from __future__ import annotations

import queue
import time
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from tuner_storage import Store, locate

from tests.recipes import always, small_recipe
from tests.runs import SETUP, Recorder, epochs_of, rows, run_scripted, trials_of
from tests.scripted import ScriptedTrainer
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.executors.inline import InlineExecutor
from tuner.jobs import Instruction
from tuner.records import Outcome
from tuner.run import trial_loop
from tuner.run.progress import RunView
from tuner.search.ask_tell import AskTell
from tuner.study import load_study

pytestmark = pytest.mark.slow


def recipe_of(trials: int = 12, **search: Any) -> Recipe:
    """Return a search with rungs after 1 and 3 of 9 epochs. A smaller learning rate is better in every epoch."""
    return small_recipe(
        budget={"trials": trials, "epochs": 9}, search={"sampler": "random", "pruner": "asha", "seed": 3} | search
    )


def summary(home: Path, recipe: Recipe) -> list[tuple[str, int, float | None]]:
    """Return state, epochs and value of every trial."""
    return [(trial.state, trial.epochs, trial.value) for trial in trials_of(home, recipe)]


def test_bad_trials_end_at_a_rung_and_good_ones_are_promoted(home: Path) -> None:
    """The best trial is complete, many trials train one epoch only, and no checkpoint is left."""
    recipe = recipe_of(27)
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)
    best = min(trials, key=lambda trial: float(trial.params["learning_rate"]))

    assert {(t.state, t.epochs) for t in trials} == {("complete", 9), ("pruned", 3), ("pruned", 1)}
    assert best.state == "complete"
    assert sum(t.epochs == 1 for t in trials) >= 12
    assert sum(t.state == "complete" for t in trials) >= 3
    assert any(t.promoted == 1 for t in trials)
    assert rows(home, "SELECT COUNT(*) FROM tuner_checkpoint") == [(0,)]
    assert not list(home.rglob("*.npz"))


def test_the_first_start_configuration_is_complete_before_any_other_trial(home: Path) -> None:
    """If nothing better comes first: so a study soon has a model. The second one, which is worse, pauses."""
    starts = [{"label": label, "params": {"learning_rate": rate}} for label, rate in (("good", 0.002), ("bad", 0.4))]
    recipe = recipe_of(12).model_copy(update={"start": small_recipe(start=starts).start})
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder)

    ends = [(end.number, end.outcome) for end in recorder.ends]
    assert ends[:2] == [(0, Outcome.COMPLETE), (1, Outcome.PAUSED)]


def test_a_promoted_trial_continues_where_it_paused(home: Path) -> None:
    """No epoch is trained twice. Its first attempt ended as paused, and its last one started at the rung."""
    recipe = recipe_of()
    run_scripted(home, recipe)
    promoted = next(trial for trial in trials_of(home, recipe) if trial.promoted and trial.state == "complete")
    attempts = rows(
        home,
        f"SELECT first_epoch, outcome FROM tuner_attempt WHERE trial_number = {promoted.number} ORDER BY attempt",
    )

    assert epochs_of(home, promoted.number) == list(range(9))
    assert attempts[0] == (0, "paused")
    assert attempts[-1] == (promoted.promoted, "complete")


@pytest.mark.parametrize("pruner", ["asha", "hyperband"])
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_study_that_is_interrupted_again_and_again_ends_like_one_that_is_not(
    tmp_path: Path, sampler: str, pruner: str
) -> None:
    """The next run knows which trials are paused, at which rung, and with which trials they are compared."""
    recipe = recipe_of(14, sampler=sampler, pruner=pruner)
    run_scripted(tmp_path / "whole", recipe)
    stops = 0
    for after in range(1, 40, 3):
        recorder = Recorder()
        run = run_scripted(
            tmp_path / "parts",
            recipe,
            recorder=recorder,
            stop=lambda: "interrupt" if len(recorder.ends) >= after else None,  # noqa: B023
        )
        stops += run.stopped_by is not None
    run_scripted(tmp_path / "parts", recipe)

    assert stops >= 3
    assert summary(tmp_path / "parts", recipe) == summary(tmp_path / "whole", recipe)


@pytest.mark.parametrize("kept", [0, 2])
def test_few_paused_trials_keep_a_checkpoint_and_the_result_is_the_same(tmp_path: Path, kept: int) -> None:
    """At most `keep_checkpoints` do, one each. A trial that is promoted without one starts again."""
    recipe = recipe_of(27)
    run_scripted(tmp_path / "all", recipe)
    bounded = recipe.changed(budget={"keep_checkpoints": kept})
    most = 0

    def look(view: RunView) -> None:
        nonlocal most
        count = "SELECT COUNT(*), COUNT(DISTINCT trial_number) FROM tuner_checkpoint"
        ((files, trials),) = rows(tmp_path / "few", count)
        present = len(list((tmp_path / "few").rglob("*.npz")))
        assert files == trials <= present <= files + len(view.running)  # a trainer may be writing one
        most = max(most, trials - len(view.running))

    run_scripted(tmp_path / "few", bounded, recorder=Recorder(on_update=look))

    assert most == kept
    assert summary(tmp_path / "few", bounded) == summary(tmp_path / "all", recipe)


def test_a_paused_trial_is_shown_as_such(home: Path) -> None:
    """In the list of trials, in the progress display, in the counts and as JSON. For Optuna it waits."""
    recipe = recipe_of()
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder, stop=lambda: "interrupt" if len(recorder.ends) >= 2 else None)
    trials = trials_of(home, recipe)
    study = load_study("small", home=home)

    assert [(t.state, t.epochs) for t in trials[:2]] == [("paused", 1)] * 2
    assert [end.outcome for end in recorder.ends[:2]] == ["paused"] * 2
    assert recorder.ends[0].value == trials[0].value
    assert study.summary().counts.paused == 2
    assert study.as_json()["trials"]["paused"] == 2
    assert rows(home, "SELECT state FROM trials ORDER BY number LIMIT 2") == [("WAITING",)] * 2


def test_a_promoted_trial_is_shown_with_its_rung_while_it_runs(home: Path) -> None:
    """The rung is the number of epochs after which it was paused."""
    recorder = Recorder()
    run_scripted(home, recipe_of(), recorder=recorder)
    promoted = {(t.number, t.promoted) for view in recorder.views for t in view.running if t.promoted}

    assert promoted
    assert {epochs for _, epochs in promoted} <= {1, 3}


def test_a_promoted_trial_whose_checkpoint_is_gone_starts_again_and_passes_its_rung(home: Path) -> None:
    """It keeps its promotion. A lost file costs time and no trial."""
    recipe = recipe_of()
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder, stop=lambda: "interrupt" if len(recorder.ends) >= 2 else None)
    for file in home.rglob("*.npz"):
        file.unlink()
    run_scripted(home, recipe)
    run_scripted(home.parent / "whole", recipe)

    assert summary(home, recipe) == summary(home.parent / "whole", recipe)


def test_further_trials_are_compared_with_all_earlier_ones(home: Path) -> None:
    """A finished study that gets more trials still has its pruned trials in the rungs."""
    run_scripted(home, recipe_of(9))
    run_scripted(home, recipe_of(18))
    states = [state for state, _, _ in summary(home, recipe_of(18))]

    assert len(states) == 18
    assert set(states) == {"complete", "pruned"}


def test_a_trial_that_stops_early_at_a_rung_is_complete(store: Store) -> None:
    """It is told to pause, but it stops early at the same epoch. So it does not wait to be promoted."""
    recipe = recipe_of()
    ask_tell = AskTell(studies.create_or_resume(store, "study", recipe, "0" * 64).study, recipe)
    spec = ask_tell.ask()
    assert spec is not None
    assert ask_tell.report(spec.number, 0.9) is Instruction.PAUSE
    ask_tell.tell(spec.number, Outcome.COMPLETE, 0.9)

    assert ask_tell.queue.counts().complete == 1
    assert ask_tell.queue.counts().paused == 0


@pytest.mark.parametrize(("sampler", "state"), [("tpe", TrialState.COMPLETE), ("random", TrialState.PRUNED)])
@pytest.mark.parametrize("given_up", [False, True])
def test_samplers_see_paused_trials_as_finished_with_their_best_value_so_far(
    store: Store, sampler: str, state: TrialState, given_up: bool
) -> None:
    """TPE sees them as complete, other samplers as pruned. In Optuna's tables they wait, or are pruned if given up."""
    recipe = recipe_of(sampler=sampler)
    study = studies.create_or_resume(store, "study", recipe, "0" * 64).study
    ask_tell = AskTell(study, recipe)
    spec = ask_tell.ask()
    assert spec is not None
    ask_tell._storage.set_trial_intermediate_value(ask_tell.trial_id(0), 0, 0.9)
    ask_tell.report(0, 0.9)
    ask_tell.tell(0, Outcome.PAUSED, None)
    if given_up:
        ask_tell.give_up(0)
    (trial,) = ask_tell._study.get_trials()

    assert (trial.state, trial.value, trial.intermediate_values) == (state, 0.9, {0: 0.9})
    assert trial.params.items() <= spec.params.items()
    assert study.get_trials()[0].state == (TrialState.PRUNED if given_up else TrialState.WAITING)


def test_a_study_whose_pruner_changes_continues_its_paused_trials(home: Path) -> None:
    """Without rungs no trial is paused, so they continue like any waiting trial."""
    recipe = recipe_of()
    recorder = Recorder()
    run_scripted(home, recipe, recorder=recorder, stop=lambda: "interrupt" if len(recorder.ends) >= 3 else None)
    other = recipe.changed(search={"pruner": "none"})
    run_scripted(home, other)

    assert {state for state, _, _ in summary(home, other)} == {"complete"}
    assert locate(home=home).file.exists()


def test_a_stop_that_arrives_while_a_trial_waits_at_a_rung_ends_the_trial(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial is among the best third, but a run that stops promotes nobody. The next run continues the trial."""
    rates = (0.4, 0.3, 0.01)  # the first two trials pause
    starts = [{"label": str(rate), "params": {"learning_rate": rate}} for rate in rates]
    space = always(3) | {"layers": 1, "units": 8}  # an epoch takes 0.2 s
    recipe = small_recipe(
        budget={"trials": 3, "epochs": 9}, search={"sampler": "random", "pruner": "asha"}, start=starts, space=space
    )
    executor = InlineExecutor(SETUP, ScriptedTrainer)
    stops: list[str] = []

    def stop_at_the_rung() -> str | None:
        """Ask to stop when the third trial has reported its first epoch, which the coordinator has not received yet."""
        if isinstance(executor._jobs, _Submitted) and executor._jobs.count == 3 and not stops:
            stops.append("interrupt")
            deadline = time.monotonic() + 10
            while executor._events.empty():
                assert time.monotonic() < deadline
                time.sleep(0.01)
        return stops[0] if stops else None

    monkeypatch.setattr(trial_loop, "TURN", 0.02)
    monkeypatch.setattr(executor, "_jobs", _Submitted())
    run_scripted(home, recipe, executor=executor, stop=stop_at_the_rung)

    assert epochs_of(home, 2) == [0]
    assert trials_of(home, recipe)[2].state == "waiting"


class _Submitted(queue.SimpleQueue[Any]):
    """Counts the jobs that the coordinator has submitted."""

    count = 0

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self.count += item is not None
        super().put(item)
