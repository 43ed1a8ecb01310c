"""The importance of each parameter of a study."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import optuna
import pytest
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial

from tests.hand_made import trial
from tuner.results import importance
from tuner.results.importance import MIN_FOR_IMPORTANCE, Importances, importances

Direction = Literal["maximize", "minimize"]


def of(trials: Sequence[FrozenTrial], direction: Direction = "maximize") -> Importances:
    """Return the importances in a study of these trials."""
    study = optuna.create_study(direction=direction)
    study.add_trials(trials)  # which numbers them
    return importances(study.trials, maximize=direction == "maximize")


def drawn(count: int, value: Callable[[Any], float]) -> list[FrozenTrial]:
    """Return ``count`` trials with random dropout and learning rate. ``value`` computes a trial's value."""
    generator = np.random.default_rng(0)
    params: list[dict[str, float]] = [
        {"dropout": generator.uniform(0, 0.5), "learning_rate": 10 ** generator.uniform(-3, -1)} for _ in range(count)
    ]
    return [trial(value(configuration), **configuration) for configuration in params]


def accuracy(params: dict[str, float]) -> float:
    """Return an accuracy: bad if the learning rate is low; if not, it depends only on the dropout."""
    bad = params["learning_rate"] < 0.003
    return params["learning_rate"] * 10 if bad else 0.5 + params["dropout"] / 2


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_ped_anova_explains_the_best_trials(direction: Direction, sign: int) -> None:
    """Dropout decides which trials are the best, the learning rate which are the worst. Both directions work."""
    result = of(drawn(120, lambda params: sign * accuracy(params)), direction)

    assert list(result.ped_anova) == ["dropout", "learning_rate"]
    assert result.ped_anova["dropout"] > 0.9


def test_the_worst_trials_would_give_another_ranking() -> None:
    """This shows that the test above can fail: PED-ANOVA minimises a target even if the study maximises."""
    study = optuna.create_study(direction="maximize")
    study.add_trials(drawn(120, accuracy))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = get_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator(), target=lambda trial: trial.value or 0.0
        )

    assert next(iter(wrong)) == "learning_rate"


def test_fanova_explains_all_trials_and_repeats_exactly() -> None:
    """The learning rate makes most of the difference. The trees have a fixed seed."""
    trials = drawn(60, accuracy)
    result = of(trials)

    assert next(iter(result.fanova)) == "learning_rate"
    assert result == of(trials)
    for shares in (result.ped_anova, result.fanova):
        assert sum(shares.values()) == pytest.approx(1)
        assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_parameters_that_only_some_trials_have_are_listed_and_left_out() -> None:
    """Momentum and the width of the second layer are left out. The width that all trials have is not."""
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
    result = of([*trials, trial(None, **trials[0].params)])

    assert set(result.ped_anova) == set(result.fanova) == {"layers", "units_0", "optimizer"}
    assert (result.partial, result.constant) == (("momentum", "units_1"), ("label_smoothing",))
    assert json.loads(json.dumps(result.as_json()))["left_out"] == ["momentum", "units_1", "label_smoothing"]


def test_there_is_no_importance_with_too_few_trials() -> None:
    """The reason says how many are needed. Pruned trials count, but some complete ones are needed."""
    few, pruned = drawn(MIN_FOR_IMPORTANCE - 1, accuracy), trial(None, dropout=0.1, learning_rate=0.01)
    result = of(few)

    assert result.ped_anova == result.fanova == {}
    assert result.missing == "it takes at least 8 complete or pruned trials, and there are 7"
    assert of([]).missing == "it takes at least 4 complete trials, and there are 0"
    assert of([*few[:3], *[pruned] * 9]).missing == ("it takes at least 4 complete trials, and there are 3")
    assert of([*few, pruned]).missing is None


def test_there_is_no_importance_if_trials_do_not_differ() -> None:
    """Equal shares would look like a result."""
    equal = of(drawn(10, lambda _: 1.0))
    same = of([trial(i / 10, dropout=0.25) for i in range(10)])

    assert (equal.ped_anova, equal.missing) == ({}, "all complete trials have the same value")
    assert same.missing == "no parameter that all trials have differs between them"


def test_a_few_good_trials_are_compared_with_many_equal_bad_ones() -> None:
    """The equal trials do not count as best, even if the share of the best would include them."""
    trials = [trial(0.9 if i < 3 else 0.1, dropout=0.4 if i < 3 else i / 100, layers=i % 3) for i in range(12)]

    assert next(iter(of(trials).ped_anova)) == "dropout"


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_pruned_trials_show_what_the_complete_ones_have_in_common(direction: Direction, sign: int) -> None:
    """All trials with two layers were pruned. PED-ANOVA uses that, fANOVA cannot: the complete ones have one layer."""
    complete = [trial(sign * (0.9 + i / 100), dropout=i / 20, layers=1) for i in range(MIN_FOR_IMPORTANCE)]
    pruned = [trial(None, dropout=i / 20, layers=2) for i in range(MIN_FOR_IMPORTANCE)]
    result = of([*complete, *pruned], direction)
    fewer = of([*complete[1:], *pruned], direction)

    assert set(result.ped_anova) == {"dropout", "layers"}
    assert result.ped_anova["layers"] > of([*complete, *pruned[:1]], direction).ped_anova["layers"]
    assert (list(result.fanova), result.constant) == (["dropout"], ())
    assert (set(fewer.ped_anova), fewer.fanova) == ({"dropout", "layers"}, {})


def test_infinite_values_are_left_out() -> None:
    """Optuna stores such trials as complete."""
    result = of([*drawn(12, accuracy), trial(float("-inf"), dropout=0.1)])

    assert set(result.ped_anova) == {"dropout", "learning_rate"}


def test_of_many_trials_some_are_taken_for_fanova(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are spread over the study, say the same, and the result says how many they are."""
    trials = drawn(200, accuracy)
    whole = of(trials)
    monkeypatch.setattr(importance, "MAX_FANOVA", 100)
    sampled = of(trials)

    assert (whole.sampled, sampled.sampled) == (None, 100)
    assert sampled.ped_anova == whole.ped_anova
    assert list(sampled.fanova) == list(whole.fanova)
    assert sampled.fanova["learning_rate"] == pytest.approx(whole.fanova["learning_rate"], abs=0.1)
