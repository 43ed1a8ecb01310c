"""Trainers, coordinator and the PostgreSQL under them die at random moments: no result is lost, none comes twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from storage import Location, locate
from storage.engine import engine_arguments
from tests.chaos.audit import FINISHED, Audit
from tests.chaos.monkey import TRIALS, Monkey
from tests.postgres import Server
from tuner.study import load_study

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes through /proc")
ROUNDS = int(os.environ.get("CHAOS_SERVER_ROUNDS", "3"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
_RUNS = "SELECT count(*) FROM tuner_lease WHERE owner LIKE %s"
_DONE = "SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL')"
# What Optuna's facts say that a trial has, beside the epochs that are written down.
_EPOCHS = """
SELECT t.number, CAST(f.value_json AS integer), (SELECT count(*) FROM tuner_epoch e WHERE e.trial_number = t.number),
       (SELECT count(*) FROM trial_intermediate_values v WHERE v.trial_id = t.trial_id)
FROM trials t JOIN trial_user_attributes f ON f.trial_id = t.trial_id AND f.key = 'epochs' WHERE t.state <> 'FAIL'
"""


class Janitor(Monkey):
    """Restarts the server under every run as well, once the run has the lease.

    Before that, and when its last trials are ending, a run has nothing to lose and just says that the server is away.

    Attributes:
        restarts: How many restarts there were, by their kind.
    """

    def __init__(self, home: Path, seed: int, server: Server, database: str) -> None:
        super().__init__(home, seed, server.url(database))
        self._server = server
        self._url = server.url(database)
        self._moments = random.Random(seed)  # noqa: S311 - no secret
        self._thread: threading.Thread | None = None
        self.restarts: Counter[str] = Counter()

    def start(self) -> subprocess.Popen[str]:
        """Start a run, and what restarts the server under it."""
        self.settle()
        process = super().start()
        self._thread = threading.Thread(target=self._restart, args=(process,), daemon=True)
        self._thread.start()
        return process

    def settle(self) -> None:
        """Wait until the server is there to stay: the run that it was restarted under has ended."""
        if self._thread is not None:
            self._thread.join()

    def _restart(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            if not self._is_in_the_middle(process.pid):
                time.sleep(0.1)
                continue
            time.sleep(self._moments.uniform(0.0, 2.0))
            if process.poll() is not None or not self._is_in_the_middle(process.pid):
                return
            mode = self._moments.choice(["fast", "immediate"])
            self._server.stop(mode)
            time.sleep(self._moments.uniform(0.0, 1.0))
            self._server.start()
            self.restarts[mode] += 1
            time.sleep(self._moments.uniform(0.5, 3.0))

    def _is_in_the_middle(self, pid: int) -> bool:
        try:
            with psycopg.connect(self._url) as connection:
                held = connection.execute(_RUNS, (f"%:{pid}:%",)).fetchone()
                done = connection.execute(_DONE).fetchone()
        except psycopg.errors.UndefinedTable:
            return False
        return held is not None and held[0] == 1 and done is not None and int(done[0]) < TRIALS - 6


@pytest.fixture
def audit(postgres_location: Location) -> Iterator[Audit]:
    # Without a pool: none of its connections would outlive the server.
    arguments = engine_arguments(postgres_location) | {"pool_pre_ping": False, "poolclass": NullPool}
    engine = create_engine(postgres_location.url, **arguments)
    yield Audit(engine, postgres_location.artifacts)
    engine.dispose()


def test_whatever_dies_no_result_is_lost_on_a_server(
    postgres: Server, postgres_location: Location, home: Path, audit: Audit
) -> None:
    """A run survives every restart of its server; what was finished never changes; in the end nothing is missing."""
    database = str(postgres_location.url.database)
    janitor = Janitor(home, SEED, postgres, database)
    for _ in range(ROUNDS):
        ended = janitor.one_round()
        janitor.settle()
        if _has_trials(audit):
            audit.look(running=2)
        if ended:
            break
    end = janitor.run_to_the_end()
    janitor.settle()
    assert end.returncode == 0, end.stderr
    print(f"killed {janitor.runs} runs, {janitor.trainers} trainers; restarts: {dict(janitor.restarts)}")  # noqa: T201

    states = audit.look()
    assert len(states) == TRIALS
    assert set(states.values()) <= FINISHED
    assert [row for row in audit._rows(_EPOCHS) if not row[1] == row[2] == row[3]] == []
    assert audit._rows("SELECT count(*) FROM tuner_checkpoint") == [(0,)]
    assert sum(janitor.restarts.values()) > 0
    best = load_study("digits", storage=postgres.url(database), home=home).best()
    assert best.kept
    assert best.test is not None


def _has_trials(audit: Audit) -> bool:
    """Tell whether the first run came so far."""
    found = audit._rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'tuner_checkpoint'")
    return bool(found == [(1,)])


def test_both_find_the_same_files(postgres_location: Location, home: Path) -> None:
    """The auditor looks into the folder that a run with the same settings writes to."""
    url = postgres_location.url.set(drivername="postgresql").render_as_string(hide_password=False)
    assert locate(url, home) == postgres_location
