"""The regions of the search space in which the best trials lie."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial

from tests.hand_made import SPACE, trial
from tests.recipes import small_recipe
from tuner.results.best_regions import MIN_FOR_REGIONS, Counted, Interval, Region, regions
from tuner.results.trials import read_trial


def regions_of(trials: Iterable[FrozenTrial], metric: str = "val_accuracy") -> dict[str, Region]:
    """Return the regions of the trials by parameter."""
    recipe = small_recipe(space=SPACE, objective={"metric": metric})
    results = [replace(read_trial(trial, recipe, {}), number=number) for number, trial in enumerate(trials)]
    return {region.name: region for region in regions(results, recipe)}


def test_a_region_is_computed_from_the_best_tenth_of_the_complete_trials() -> None:
    """That is four of forty trials, but at least three, as of twelve. Higher is better here."""
    trials = [trial(i / 100, dropout=i / 100) for i in range(40)]

    assert (regions_of(trials)["dropout"].trials, regions_of(trials[:12])["dropout"].trials) == (4, 3)
    assert regions_of(trials)["dropout"] == Interval("dropout", 0.36, 0.39, (0.0, 0.5), log=False, trials=4, top=4)


def test_the_best_losses_are_the_lowest() -> None:
    """A region depends on the direction of the study."""
    trials = [trial(1 - i / 100, dropout=i / 100) for i in range(40)]
    losses = regions_of(trials, metric="val_loss")["dropout"]
    accuracies = regions_of(trials)["dropout"]

    assert isinstance(losses, Interval)
    assert isinstance(accuracies, Interval)
    assert (losses.low, losses.high) == (0.36, 0.39)
    assert (accuracies.low, accuracies.high) == (0.0, 0.03)


@pytest.mark.parametrize(
    ("name", "values", "end", "limit"),
    [
        ("dropout", (0.48, 0.4, 0.5), "upper", False),
        ("dropout", (0.01, 0.0, 0.1), "lower", True),  # dropout cannot be below 0
        ("learning_rate", (0.001, 0.002, 0.009), "lower", False),  # the scale is logarithmic: the middle is 0.01
        ("learning_rate", (0.001, 0.002, 0.011), None, False),
        ("dropout", (0.0, 0.2, 0.5), None, False),  # all over the range
        ("dropout", (0.5, 0.5, 0.24), None, False),
        ("layers", (2, 2, 2), "upper", False),
        ("layers", (1, 2, 2), None, False),
    ],
)
def test_the_best_trials_lie_at_an_end_if_they_reach_it_and_are_all_in_its_half(
    name: str, values: tuple[float, ...], end: str | None, *, limit: bool
) -> None:
    """If some reach an end while others are far from it, that is chance."""
    worse = [trial(0.1, optimizer="adam")] * 4
    region = regions_of([*worse, *(trial(0.9, **{name: value}) for value in values)])[name]

    assert isinstance(region, Interval)
    assert (region.end, region.limit) == (end, limit)
    assert (region.low, region.high) == (min(values), max(values))


def test_choices_are_counted() -> None:
    """The most frequent value comes first. The region also has all values that were searched."""
    best = [trial(0.9, optimizer=name) for name in ("adam", "sgd", "sgd")]
    region = regions_of([*best, *[trial(0.1, optimizer="rmsprop")] * 4])["optimizer"]

    assert region == Counted("optimizer", (("sgd", 2), ("adam", 1)), ("adam", "rmsprop", "sgd"), trials=3, top=3)
    assert json.loads(json.dumps(region.as_json()))["values"] == [
        {"value": "sgd", "trials": 2},
        {"value": "adam", "trials": 1},
    ]


def test_regions_are_in_the_order_of_the_space_and_count_their_trials() -> None:
    """Each layer has its own. A parameter that is not searched has none. An end needs at least three trials."""
    best = [
        trial(0.9, optimizer="adam", units_0=8, layers=1, label_smoothing=0.1),
        trial(0.9, optimizer="sgd", momentum=0.9, units_0=9, units_1=64, layers=2, label_smoothing=0.1),
        trial(0.9, optimizer="sgd", momentum=0.9, units_0=10, units_1=64, layers=2, label_smoothing=0.1),
    ]
    by_name = regions_of([*best, *[trial(0.1, dropout=0.1)] * 4])

    assert list(by_name) == ["layers", "optimizer", "units_0", "units_1", "momentum"]  # units are drawn after layers
    assert getattr(by_name["units_0"], "end", None) == "lower"
    assert by_name["momentum"] == Interval("momentum", 0.9, 0.9, (0.5, 0.9), log=False, trials=2, top=3)
    json.dumps([region.as_json() for region in by_name.values()])


def test_there_is_no_region_if_too_few_trials_are_complete() -> None:
    """The best three of five trials would be most of them. Pruned trials count as worse ones."""
    trials = [trial(i / 10, dropout=i / 20) for i in range(MIN_FOR_REGIONS)]
    pruned = [trial(None, dropout=0.1)] * 20

    assert regions_of(trials[1:]) == regions_of([]) == regions_of(pruned) == regions_of([*trials[:2], *pruned]) == {}
    assert "dropout" in regions_of(trials)
    assert "dropout" in regions_of([*trials[:3], *pruned])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 0.1)), min_size=MIN_FOR_REGIONS, max_size=30))
def test_a_region_is_inside_the_searched_range(drawn: list[tuple[float, float]]) -> None:
    """So its ends as shares of the range are in [0, 1], except for rounding. It contains at least three trials."""
    region = regions_of(trial(value, learning_rate=rate) for value, rate in drawn)["learning_rate"]

    assert isinstance(region, Interval)
    assert 0.001 <= region.low <= region.high <= 0.1
    assert -1e-9 <= region.extent[0] <= region.extent[1] <= 1 + 1e-9
    assert sum(region.low <= rate <= region.high for _, rate in drawn) >= 3
