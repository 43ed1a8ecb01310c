"""Trainers, coordinator, PostgreSQL and PgBouncer are killed at random moments: no result is lost or duplicated."""

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
from tuner_storage import Location, locate

from tests.chaos.audit import FINISHED, Audit
from tests.chaos.monkey import TRIALS, Monkey
from tests.pgbouncer import PROGRAM, PgBouncer, pgbouncer
from tests.postgres import Server
from tuner.study import load_study

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads processes from /proc")
ROUNDS = int(os.environ.get("CHAOS_SERVER_ROUNDS", "3"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
_RUNS = "SELECT count(*) FROM tuner_lease WHERE owner LIKE %s"
_DONE = "SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL')"
# The number of epochs of every trial: in its attributes, in our table, and in Optuna's table.
_EPOCHS = """
SELECT t.number, CAST(f.value_json AS integer), (SELECT count(*) FROM tuner_epoch e WHERE e.trial_number = t.number),
       (SELECT count(*) FROM trial_intermediate_values v WHERE v.trial_id = t.trial_id)
FROM trials t JOIN trial_user_attributes f ON f.trial_id = t.trial_id AND f.key = 'epochs' WHERE t.state <> 'FAIL'
"""


class ServerMonkey(Monkey):
    """Restarts the server too, while a run has the lease. If there is a pooler, every second run uses it.

    Before that, and during its last trials, a run may end with an error if the server is away.

    Attributes:
        restarts: How many restarts there were, by mode.
    """

    def __init__(self, home: Path, seed: int, server: Server, database: str, pooler: PgBouncer | None) -> None:
        super().__init__(home, seed, server.url(database))
        self._server = server
        self._pooler = pooler
        self._is_pooled = True  # so that the first run is not, and the last one of the default is
        self._database = database
        self._url = server.url(database)
        self._moments = random.Random(seed)  # noqa: S311 - no secret
        self._thread: threading.Thread | None = None
        self.restarts: Counter[str] = Counter()

    def start(self) -> subprocess.Popen[str]:
        """Start a run, and a thread that restarts the server."""
        self.wait_for_restarts()
        if self._pooler is not None:
            self._is_pooled = not self._is_pooled
            self._env["TUNER_STORAGE"] = self._pooler.url(self._database) if self._is_pooled else self._url
        process = super().start()
        self._thread = threading.Thread(target=self._restart, args=(process,), daemon=True)
        self._thread.start()
        return process

    def wait_for_restarts(self) -> None:
        """Wait until the thread of the last run has ended, so that the server keeps running."""
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
            mode = self._moments.choice(["fast", "immediate", *(["pooler"] if self._is_pooled else [])])
            if self._pooler is not None and mode == "pooler":
                self._pooler.kill()
                time.sleep(self._moments.uniform(0.0, 1.0))
                self._pooler.start()
            else:
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
def pooler(postgres: Server) -> Iterator[PgBouncer | None]:
    """PgBouncer in front of the server, if it is installed."""
    if not PROGRAM:
        yield None
        return
    with pgbouncer(
        postgres, {"server_login_retry": "0.2"}
    ) as pooler:  # by default, it refuses for 15 s after a restart
        yield pooler


def test_whatever_dies_no_result_is_lost_on_a_server(
    postgres: Server, postgres_location: Location, home: Path, audit: Audit, pooler: PgBouncer | None
) -> None:
    """A run survives restarts of the server, ended trials do not change, and in the end no trial is missing."""
    database = str(postgres_location.url.database)
    monkey = ServerMonkey(home, SEED, postgres, database, pooler)
    for _ in range(ROUNDS):
        ended = monkey.one_round()
        monkey.wait_for_restarts()
        if _has_trials(audit):
            audit.check(running=2)
        if ended:
            break
    end = monkey.run_to_the_end()
    monkey.wait_for_restarts()
    assert end.returncode == 0, end.stderr
    print(f"killed {monkey.runs} runs, {monkey.trainers} trainers; restarts: {dict(monkey.restarts)}")  # noqa: T201

    states = audit.check()
    assert len(states) == TRIALS
    assert set(states.values()) <= FINISHED
    assert [row for row in audit._rows(_EPOCHS) if not row[1] == row[2] == row[3]] == []
    assert audit._rows("SELECT count(*) FROM tuner_checkpoint") == [(0,)]
    assert sum(monkey.restarts.values()) > 0
    best = load_study("digits", storage=postgres.url(database), home=home).best()
    assert best.kept
    assert best.test is not None


def _has_trials(audit: Audit) -> bool:
    """Return whether the first run has created the tables."""
    rows = audit._rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'tuner_checkpoint'")
    return bool(rows == [(1,)])


def test_the_audit_reads_the_folder_of_the_runs(postgres_location: Location, home: Path) -> None:
    """The settings of a run lead to the same artifact folder as those of the audit."""
    url = postgres_location.url.set(drivername="postgresql").render_as_string(hide_password=False)
    assert locate(url, home) == postgres_location
