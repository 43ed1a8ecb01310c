"""Trainers and the coordinator are killed at random moments, repeatedly: no result is lost or changes."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from tests.chaos.audit import FINISHED, Audit
from tests.chaos.monkey import TRIALS, Monkey
from tests.houses import houses_csv
from tuner.study import load_study

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads processes from /proc")
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "20"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
STUDIES = int(os.environ.get("CHAOS_STUDIES", "1"))


@pytest.mark.parametrize("name", ["digits", "houses"])
@pytest.mark.parametrize("seed", range(SEED, SEED + STUDIES))
def test_whatever_is_killed_no_result_is_lost(tmp_path: Path, seed: int, name: str) -> None:
    """All invariants hold after every round, and in the end there are exactly as many trials as requested.

    The second study is one of a table, which has an ensemble to select at its end. It gets a quarter of the rounds.
    """
    home = tmp_path / "home"
    search = ("digits",) if name == "digits" else (str(houses_csv(tmp_path, rows=2000)), "--target", "price")
    rounds = ROUNDS if name == "digits" else ROUNDS // 4
    monkey = Monkey(home, seed, search=search)
    engine = create_engine(f"sqlite:///{home}/studies.db", poolclass=NullPool)
    audit = Audit(engine, home / "artifacts")
    ends = 0
    for _ in range(rounds):
        ends += monkey.one_round()
        if (home / "studies.db").exists() and _has_trials(audit):
            audit.check(running=2)
        if ends:  # all trials are done: begin another study
            assert set(audit.check().values()) <= FINISHED
            shutil.rmtree(home)
            audit.finished.clear()
            ends = 0
    print(f"killed {monkey.runs} runs and {monkey.trainers} trainers")  # noqa: T201 - shown with -s
    assert monkey.runs > rounds // 2
    assert monkey.trainers > 0
    end = monkey.run_to_the_end()
    assert end.returncode == 0, end.stderr

    states = audit.check()
    assert len(states) == TRIALS
    assert set(states.values()) <= FINISHED
    _check_leftovers(home, name, audit)
    engine.dispose()


def _has_trials(audit: Audit) -> bool:
    from sqlalchemy import inspect

    tables = set(inspect(audit.engine).get_table_names())
    return {"trials", "tuner_checkpoint"} <= tables


def _check_leftovers(home: Path, name: str, audit: Audit) -> None:
    """Check that the best model is kept and evaluated, and that no checkpoint is left."""
    study = load_study(name, home=home)
    best = study.best()
    assert best.kept
    assert best.test is not None
    assert (study.assessment() is not None) == (name == "houses")
    assert audit._rows("SELECT COUNT(*) FROM tuner_checkpoint") == [(0,)]
