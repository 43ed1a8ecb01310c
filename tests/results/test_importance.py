"""What each parameter of a study is worth."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
import optuna
import pytest
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial

from tests.hand_made import trial
from tuner.results.importance import MIN_FOR_IMPORTANCE, importances

Direction = Literal["maximize", "minimize"]


def study_of(trials: Iterable[FrozenTrial], direction: Direction = "maximize") -> optuna.Study:
    study = optuna.create_study(direction=direction)
    study.add_trials(trials)
    return study


def drawn(count: int, value: Callable[[Any], float]) -> list[FrozenTrial]:
    """Return trials of random dropout and learning rate."""
    generator = np.random.default_rng(0)
    params: list[dict[str, float]] = [
        {"dropout": generator.uniform(0, 0.5), "learning_rate": 10 ** generator.uniform(-3, -1)} for _ in range(count)
    ]
    return [trial(value(each), **each) for each in params]


def good_at_the_top(params: dict[str, float]) -> float:
    """Return an accuracy: a low learning rate ruins a trial, among the others dropout alone decides."""
    ruined = params["learning_rate"] < 0.003
    return params["learning_rate"] * 10 if ruined else 0.5 + params["dropout"] / 2


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_ped_anova_looks_at_the_good_end_of_the_objective(direction: Direction, sign: int) -> None:
    """Dropout decides among the best, the learning rate among the worst: whichever direction is better."""
    worth = importances(study_of(drawn(120, lambda each: sign * good_at_the_top(each)), direction))

    assert list(worth.ped_anova) == ["dropout", "learning_rate"]
    assert worth.ped_anova["dropout"] > 0.9


def test_the_other_end_would_give_another_ranking() -> None:
    """So the test above can fail: PED-ANOVA takes a target for a loss, even where the study maximises."""
    study = study_of(drawn(120, good_at_the_top))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = get_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator(), target=lambda each: each.value or 0.0
        )

    assert next(iter(wrong)) == "learning_rate"


def test_fanova_looks_at_the_whole_range_and_repeats_exactly() -> None:
    """What ruins trials makes most of the difference; its trees are seeded."""
    study = study_of(drawn(60, good_at_the_top))
    worth = importances(study)

    assert next(iter(worth.fanova)) == "learning_rate"
    assert worth == importances(study)
    for shares in (worth.ped_anova, worth.fanova):
        assert sum(shares.values()) == pytest.approx(1)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_parameters_that_only_some_trials_have_are_named_and_left_out() -> None:
    """Momentum and the second layer cannot be compared; a width that every trial has can."""
    generator = np.random.default_rng(0)
    trials = [
        trial(
            float(generator.random()),
            layers=1 + i % 2,
            units_0=int(generator.integers(8, 65)),
            optimizer=("adam", "sgd")[i % 2],
            label_smoothing=0.1,
            **({"momentum": 0.8, "units_1": 9 + i} if i % 2 else {}),
        )
        for i in range(12)
    ]
    worth = importances(study_of([*trials, trial(None, **trials[0].params)]))

    assert set(worth.ped_anova) == set(worth.fanova) == {"layers", "units_0", "optimizer"}
    assert (worth.partial, worth.constant) == (("momentum", "units_1"), ("label_smoothing",))
    assert json.loads(json.dumps(worth.as_json()))["left_out"] == ["momentum", "units_1", "label_smoothing"]


def test_too_few_complete_trials_tell_nothing() -> None:
    """It is said how many it takes; pruned trials help, but not alone."""
    few, pruned = drawn(MIN_FOR_IMPORTANCE - 1, good_at_the_top), trial(None, dropout=0.1, learning_rate=0.01)
    worth = importances(study_of(few))

    assert worth.ped_anova == worth.fanova == {}
    assert worth.missing == "it takes at least 8 complete or pruned trials, and there are 7"
    assert importances(study_of([])).missing == "it takes at least 4 complete trials, and there are 0"
    assert importances(study_of([*few[:3], *[pruned] * 9])).missing == (
        "it takes at least 4 complete trials, and there are 3"
    )
    assert importances(study_of([*few, pruned])).missing is None


def test_trials_that_do_not_differ_tell_nothing() -> None:
    """Equal shares would look like a finding."""
    equal = importances(study_of(drawn(10, lambda _: 1.0)))
    same = importances(study_of([trial(i / 10, dropout=0.25) for i in range(10)]))

    assert (equal.ped_anova, equal.missing) == ({}, "all complete trials have the same value")
    assert same.missing == "no parameter that all trials have differs between them"


def test_a_few_good_trials_above_many_equal_bad_ones_are_told_apart() -> None:
    """The ties at the bottom do not count as best, whatever share of the trials the best ones are."""
    trials = [trial(0.9 if i < 3 else 0.1, dropout=0.4 if i < 3 else i / 100, layers=i % 3) for i in range(12)]

    assert next(iter(importances(study_of(trials)).ped_anova)) == "dropout"


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_that_trials_were_pruned_shows_what_the_complete_ones_have_in_common(direction: Direction, sign: int) -> None:
    """All trials of more than one layer were pruned: fANOVA cannot compare it in the others, PED-ANOVA can."""
    complete = [trial(sign * (0.9 + i / 100), dropout=i / 20, layers=1) for i in range(MIN_FOR_IMPORTANCE)]
    pruned = [trial(None, dropout=i / 20, layers=2) for i in range(MIN_FOR_IMPORTANCE)]
    worth = importances(study_of([*complete, *pruned], direction))
    fewer = importances(study_of([*complete[1:], *pruned], direction))

    assert set(worth.ped_anova) == {"dropout", "layers"}
    assert worth.ped_anova["layers"] > importances(study_of([*complete, *pruned[:1]], direction)).ped_anova["layers"]
    assert (list(worth.fanova), worth.constant) == (["dropout"], ())
    assert (set(fewer.ped_anova), fewer.fanova) == ({"dropout", "layers"}, {})


def test_infinite_values_are_left_out() -> None:
    """Optuna stores them as complete."""
    worth = importances(study_of([*drawn(12, good_at_the_top), trial(float("-inf"), dropout=0.1)]))

    assert set(worth.ped_anova) == {"dropout", "learning_rate"}
