"""The figure of the best value over time."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from tests.recipes import small_recipe
from tests.runs import run_scripted, trials_of
from tuner.report.figures.best_so_far import best_so_far

BEGAN = datetime(2026, 1, 1)  # noqa: DTZ001 - in UTC without a zone, as the database has it


def test_it_steps_up_at_each_better_trial_and_skips_the_time_between_runs(home: Path) -> None:
    """Two runs of ten minutes with a day between them are twenty minutes."""
    recipe = small_recipe()
    run_scripted(home, recipe)
    trials = trials_of(home, recipe)
    day = timedelta(days=1)
    runs = [(BEGAN, BEGAN + timedelta(minutes=10)), (BEGAN + day, BEGAN + day + timedelta(minutes=10))]
    ended = {
        trial.number: (BEGAN if trial.number < 3 else BEGAN + day) + timedelta(minutes=1 + trial.number % 3)
        for trial in trials
    }
    figure = best_so_far(recipe, trials, ended, runs)
    assert figure is not None
    line = figure.data[0]

    values = [trial.value for trial in trials if trial.value is not None]
    assert list(line.y) == sorted(line.y)
    assert line.y[-1] == float(f"{max(values):.6g}")
    assert line.x[0] == 1.0
    assert line.x[-1] == 20.0
    best = max(trials, key=lambda trial: trial.value or 0.0)
    assert line.text[-2] == f"trial {best.number}"


def test_without_a_complete_trial_there_is_none() -> None:
    """A study that has just begun has no figure."""
    assert best_so_far(small_recipe(), [], {}, []) is None
