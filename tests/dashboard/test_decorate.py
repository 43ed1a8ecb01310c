"""What a run writes for the dashboard, read by Optuna."""

from __future__ import annotations

import pytest
from tuner_storage import locate

from tests.dashboard.conftest import Finished
from tuner import studies
from tuner.dashboard.decorate import decorate


def test_the_objective_has_its_name(finished: Finished) -> None:
    """The dashboard shows the name instead of ``Objective 0``."""
    with studies.existing(locate(home=finished.home), "small") as (_, study, _record):
        assert study.metric_names == ["val_accuracy"]


def test_a_study_without_trials_can_be_decorated(finished: Finished) -> None:
    """A run may be interrupted before a trial has ended."""
    with studies.opened(locate(home=finished.home)) as store:
        stored = studies.create_or_resume(store, "empty", finished.recipe, "0" * 64)
        decorate(stored, [])

        assert stored.study.metric_names == ["val_accuracy"]


def test_decorating_gives_no_warnings(finished: Finished, recwarn: pytest.WarningsRecorder) -> None:
    """Warnings about experimental functions are suppressed."""
    finished.run(12)

    assert [str(warning.message) for warning in recwarn] == []
