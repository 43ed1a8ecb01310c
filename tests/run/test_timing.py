"""Where the seconds of a run go, as the coordinator measures it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from tuner_storage import locate

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner import studies
from tuner.cli.main import main
from tuner.clock import Clock
from tuner.events import TrialEnd
from tuner.records import Outcome
from tuner.run.timing import COORDINATOR_PHASES, TRAINER_PHASES, Timing, total


def test_a_clock_counts_a_block_even_if_it_raises() -> None:
    """A trial that fails has used time too."""
    clock = Clock()

    def fail() -> None:
        with clock("train"):
            time.sleep(0.02)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    with clock("train"):
        time.sleep(0.02)
    assert clock.seconds["train"] >= 0.04


def test_time_that_no_phase_explains_is_idle_or_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two slots over 20 s are 40 s of trainers: 12 s are explained. Of the coordinator's 20 s, one is explained."""
    now = 100.0
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("tuner.run.timing.time", clock)
    monkeypatch.setattr("tuner.clock.time", clock)
    timing = Timing(slots=2)
    now = 103.0
    timing.ready()
    now = 105.0
    timing.ready()
    with timing.coordinator("ask"):
        now = 106.0
    timing.trial(TrialEnd(0, Outcome.COMPLETE, seconds=3.0, phases={"train": 1.5, "build": 0.5}, traced=True))
    timing.trial(TrialEnd(1, Outcome.PRUNED, seconds=1.0, phases={"train": 1.0}))
    now = 110.0
    timing.ready()  # a worker that replaces another one
    now = 120.0

    assert timing.as_json() == {
        "wall": 20.0,
        "slots": 2,
        "trainers": dict.fromkeys(TRAINER_PHASES, 0.0)
        | {"import": 3.0 + 5.0, "build": 0.5, "train": 2.5, "other": 1.0, "idle": 28.0},
        "coordinator": dict.fromkeys(COORDINATOR_PHASES, 0.0) | {"ask": 1.0, "waiting": 19.0},
        "programs": {"traced": 1, "reused": 1},
    }
    assert list(timing.as_json()["trainers"]) == list(TRAINER_PHASES)
    assert list(timing.as_json()["coordinator"]) == list(COORDINATOR_PHASES)


def test_the_timing_of_a_study_is_that_of_all_its_runs(home: Path) -> None:
    """A study that was continued has two runs, and both have an end. A start with nothing to do is no run."""
    run_scripted(home, small_recipe(budget={"trials": 3, "epochs": 3}))
    run_scripted(home, small_recipe(budget={"trials": 5, "epochs": 3}), workers=2)
    run_scripted(home, small_recipe(budget={"trials": 5, "epochs": 3}))  # nothing to do: no run
    with studies.existing(locate(home=home), "small") as (store, _, record):
        runs = store.runs(record.id)

    assert [(run.workers, run.device, run.stopped_by) for run in runs] == [(1, "script", None), (2, "script", None)]
    assert all(run.ended is not None and run.ended >= run.started for run in runs)
    timings = [run.timing for run in runs if run.timing is not None]
    assert total(timings)["wall"] == pytest.approx(sum(timing["wall"] for timing in timings), abs=0.01)
    assert total(timings)["slots"] == 2


def test_the_reason_why_a_run_stopped_is_stored(home: Path) -> None:
    """A run that receives a signal stores its name."""
    run_scripted(home, small_recipe(budget={"trials": 3, "epochs": 3}), stop=lambda: "terminate")
    with studies.existing(locate(home=home), "small") as (store, _, record):
        assert [run.stopped_by for run in store.runs(record.id)] == ["terminate"]


def test_report_timing_shows_it_as_a_table_and_as_json(home: Path) -> None:
    """Both name every phase."""
    run_scripted(home, small_recipe(budget={"trials": 3, "epochs": 3}))
    table = CliRunner().invoke(main, ["report", "small", "--timing", "--home", str(home)])
    as_json = CliRunner().invoke(main, ["report", "small", "--timing", "--json", "--home", str(home)])

    assert (table.exit_code, as_json.exit_code) == (0, 0)
    assert all(phase in table.stdout for phase in (*TRAINER_PHASES, *COORDINATOR_PHASES))
    assert "tuner report small" in table.stderr
    assert set(json.loads(as_json.stdout)) == {"wall", "slots", "trainers", "coordinator", "programs"}


def test_a_study_without_a_run_has_no_timing_and_no_error(home: Path) -> None:
    """Its first run was killed before it began to train."""
    with studies.opened(locate(home=home), create=True) as store:
        studies.create_or_resume(store, "small", small_recipe(), "0" * 64)
    result = CliRunner().invoke(main, ["report", "small", "--timing", "--home", str(home)])
    assert result.exit_code == 0, result.stderr
