"""A team shares one database: runs on PostgreSQL, servers that restart, runs that begin at the same moment."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from storage import Location, locate, open_store
from storage.engine import Database
from tests.postgres import Server
from tests.recipes import small_recipe
from tests.runs import Recorder, run_scripted
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.errors import RunError, StorageError
from tuner.records import Counts
from tuner.results.overview import list_studies

DUPLICATES = (
    "SELECT count(*) FROM (SELECT trial_number, epoch FROM tuner_epoch GROUP BY 1, 2 HAVING count(*) > 1) AS d",
    "SELECT count(*) FROM (SELECT study_id, number FROM trials GROUP BY 1, 2 HAVING count(*) > 1) AS d",
    "SELECT count(*) FROM trials WHERE state IN ('RUNNING', 'WAITING')",
    "SELECT count(*) FROM tuner_attempt WHERE outcome IS NULL",
)
RACER = """
import json, os, sys, time
from pathlib import Path
from storage import locate
from tests.recipes import small_recipe
from tuner import studies
from tuner.errors import TunerError

folder, everybody, urls = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]

def meet(where, racers):
    (folder / where).mkdir(exist_ok=True)
    (folder / where / str(os.getpid())).touch()
    while len(os.listdir(folder / where)) < racers:
        time.sleep(0.001)

def start(url, met, racers):
    try:
        with studies.opened(locate(url), create=True) as store:
            record = studies.create_or_resume(store, "race", small_recipe(), "0" * 64).record
            with store.lease(record.id, "race"):
                meet(met, racers)  # holds the lease until the others have been told
                return "ran"
    except TunerError as error:
        meet(met, racers)
        return f"{type(error).__name__}: {error}"

start(f"sqlite:///{folder}/warm-{os.getpid()}/studies.db", f"warm-{os.getpid()}", 1)  # imports everything
for number, url in enumerate(urls):
    meet(f"begin-{number}", everybody)
    print(json.dumps(start(url, f"end-{number}", everybody)), flush=True)
"""


def slow_recipe() -> Recipe:
    """Return a recipe whose scripted epochs take 0.2 s each."""
    space = {"learning_rate": {"type": "float", "low": 0.001, "high": 0.5}, "layers": 1, "units": 8, "batch_size": 3}
    return small_recipe(space=space, budget={"trials": 4, "epochs": 4})


def ask(location: Location, query: str) -> Any:
    """Return the one value that ``query`` finds."""
    with closing(Database(location)) as database, database.read() as session:
        return session.execute(text(query)).scalar_one()


def test_a_study_runs_to_its_end(postgres_location: Location, home: Path) -> None:
    """With workers, and again with more trials: on a server as on a file."""
    run_scripted(home, small_recipe(), location=postgres_location)
    run_scripted(home, small_recipe(budget={"trials": 8, "epochs": 4}), workers=2, location=postgres_location)

    (summary,) = list_studies(postgres_location)
    assert (summary.name, summary.counts) == ("small", Counts(8, 0, 0, 0, 0))
    assert summary.best is not None
    assert summary.running is None
    with studies.existing(postgres_location, "small") as found:
        assert set(found.store.epochs(found.record.id)) == set(range(8))
        assert all(found.store.artifacts.path(model.path).is_file() for model in found.store.models(1).values())


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts_during_a_run_costs_nothing(
    postgres: Server, postgres_location: Location, home: Path, mode: str
) -> None:
    """It is away for a second, twice; the run goes on with what it had, and writes nothing twice (fault 14)."""
    thread = threading.Thread(target=restart, args=(postgres, mode, 2))
    recorder = Recorder(on_update=lambda _view: thread.start() if not thread.ident else None)
    run_scripted(home, slow_recipe(), location=postgres_location, recorder=recorder)
    thread.join()

    (summary,) = list_studies(postgres_location)
    assert summary.counts == Counts(4, 0, 0, 0, 0)
    assert len(recorder.ends) == 4
    assert ask(postgres_location, "SELECT count(*) FROM tuner_epoch") == 16
    assert ask(postgres_location, "SELECT count(*) FROM tuner_attempt") == 4
    assert ask(postgres_location, "SELECT count(*) FROM trial_intermediate_values") == 16
    assert [ask(postgres_location, query) for query in DUPLICATES] == [0, 0, 0, 0]


def restart(server: Server, mode: str, times: int) -> None:
    """Restart a server a few times, from another thread."""
    for _ in range(times):
        time.sleep(0.4)
        server.stop(mode)
        time.sleep(1.0)
        server.start()


@pytest.mark.slow
def test_sessions_that_are_cut_off_at_any_moment_cost_nothing(
    postgres: Server, postgres_location: Location, home: Path
) -> None:
    """Every few milliseconds, so that it also happens inside transactions and at their ends."""
    over = threading.Event()
    admin = locate(postgres.url("postgres"))
    thread = threading.Thread(target=cut_off, args=(admin, str(postgres_location.url.database), over))
    # Begins with the first trial: before that, nothing is lost when a run ends.
    recorder = Recorder(on_update=lambda _view: thread.start() if not thread.ident else None)
    recipe = small_recipe(budget={"trials": 20, "epochs": 4})
    try:
        run_scripted(home, recipe, location=postgres_location, recorder=recorder)
    finally:
        over.set()
        thread.join()

    (summary,) = list_studies(postgres_location)
    assert summary.counts == Counts(20, 0, 0, 0, 0)
    assert ask(postgres_location, "SELECT count(*) FROM tuner_epoch") == 80
    assert ask(postgres_location, "SELECT count(*) FROM tuner_attempt") == 20
    assert [ask(postgres_location, query) for query in DUPLICATES] == [0, 0, 0, 0]


def cut_off(admin: Location, name: str, over: threading.Event) -> None:
    """End the sessions of a run, again and again."""
    cut = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name")
    moments = random.Random(0)  # noqa: S311 - no secret
    with closing(Database(admin)) as database:
        while not over.wait(moments.uniform(0.05, 0.15)):
            with database.read() as session:
                session.execute(cut, {"name": name})


def test_a_server_that_stays_away_ends_the_run(
    postgres: Server, postgres_location: Location, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a minute, with exit code 3; the next run goes on."""
    monkeypatch.setattr("storage.lease.PATIENCE", 0.5)
    monkeypatch.setattr("storage.postgres.PATIENCE", 0.5)
    gone: list[bool] = []

    def stop(_view: object) -> None:
        if not gone:
            gone.append(True)
            postgres.stop()

    try:
        with pytest.raises(StorageError, match="cannot be used: connection") as caught:
            run_scripted(home, slow_recipe(), location=postgres_location, recorder=Recorder(on_update=stop))
    finally:
        postgres.start()
    assert caught.value.exit_code == 3
    assert caught.value.hint == "check host and port of the URL, and that the server runs"

    with closing(Database(postgres_location)) as database, database.write() as session:
        session.execute(text("DELETE FROM tuner_lease"))  # its process is this one, which lives
    run_scripted(home, slow_recipe(), location=postgres_location)
    assert list_studies(postgres_location)[0].counts == Counts(4, 0, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_runs_that_begin_at_the_same_moment_one_goes_on(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """On databases that do not exist yet; the others learn who it is (fault 21)."""
    processes, rounds = 4, 5
    urls = [f"sqlite:///{tmp_path}/{number}/studies.db" for number in range(rounds)]
    if kind == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        urls = [server.url(f"race_{number}") for number in range(rounds)]
        for number in range(rounds):
            server.create_database(f"race_{number}")
    command = [sys.executable, "-c", RACER, str(tmp_path), str(processes), *urls]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    said = [[json.loads(line) for line in racer.communicate(timeout=60)[0].splitlines()] for racer in racers]

    assert [racer.returncode for racer in racers] == [0] * processes
    assert [len(lines) for lines in said] == [rounds] * processes
    for lines in zip(*said, strict=True):
        kinds = Counter(line.split(" by ")[0] for line in lines)
        assert kinds == {"ran": 1, "LeaseHeldError: study 'race' is being run": processes - 1}


def test_first_leases_at_the_same_moment_are_told_apart(any_location: Location) -> None:
    """The second waits for the first to be written, then hears who holds it; threads stand for two hosts."""
    with closing(open_store(any_location, create=True)) as store:
        record = studies.create_or_resume(store, "first", small_recipe(), "0" * 64).record
        barrier = threading.Barrier(4)
        results: list[str] = []

        def acquire() -> None:
            with closing(open_store(any_location)) as other:
                barrier.wait()
                try:
                    other.lease(record.id, "first").acquire()
                    results.append("holds")
                except RunError:
                    results.append("refused")

        threads = [threading.Thread(target=acquire) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert Counter(results) == {"holds": 1, "refused": 3}
