"""Every sampler over a conditional space: parameters that only some trials have vary as much as the others."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from tests.recipes import small_recipe
from tests.search.conftest import ask, in_memory, report
from tuner.config.recipe import Recipe
from tuner.jobs import TrialSpec
from tuner.records import Outcome

SPACE: dict[str, Any] = {
    "layers": {"type": "int", "low": 0, "high": 2},
    "units": {"type": "int", "low": 8, "high": 512, "log": True},
    "optimizer": {"type": "choice", "choices": ["adam", "sgd"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
}
CONDITIONAL = ("units_0", "units_1", "momentum")
TRIALS = 96
NO_TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch of the extra 'gp', over 4 GB")
WITHOUT_MODEL = ["random", "qmc"]
SAMPLERS = [*WITHOUT_MODEL, "nsga2", "cmaes", "tpe", pytest.param("gp", marks=NO_TORCH)]


def recipe_for(sampler: str, seed: int) -> Recipe:
    """Return a search in which some trials lack some parameters."""
    search = {"sampler": sampler, "pruner": "none", "seed": seed}
    return small_recipe(space=SPACE, search=search, budget={"trials": TRIALS, "epochs": 4})


def trials_of(sampler: str, seed: int, count: int = TRIALS) -> list[TrialSpec]:
    """Run a study whose values are noise, so that no region is better than another."""
    ask_tell = in_memory(recipe_for(sampler, seed))
    specs = []
    for value in np.random.default_rng(seed).random(count):
        spec = ask(ask_tell)
        report(ask_tell, spec.number, 0, float(value))
        ask_tell.tell(spec.number, Outcome.COMPLETE, float(value))
        specs.append(spec)
    return specs


def having(name: str, specs: list[TrialSpec]) -> list[TrialSpec]:
    """Return the trials for which a parameter was drawn. Only sgd has a momentum; for others it is the default."""
    if name == "momentum":
        return [spec for spec in specs if spec.params["optimizer"] == "sgd"]
    return [spec for spec in specs if name in spec.params]


def shares(name: str, specs: list[TrialSpec]) -> list[float]:
    """Return where the values of a parameter lie in its range, from 0 to 1."""
    values = [float(spec.params[name]) for spec in having(name, specs)]
    if name == "momentum":
        return [value / 0.9 for value in values]
    return [math.log((width + 0.5) / 7.5) / math.log(512.5 / 7.5) for width in values]  # half a unit wider at both ends


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_parameter_that_only_some_trials_have_varies_and_covers_its_range(sampler: str) -> None:
    """Most values of a study differ, whichever parameters its trial 0 has. Three studies hit every quarter."""
    count = TRIALS // 2 if sampler in {"tpe", "gp"} else TRIALS  # each proposal of these takes long
    studies = [trials_of(sampler, seed, count) for seed in range(3)]
    for name in CONDITIONAL:
        drawn = [shares(name, specs) for specs in studies]

        assert all(len(set(u)) > len(u) / 3 for u in drawn), name
        assert {int(4 * share) for u in drawn for share in u} == {0, 1, 2, 3}, name


@pytest.mark.parametrize("sampler", WITHOUT_MODEL)
@pytest.mark.parametrize("seed", range(3))
def test_samplers_without_a_model_draw_it_uniformly_and_independently(sampler: str, seed: int) -> None:
    """From its own distribution, unrelated to another parameter."""
    specs = trials_of(sampler, seed)
    for name in CONDITIONAL:
        u = shares(name, specs)
        dropout = [float(spec.params["dropout"]) for spec in having(name, specs)]

        assert kstest(u, "uniform").pvalue > 0.01, name
        assert spearmanr(u, dropout).pvalue > 0.01, name


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_and_number_give_the_same_draw_and_another_seed_another_one(sampler: str) -> None:
    """Nothing else decides: not the process, and not what was drawn before in it."""
    first, again, other = (trials_of(sampler, seed, count=16) for seed in (0, 0, 1))

    assert first == again
    assert [spec.params for spec in first] != [spec.params for spec in other]
