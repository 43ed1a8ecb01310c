"""Several users of one database: runs on PostgreSQL, servers that restart, runs that begin at the same moment."""

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
from tuner_storage import Location, locate, open_store
from tuner_storage.engine import Database

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
from tuner_storage import locate
from tests.recipes import small_recipe
from tuner import studies
from tuner.errors import TunerError

folder, processes, urls = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]

def wait_for_others(barrier, processes):
    (folder / barrier).mkdir(exist_ok=True)
    (folder / barrier / str(os.getpid())).touch()
    while len(os.listdir(folder / barrier)) < processes:
        time.sleep(0.001)

def start(url, barrier, processes):
    try:
        with studies.opened(locate(url), create=True) as store:
            record = studies.create_or_resume(store, "race", small_recipe(), "0" * 64).record
            with store.lease(record.id, "race"):
                wait_for_others(barrier, processes)  # keeps the lease until the others are refused
                return "ran"
    except TunerError as error:
        wait_for_others(barrier, processes)
        return f"{type(error).__name__}: {error}"

start(f"sqlite:///{folder}/warm-{os.getpid()}/studies.db", f"warm-{os.getpid()}", 1)  # imports all modules
for number, url in enumerate(urls):
    wait_for_others(f"begin-{number}", processes)
    print(json.dumps(start(url, f"end-{number}", processes)), flush=True)
"""


def slow_recipe() -> Recipe:
    """Return a recipe with scripted epochs of 0.2 s."""
    space = {"learning_rate": {"type": "float", "low": 0.001, "high": 0.5}, "layers": 1, "units": 8, "batch_size": 3}
    return small_recipe(space=space, budget={"trials": 4, "epochs": 4})


def value(location: Location, query: str) -> Any:
    """Return the single value that ``query`` selects."""
    with closing(Database(location)) as database, database.read() as session:
        return session.execute(text(query)).scalar_one()


def test_a_study_runs_on_a_server(postgres_location: Location, home: Path) -> None:
    """A study completes, and continues with workers and more trials."""
    run_scripted(home, small_recipe(), location=postgres_location)
    run_scripted(home, small_recipe(budget={"trials": 8, "epochs": 4}), workers=2, location=postgres_location)

    (summary,) = list_studies(postgres_location)
    assert (summary.name, summary.counts) == ("small", Counts(8, 0, 0, 0, 0))
    assert summary.best is not None
    assert summary.running is None
    with studies.existing(postgres_location, "small") as stored:
        assert set(stored.store.epochs(stored.record.id)) == set(range(8))
        assert all(stored.store.artifacts.path(model).is_file() for model in stored.store.models(1).values())


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts_during_a_run_costs_nothing(
    postgres: Server, postgres_location: Location, home: Path, mode: str
) -> None:
    """The server is away for a second, twice; the run continues and writes no row twice (fault 14)."""
    thread = threading.Thread(target=restart, args=(postgres, mode, 2))
    recorder = Recorder(on_update=lambda _view: thread.start() if not thread.ident else None)
    run_scripted(home, slow_recipe(), location=postgres_location, recorder=recorder)
    thread.join()

    (summary,) = list_studies(postgres_location)
    assert summary.counts == Counts(4, 0, 0, 0, 0)
    assert len(recorder.ends) == 4
    assert value(postgres_location, "SELECT count(*) FROM tuner_epoch") == 16
    assert value(postgres_location, "SELECT count(*) FROM tuner_attempt") == 4
    assert value(postgres_location, "SELECT count(*) FROM trial_intermediate_values") == 16
    assert [value(postgres_location, query) for query in DUPLICATES] == [0, 0, 0, 0]


def restart(server: Server, mode: str, times: int) -> None:
    """Restart a server several times; runs in another thread."""
    for _ in range(times):
        time.sleep(0.4)
        server.stop(mode)
        time.sleep(1.0)
        server.start()


@pytest.mark.slow
def test_closed_sessions_cost_nothing(postgres: Server, postgres_location: Location, home: Path) -> None:
    """The server closes them several times a second, so that it also happens in transactions and during commits."""
    ended = threading.Event()
    admin = locate(postgres.url("postgres"))
    thread = threading.Thread(target=close_sessions, args=(admin, str(postgres_location.url.database), ended))
    # Begins with the first trial: before that, a run may end with an error and lose nothing.
    recorder = Recorder(on_update=lambda _view: thread.start() if not thread.ident else None)
    recipe = small_recipe(budget={"trials": 20, "epochs": 4})
    try:
        run_scripted(home, recipe, location=postgres_location, recorder=recorder)
    finally:
        ended.set()
        thread.join()

    (summary,) = list_studies(postgres_location)
    assert summary.counts == Counts(20, 0, 0, 0, 0)
    assert value(postgres_location, "SELECT count(*) FROM tuner_epoch") == 80
    assert value(postgres_location, "SELECT count(*) FROM tuner_attempt") == 20
    assert [value(postgres_location, query) for query in DUPLICATES] == [0, 0, 0, 0]


def close_sessions(admin: Location, name: str, ended: threading.Event) -> None:
    """Close the sessions of a run repeatedly until ``ended`` is set."""
    close = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name")
    moments = random.Random(0)  # noqa: S311 - no secret
    with closing(Database(admin)) as database:
        while not ended.wait(moments.uniform(0.05, 0.5)):  # at times long enough for a step on a busy machine
            with database.read() as session:
                session.execute(close, {"name": name})


def test_a_server_that_stays_away_ends_the_run(
    postgres: Server, postgres_location: Location, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time limit, the run ends with exit code 3; the next run continues."""
    monkeypatch.setattr("tuner_storage.lease.MAX_WAIT", 0.5)
    monkeypatch.setattr("tuner_storage.postgres.MAX_WAIT", 0.5)
    stopped: list[bool] = []

    def stop(_view: object) -> None:
        if not stopped:
            stopped.append(True)
            postgres.stop()

    try:
        with pytest.raises(StorageError, match="cannot be used: connection") as caught:
            run_scripted(home, slow_recipe(), location=postgres_location, recorder=Recorder(on_update=stop))
    finally:
        postgres.start()
    assert caught.value.exit_code == 3
    assert caught.value.hint == "check host and port of the URL, and that the server runs"

    with closing(Database(postgres_location)) as database, database.write() as session:
        session.execute(text("DELETE FROM tuner_lease"))  # this process holds it
    run_scripted(home, slow_recipe(), location=postgres_location)
    assert list_studies(postgres_location)[0].counts == Counts(4, 0, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_one_of_several_runs_that_begin_at_the_same_moment_continues(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """The database does not exist yet; the other runs are refused with the name of the first (fault 21)."""
    processes, rounds = 4, 5
    urls = [f"sqlite:///{tmp_path}/{number}/studies.db" for number in range(rounds)]
    if kind == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        urls = [server.url(f"race_{number}") for number in range(rounds)]
        for number in range(rounds):
            server.create_database(f"race_{number}")
    command = [sys.executable, "-c", RACER, str(tmp_path), str(processes), *urls]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    results = [[json.loads(line) for line in racer.communicate(timeout=60)[0].splitlines()] for racer in racers]

    assert [racer.returncode for racer in racers] == [0] * processes
    assert [len(lines) for lines in results] == [rounds] * processes
    for lines in zip(*results, strict=True):
        kinds = Counter(line.split(" by ")[0] for line in lines)
        assert kinds == {"ran": 1, "LeaseHeldError: study 'race' is being run": processes - 1}


def test_one_of_several_first_leases_at_the_same_moment_is_given(any_location: Location) -> None:
    """The others wait for the first to be written, and are refused; threads stand for several hosts."""
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
