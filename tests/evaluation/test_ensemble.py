"""Selection of the models that are averaged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.draws import draw
from tuner.config.objectives import LARGER_IS_BETTER, Metric
from tuner.errors import UsageError
from tuner.evaluation.ensemble import average, select
from tuner.evaluation.scores import once, scores
from tuner.tasks import TASKS, TaskName

CASES: list[tuple[TaskName, Metric]] = [
    ("regression", "val_rmse"),
    ("regression", "val_mae"),
    ("regression", "val_r2"),
    ("regression", "val_loss"),
    ("binary", "val_auc"),
    ("binary", "val_average_precision"),
    ("binary", "val_f1"),
    ("binary", "val_loss"),
    ("multiclass", "val_accuracy"),
    ("multiclass", "val_f1"),
    ("multiclass", "val_loss"),
]
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(("task", "metric"), CASES)
@given(seed=seeds, models=st.integers(1, 6), rows=st.integers(6, 40))
def test_an_ensemble_is_never_worse_than_its_best_model(
    task: TaskName, metric: Metric, seed: int, models: int, rows: int
) -> None:
    """On the rows on which it was selected. Its weights sum to 1, and each step is better than the one before."""
    y, predictions = draw(task, np.random.default_rng(seed), rows, models)

    found = select(task, metric, y, predictions)

    sign = 1 if metric in LARGER_IS_BETTER else -1
    assert sum(found.weights) == pytest.approx(1)
    assert sign * found.value >= sign * found.single_value
    assert all(sign * later > sign * earlier for earlier, later in zip(found.steps, found.steps[1:], strict=False))


@pytest.mark.parametrize(("task", "metric"), CASES)
@given(seed=seeds, models=st.integers(2, 6))
def test_the_order_of_the_models_does_not_matter(task: TaskName, metric: Metric, seed: int, models: int) -> None:
    """The same models get the same weights, also where many reach the same accuracy."""
    random = np.random.default_rng(seed)
    y, predictions = draw(task, random, 12, models)
    order = random.permutation(models)

    found, shuffled = (select(task, metric, y, several) for several in (predictions, predictions[order]))

    assert shuffled.counts == tuple(np.array(found.counts)[order])


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_the_reported_metric_is_that_of_the_average(task: TaskName, metric: Metric) -> None:
    """In the units in which trials report it."""
    y, predictions = draw(task, np.random.default_rng(3), 30, 4)
    found = select(task, metric, y, predictions, variance=2.0)

    mixed = average(predictions, found)
    raw = mixed[:, None] if task == "regression" else np.log(mixed)
    measured = TASKS[task].measure(y, raw, variance=2.0)

    assert found.value == pytest.approx(measured[metric.removeprefix("val_")])


@pytest.mark.parametrize("task", TASKS)
def test_a_single_model_has_the_whole_weight(task: TaskName) -> None:
    """There is nothing to choose, and nothing is picked again."""
    y, predictions = draw(task, np.random.default_rng(0), 20, 1)

    found = select(task, "val_loss", y, predictions)

    assert (found.counts, found.weights, found.members, len(found.steps)) == ((1,), (1.0,), (0,), 1)


def test_independent_errors_cancel() -> None:
    """Nine models with the same error are better together: their mean has a third of it."""
    y, predictions = draw("regression", np.random.default_rng(0), 2000, 9)

    found = select("regression", "val_rmse", y, predictions)

    assert len(found.members) == 9
    assert found.value == pytest.approx(found.single_value / 3, rel=0.1)


def test_a_model_can_be_picked_again() -> None:
    """Two models err in opposite directions, one twice as far: the other gets two thirds."""
    y = np.zeros(50)
    error = np.random.default_rng(0).normal(size=50)

    found = select("regression", "val_rmse", y, np.stack([error, -2 * error]))

    assert found.counts == (2, 1)
    assert found.value == pytest.approx(0, abs=1e-12)


def test_a_copy_of_the_best_model_adds_nothing() -> None:
    """Equal models tie, and the first one is taken."""
    y, (best, worse) = draw("regression", np.random.default_rng(0), 50, 2)

    found = select("regression", "val_rmse", y, np.stack([y + 0.1 * (best - y)] * 3 + [y + 50 * abs(worse - y)]))

    assert found.counts == (1, 0, 0, 0)


def test_equal_accuracies_are_told_apart_by_the_loss() -> None:
    """Of two models without an error, the more certain one is the single best, wherever it stands."""
    y = np.array([0, 1, 0, 1])
    unsure, sure = (np.where(np.eye(2)[y] == 1, share, 1 - share) for share in (0.6, 0.9))

    assert select("binary", "val_accuracy", y, np.stack([unsure, sure])).counts == (0, 1)
    assert select("binary", "val_accuracy", y, np.stack([sure, unsure])).counts == (1, 0)


def test_rows_of_one_class_leave_the_choice_to_the_loss() -> None:
    """They do not define the area under the ROC curve."""
    y = np.zeros(4, int)
    bad, good = (np.tile([share, 1 - share], (4, 1)) for share in (0.6, 0.9))

    assert select("binary", "val_auc", y, np.stack([bad, good])).counts == (0, 1)


def test_the_average_of_probabilities_is_one_of_probabilities() -> None:
    """Each row sums to 1, and a model without weight plays no part."""
    y, predictions = draw("multiclass", np.random.default_rng(0), 30, 3)
    found = select("multiclass", "val_loss", y, predictions)

    mixed = average(predictions, found)

    np.testing.assert_allclose(mixed.sum(axis=1), 1)
    assert once(scores("multiclass", y, mixed)["log_loss"], 30) == pytest.approx(found.value)


@pytest.mark.parametrize(
    ("models", "metric", "message"),
    [(0, "val_rmse", "at least one model, got none"), (1, "val_auc", "val_auc is no metric of a regression task")],
)
def test_what_cannot_be_selected_is_refused(models: int, metric: Metric, message: str) -> None:
    """The message names the metric."""
    y, predictions = draw("regression", np.random.default_rng(0), 5, models)

    with pytest.raises(UsageError, match=message):
        select("regression", metric, y, predictions)
