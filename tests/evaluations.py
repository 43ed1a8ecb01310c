"""Evaluations as a trainer makes them."""

from __future__ import annotations

from functools import cache

import numpy as np

from tests.evaluation.draws import draw
from tuner.evaluation.bootstrap import estimates
from tuner.evaluation.evaluation import Evaluation, evaluation_of
from tuner.evaluation.scores import scores
from tuner.tasks import TaskName


@cache
def evaluation_of_task(task: TaskName, rows: int = 60, classes: int = 3) -> Evaluation:
    """Return the evaluation of random predictions, which are better than chance."""
    y, (predictions,) = draw(task, np.random.default_rng(0), rows, 1, classes=classes)
    return evaluation_of(task, y, predictions, estimates(scores(task, y, predictions), rows, resamples=50))
