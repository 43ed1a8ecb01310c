"""Four coordinators of one study and the server are killed at random moments: each trial is trained to its end once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from tuner_storage import Location

from tests.chaos.audit import FINISHED, Audit
from tests.postgres import Server

TRIALS = int(os.environ.get("CHAOS_SHARED_TRIALS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
# Two of this machine, whose death can be seen at once, and two of others, whose leases have to expire.
MACHINES = (None, None, "elsewhere", "far-away")
_LEASES = "SELECT count(*) FROM tuner_lease WHERE owner LIKE '%:{}:%'"
_ENDED = "SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL')"


class Team:
    """The coordinators, as processes."""

    def __init__(self, url: str, home: Path) -> None:
        self._command = [sys.executable, "-m", "tests.chaos.coordinator", url, str(home), str(TRIALS)]
        self.running: dict[int, subprocess.Popen[str]] = {}
        self.killed = 0

    def start(self, index: int) -> None:
        """Start one of them, or start it again after it was killed."""
        command = [*self._command, *filter(None, [MACHINES[index]])]
        self.running[index] = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def kill(self, index: int) -> None:
        """Kill one of them; nothing happens if it has ended."""
        process = self.running[index]
        if process.poll() is None:
            process.kill()
            process.communicate()
            self.killed += 1

    def ends(self) -> dict[int, tuple[int, str]]:
        """Wait for all; return exit code and error output of each."""
        return {index: (process.wait(timeout=240), process.communicate()[1]) for index, process in self.running.items()}


def test_whatever_dies_every_trial_of_a_shared_study_ends_once(
    postgres: Server, postgres_location: Location, home: Path, audit: Audit
) -> None:
    """No trial is lost, none is trained to its end twice, and there are exactly as many as were asked for."""
    moments = random.Random(SEED)  # noqa: S311 - no secret
    url = postgres.url(str(postgres_location.url.database))
    team, restarts = Team(url, home), Counter[str]()
    for index in range(len(MACHINES)):
        team.start(index)
    while _number(url, _ENDED) < TRIALS - 15:
        time.sleep(moments.uniform(0.3, 1.5))
        busy = [index for index in team.running if _number(url, _LEASES.format(team.running[index].pid))]
        if len(busy) < 2:  # they take some seconds to start
            continue
        if moments.random() < 0.7:
            index = moments.choice(busy)
            team.kill(index)
            team.start(index)
        else:
            mode = moments.choice(["fast", "immediate"])
            postgres.stop(mode)
            time.sleep(moments.uniform(0.0, 1.0))
            postgres.start()
            restarts[mode] += 1
    ends = team.ends()
    print(f"killed {team.killed} coordinators; restarts: {dict(restarts)}")  # noqa: T201

    # One that began just when the server was away ends with an error; the others go on.
    assert 0 in {code for code, _ in ends.values()}, ends
    states = audit.check()
    confirming = audit._rows("SELECT count(*) FROM trial_user_attributes WHERE key = 'confirms'")[0][0]
    assert (len(states), confirming) == (TRIALS + 2, 2)
    assert set(states.values()) <= FINISHED
    assert audit._rows("SELECT count(*) FROM tuner_refit WHERE test IS NOT NULL") == [(1,)]
    assert len(audit._rows("SELECT DISTINCT owner FROM tuner_attempt WHERE outcome = 'complete'")) > 1
    assert team.killed > 0


def _number(url: str, query: str) -> int:
    """Return the number that a query selects; 0 if there are no tables yet."""
    with suppress(psycopg.Error), psycopg.connect(url) as connection:
        row: Any = connection.execute(query).fetchone()
        return int(row[0])
    return 0
