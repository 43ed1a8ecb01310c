"""Who proposes configurations and who stops bad trials: Optuna's samplers and pruners, set up for a recipe."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import optuna

from tuner.recipe import Recipe, Search
from tuner.records import ParamValue


def trial_seed(study_seed: int, number: int) -> int:
    """Return the seed of a trial, in [0, 2**31), from its study's seed and its number."""
    return int(np.random.SeedSequence([study_seed, number]).generate_state(1)[0] >> 1)


def make_sampler(search: Search, number: int) -> optuna.samplers.BaseSampler:
    """Make the sampler that proposes trial ``number``."""
    seed = trial_seed(search.seed, number)
    if search.sampler == "tpe":
        # Units exist per layer and momentum for sgd alone: `group` models such parameters instead of guessing them.
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
    if search.sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed)
    if search.sampler == "qmc":
        # One sequence for the whole study: its seed must not change from trial to trial.
        return optuna.samplers.QMCSampler(
            seed=trial_seed(search.seed, 0), scramble=True, warn_independent_sampling=False
        )
    if search.sampler == "cmaes":
        return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    return optuna.samplers.RandomSampler(seed=seed)


def make_pruner(recipe: Recipe) -> optuna.pruners.BasePruner:
    """Make the pruner of a search; epochs are counted from 0."""
    pruners = optuna.pruners
    median = pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
    worst = recipe.search.threshold
    lowest, highest = (worst, None) if recipe.objective.maximize else (None, worst)
    makers: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
        "none": pruners.NopPruner,
        "median": lambda: median,
        "percentile": lambda: pruners.PercentilePruner(25.0, n_startup_trials=5, n_warmup_steps=2),
        "sha": pruners.SuccessiveHalvingPruner,
        "hyperband": lambda: pruners.HyperbandPruner(max_resource=recipe.budget.epochs),
        "patient": lambda: pruners.PatientPruner(median, patience=2),
        "threshold": lambda: pruners.ThresholdPruner(lower=lowest, upper=highest, n_warmup_steps=1),
    }
    return makers[recipe.search.pruner]()


def shuffled_grid(recipe: Recipe) -> list[dict[str, ParamValue]]:
    """Return every configuration: the recipe's own first, the others in an order that covers the space early."""
    starts, others = recipe.grid[: len(recipe.start)], list(recipe.grid[len(recipe.start) :])
    random.Random(recipe.search.seed).shuffle(others)  # noqa: S311 - no secret
    return [*starts, *others]
