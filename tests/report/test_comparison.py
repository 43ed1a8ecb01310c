"""The winner and the ensemble stand beside simple models."""

from __future__ import annotations

import io

from rich.console import Console

from tests.assessments import assessment_of
from tuner.evaluation.assessment import Assessment
from tuner.evaluation.facts import BaselineFacts
from tuner.report.comparison import comparison_table
from tuner.tasks import MULTICLASS


def shown(assessment: Assessment) -> list[list[str]]:
    """Return the cells of each line of the table."""
    console = Console(width=80, file=io.StringIO())
    with console.capture() as capture:
        console.print(comparison_table(assessment, MULTICLASS))
    return [line.split() for line in capture.get().splitlines() if line.strip()]


def test_the_average_comes_first_with_its_size_and_its_time() -> None:
    """So one can choose the smaller model."""
    lines = shown(assessment_of(7, 3))

    assert lines[1] == ["model", "accuracy", "weights", "ms/row"]
    assert lines[3:] == [
        ["average", "of", "2", "models", "0.9400", "200", "0.20"],
        ["trial", "7", "0.8900", "100", "0.10"],
    ]


def test_a_single_model_has_no_average() -> None:
    """If no average is better."""
    assert shown(assessment_of(7))[3:] == [["trial", "7", "0.8900", "100", "0.10"]]


def test_simple_models_follow_the_best_first() -> None:
    """A metric that one lacks is empty."""
    assessment = assessment_of(7)
    baselines = (
        BaselineFacts(name="constant", seconds=0.1, test={"accuracy": 0.5}),
        BaselineFacts(name="gradient_boosting", seconds=2, test={"accuracy": 0.88}),
        BaselineFacts(name="linear", seconds=1),
    )
    single = assessment.single
    validation = single.validation.model_copy(update={"baselines": baselines})
    measured = single.model_copy(update={"validation": validation})

    lines = shown(assessment.model_copy(update={"single": measured}))

    assert lines[4:] == [["gradient", "boosting", "0.8800"], ["linear", "model"], ["constant", "0.5000"]]
