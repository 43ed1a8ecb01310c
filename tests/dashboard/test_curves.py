"""The figure of the learning curves."""

from __future__ import annotations

import json
from typing import Any

from tests.dashboard.conftest import Finished
from tests.recipes import small_recipe
from tuner.report.figures.learning_curves import MAX_POINTS, MAX_TRIALS, learning_curves
from tuner.results.trials import TrialResult

EPOCHS = [{"loss": 0.9, "accuracy": 0.5, "val_loss": 0.8, "val_accuracy": 0.6, "learning_rate": 0.1, "seconds": 1.0}]


def trial(number: int, state: str = "complete", value: float | None = 0.6, best_epoch: int = 0) -> TrialResult:
    return TrialResult(number, state, value, {}, {}, {}, best_epoch, 1, 1.0, 10, None, None, kept=False, test=None)


def lines_of(figure: Any, number: int) -> list[Any]:
    return [line for line in figure.data if line.legendgroup == str(number)]


def legend(figure: Any) -> list[str]:
    return [line.name for line in figure.data if line.showlegend]


def test_without_a_finished_epoch_there_is_no_figure() -> None:
    """There is nothing to draw."""
    assert learning_curves(small_recipe(), [], {}) is None
    assert learning_curves(small_recipe(), [trial(0, "failed", None)], {}) is None


def test_every_finished_trial_with_an_epoch_has_its_curves(finished: Finished) -> None:
    """There are lines for training and validation of every metric, and a star at the best epoch."""
    curves = finished.curves
    figure = learning_curves(finished.recipe, finished.trials, curves)

    assert figure is not None
    assert set(curves) == {t.number for t in finished.trials if t.state != "failed"}
    for number, epochs in curves.items():
        val_accuracy, accuracy, val_loss, loss, star = lines_of(figure, number)
        assert val_accuracy.y == tuple(float(f"{epoch['val_accuracy']:.4g}") for epoch in epochs)
        assert loss.y == tuple(float(f"{epoch['loss']:.4g}") for epoch in epochs)
        assert [line.line.dash for line in (val_accuracy, accuracy, val_loss, loss)] == ["solid", "dot"] * 2
        assert star.y == (max(val_accuracy.y),)


def test_only_the_best_trial_is_visible_and_it_leads_the_legend() -> None:
    """The legend lists the complete trials by value, then the pruned, then the failed ones."""
    trials = [trial(0, "failed", None), trial(1, "pruned", 0.9), trial(2, value=0.7), trial(3, value=0.8)]
    figure = learning_curves(small_recipe(), trials, dict.fromkeys(range(4), EPOCHS))

    assert figure is not None
    assert legend(figure) == ["3  0.8000", "2  0.7000", "1  0.9000 pruned", "0   failed"]
    assert {line.legendgroup for line in figure.data if line.visible is True} == {"3"}


def test_a_loss_is_ranked_ascending_and_its_panel_comes_first() -> None:
    """Ranking and panels follow the objective."""
    recipe = small_recipe(objective={"metric": "val_loss"})
    figure = learning_curves(recipe, [trial(0, value=0.8), trial(1, value=0.7)], {0: EPOCHS, 1: EPOCHS})

    assert figure is not None
    assert legend(figure) == ["1  0.7000", "0  0.8000"]
    assert (figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text) == ("loss", "accuracy")


def test_visible_trials_stay_visible_when_the_figure_is_redrawn() -> None:
    """Plotly keeps the state of lines with the same ``uid`` as long as ``uirevision`` stays the same."""
    one = learning_curves(small_recipe(), [trial(0)], {0: EPOCHS})
    two = learning_curves(small_recipe(), [trial(0), trial(1, value=0.9)], {0: EPOCHS, 1: EPOCHS})

    assert one is not None
    assert two is not None
    assert one.layout.uirevision == two.layout.uirevision == "kept"
    assert [line.uid for line in lines_of(one, 0)] == [line.uid for line in lines_of(two, 0)]
    assert len({line.uid for line in two.data}) == len(two.data)


def test_the_best_of_very_many_trials_are_shown() -> None:
    """The size of the figure is limited, for the browser and the database."""
    trials = [trial(number, value=number / 1000) for number in range(MAX_TRIALS + 50)]
    figure = learning_curves(small_recipe(), trials, {t.number: EPOCHS for t in trials})

    assert figure is not None
    assert legend(figure)[0] == "249  0.2490"
    assert len(legend(figure)) == MAX_TRIALS
    assert len(figure.to_json()) < 1_000 * MAX_TRIALS


def test_a_long_curve_has_fewer_points_and_its_star_stays_in_place() -> None:
    """Points keep the numbers of their epochs."""
    epochs = [EPOCHS[0] | {"val_accuracy": epoch / 1000} for epoch in range(250)]
    figure = learning_curves(small_recipe(), [trial(0, best_epoch=248)], {0: epochs})

    assert figure is not None
    line, *_, star = lines_of(figure, 0)
    assert len(line.y) <= MAX_POINTS
    assert (line.x0, line.dx, line.y[1]) == (1, 3, 0.003)
    assert (star.x, star.y) == ((249,), (0.248,))


def test_the_dashboard_reads_the_whole_figure(finished: Finished) -> None:
    """The figure is stored in pieces, and the dashboard joins them."""
    from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

    stored = get_plotly_graph_objects(finished.system_attrs())

    assert sorted(stored) == ["best-so-far", "evaluation", "learning-curves"]
    assert len(json.loads(stored["learning-curves"])["data"]) == 5 * len(finished.curves)
