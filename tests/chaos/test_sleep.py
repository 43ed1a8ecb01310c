"""A suspended run continues, or ends without writing if another run took over (fault 19)."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from tuner_storage import Location
from tuner_storage.engine import Database
from tuner_storage.opening import has_database

from tests.chaos.audit import Audit

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP, which only POSIX systems have"),
]
LEASE = 2.0  # seconds, instead of 30
DEADLINE = 60.0  # seconds
RUNNER = f"""
import os
import sys
from datetime import timedelta
from pathlib import Path

import tuner_storage.lease
import tests.scripted
from tuner_storage import locate
from tests.recipes import always, small_recipe
from tests.runs import run_scripted
from tuner.errors import RunError

tuner_storage.lease.DURATION = timedelta(seconds={LEASE})
tuner_storage.lease.RENEWAL = 0.3
write_model = tests.scripted.write_model  # real runs never write the same bytes
tests.scripted.write_model = lambda path, content: write_model(path, content + f" by {{os.getpid()}}")
url, home, take_over = sys.argv[1:]
recipe = small_recipe(space=always(3), budget={{"trials": 4, "epochs": 6}})  # 0.2 s each
try:
    run_scripted(Path(home), recipe, location=locate(url, Path(home)), take_over=take_over == "yes")
except RunError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


class Sleeper:
    """Starts runs of one study in processes that a test can suspend."""

    def __init__(self, location: Location, home: Path) -> None:
        self._location = location
        self._home = home
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *, take_over: bool = False) -> subprocess.Popen[str]:
        """Start a run, and return without waiting for its end."""
        url = self._location.url.render_as_string(hide_password=False)
        command = [sys.executable, "-c", RUNNER, url, str(self._home), "yes" if take_over else "no"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.running.append(process)
        return process

    def number(self, query: str) -> int:
        """Return the number that ``query`` selects, or 0 if the database does not exist yet."""
        if not has_database(self._location):
            return 0
        with closing(Database(self._location)) as database, database.read() as session:
            return int(session.execute(text(query)).scalar_one())

    def rows(self) -> dict[str, list[str]]:
        """Return every row of every table."""
        with closing(Database(self._location)) as database, database.read() as session:
            tables = inspect(session.connection()).get_table_names()
            return {name: sorted(map(str, session.execute(text(f'SELECT * FROM "{name}"')))) for name in tables}

    def check_files(self) -> None:
        """Check the files and the other invariants."""
        with closing(Database(self._location)) as database:
            Audit(database.engine, self._location.artifacts).check()

    def suspend(self, process: subprocess.Popen[str]) -> None:
        """Suspend a run in a trial's last epoch, but not in a transaction, which would block all other runs."""
        until(lambda: self.number("SELECT count(*) FROM tuner_epoch") >= 11)
        while True:
            assert process.poll() is None, "it ended before it was suspended"
            process.send_signal(signal.SIGSTOP)
            if not self._is_writing():
                return
            process.send_signal(signal.SIGCONT)
            time.sleep(0.05)

    def _is_writing(self) -> bool:
        if self._location.is_server:
            others = "datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            return self.number(f"SELECT count(*) FROM pg_stat_activity WHERE {others}") > 0
        with closing(sqlite3.connect(self._location.file, timeout=0.1)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.rollback()
            except sqlite3.OperationalError:
                return True
            return False


@pytest.fixture
def sleeper(any_location: Location, home: Path) -> Iterator[Sleeper]:
    sleeper = Sleeper(any_location, home)
    yield sleeper
    for process in sleeper.running:
        if process.poll() is None:
            process.kill()  # works on suspended processes too
        process.communicate()


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.05)


def test_a_suspended_run_that_was_taken_over_writes_nothing(sleeper: Sleeper) -> None:
    """Another run completes the study; the first one resumes, ends with an error, and changes no row."""
    first = sleeper.start()
    sleeper.suspend(first)
    second = sleeper.start(take_over=True)
    _, stderr = second.communicate(timeout=DEADLINE)
    assert second.returncode == 0, stderr
    assert sleeper.number("SELECT count(*) FROM trials WHERE state = 'COMPLETE'") == 4
    before = sleeper.rows()

    first.send_signal(signal.SIGCONT)
    _, stderr = first.communicate(timeout=DEADLINE)

    assert first.returncode == 1
    assert "LeaseLostError: study 'small' was taken over by another run while this one was asleep" in stderr
    assert "Traceback" not in stderr
    assert sleeper.rows() == before
    sleeper.check_files()
    assert sleeper.number("SELECT count(*) FROM tuner_epoch") == 24
    assert sleeper.number("SELECT count(*) FROM trial_intermediate_values") == 24
    assert sleeper.number("SELECT count(*) FROM tuner_attempt WHERE outcome = 'complete'") == 4
    assert sleeper.number("SELECT count(DISTINCT owner) FROM tuner_attempt") == 2


def test_a_suspended_run_continues_if_no_other_took_over(sleeper: Sleeper) -> None:
    """Its expired lease is renewed; a second run without ``take_over`` is refused even while it is expired."""
    first = sleeper.start()
    sleeper.suspend(first)
    time.sleep(LEASE + 1.0)
    second = sleeper.start()
    _, stderr = second.communicate(timeout=DEADLINE)
    assert second.returncode == 1
    assert f"LeaseHeldError: study 'small' is being run by process {first.pid} on {os.uname().nodename}" in stderr

    first.send_signal(signal.SIGCONT)
    _, stderr = first.communicate(timeout=DEADLINE)

    assert first.returncode == 0, stderr
    assert sleeper.number("SELECT count(*) FROM tuner_attempt WHERE outcome = 'complete'") == 4
    assert sleeper.number("SELECT count(*) FROM tuner_attempt") == 4
    assert sleeper.number("SELECT count(*) FROM tuner_epoch") == 24
    assert sleeper.number("SELECT count(*) FROM tuner_lease") == 0
