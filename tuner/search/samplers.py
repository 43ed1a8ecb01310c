"""Optuna's samplers and pruners, set up for a recipe; also the Sobol points and the grid."""

from __future__ import annotations

import importlib.util
import math
import random
from collections.abc import Callable, Mapping

import numpy as np
import optuna
from optuna.trial import TrialState
from tuner_storage.trial_attributes import INFEASIBLE, REFUSED

from tuner.config.dimensions import AnyDimension, Choice, Float
from tuner.config.recipe import Recipe
from tuner.config.tables import PAUSING_PRUNERS
from tuner.distribution import install
from tuner.errors import RecipeError
from tuner.records import ParamValue
from tuner.search.cma_es import RepeatedCmaEs
from tuner.search.successive_halving import Rungs

STARTUP = 10  # finished trials that a model of the objective needs before it proposes any
COVER_EVERY = 8  # one trial in so many covers the space instead of following the model
NEIGHBOUR_EVERY = 4  # one trial in so many is a neighbour of the best one instead of following the model
_MOST_POINTS = 1_000_000  # of a whole number or a range with a step, which Optuna's GPSampler makes anew for each trial
_INDEPENDENT = 1  # the stream of the parameters that a model of the others draws at random
_LEARNS_FROM = {"tpe": (TrialState.COMPLETE, TrialState.PRUNED), "gp": (TrialState.COMPLETE,)}


def trial_seed(study_seed: int, number: int, *stream: int) -> int:
    """Return the seed of a trial, in [0, 2**31), from its study's seed and its number. Each ``stream`` has its own."""
    return int(np.random.SeedSequence([study_seed, number], spawn_key=stream).generate_state(1)[0] >> 1)


def check_sampler(recipe: Recipe) -> None:
    """Refuse a sampler whose package is not installed.

    Raises:
        RecipeError: With the command that installs it.
    """
    for name, dimension in recipe.search_space.dimensions.items() if recipe.sampler == "gp" else ():
        size = None if isinstance(dimension, Float) and dimension.step is None else dimension.size()
        if size is not None and size > _MOST_POINTS:
            raise RecipeError(
                f"sampler 'gp' lists all values of '{name}': it has {size:,}, at most {_MOST_POINTS:,} are possible",
                hint="use larger steps, or --sampler tpe",
            )
    if recipe.sampler == "gp" and importlib.util.find_spec("torch") is None:
        raise RecipeError("sampler 'gp' needs torch, not installed here", hint=install("gp"))


def make_sampler(recipe: Recipe, number: int, *, at_random: bool = False) -> optuna.samplers.BaseSampler:
    """Return the sampler that proposes trial ``number``.

    A sampler is made anew for each trial, with streams of random numbers that belong to this trial alone. So a study
    that is resumed proposes the same, and no two trials draw the same numbers. A model of the parameters that every
    trial has (``gp``, ``cmaes``) draws the others (``units_1``, ``momentum``) at random, from a second stream: with the
    same one, both draws would be related. ``tpe`` models those parameters too. All parameters of ``qmc`` come from
    :func:`sobol_point`.

    Args:
        recipe: The search.
        number: The trial. Its seed follows from the study's seed and this number.
        at_random: Draw at random, whatever sampler the recipe names.
    """
    sampler, seed = "random" if at_random else recipe.sampler, trial_seed(recipe.search.seed, number)
    independent = optuna.samplers.RandomSampler(seed=trial_seed(recipe.search.seed, number, _INDEPENDENT))
    if sampler == "tpe":
        # Some parameters exist only in some trials (units per layer, momentum for sgd). `group` models them too.
        tpe = optuna.samplers.TPESampler(
            n_startup_trials=STARTUP, seed=seed, multivariate=True, group=True, constant_liar=True
        )
        tpe._gamma = good_trials  # noqa: SLF001 - the argument of this name would warn users of its deprecation
        return tpe
    if sampler == "gp":
        return optuna.samplers.GPSampler(
            n_startup_trials=STARTUP, seed=seed, independent_sampler=independent, warn_independent_sampling=False
        )
    if sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed)
    if sampler == "cmaes":
        return RepeatedCmaEs(seed=seed, independent_sampler=independent, warn_independent_sampling=False)
    return independent


def good_trials(trials: int) -> int:
    """Return how many of the finished trials TPE treats as good.

    At first these are a third, then eight, later 15 %, and never more than 25. Optuna's own share of 10 % means two of
    the first twenty trials. A model of two points hardly sees anything else, and with a dozen parameters these two are
    good by luck.

    Source: 15 % and a lower bound: Falkner et al. 2018, BOHB, section 4.1.
    """
    return min(max(math.ceil(0.15 * trials), min(8, math.ceil(trials / 3))), 25)


def covers_space(recipe: Recipe, study: optuna.Study, position: int) -> bool:
    """Return whether the trial at ``position`` covers the space instead of following a model.

    With ``qmc`` all trials do. If the sampler learns, the first trials do, because the model learns from them. Later
    one trial in ``COVER_EVERY`` does: a model that found one good region early would otherwise never see another one,
    especially if trials are compared after few epochs.

    Source: Falkner et al. 2018, BOHB, section 4.2, where a constant share of the configurations is drawn at random.
    """
    if not learns_from_trials(recipe):
        return recipe.sampler == "qmc"
    if position % COVER_EVERY == COVER_EVERY - 1:
        return True
    states = _LEARNS_FROM[recipe.sampler]
    finished = study.get_trials(deepcopy=False, states=states)
    return sum(not {REFUSED, INFEASIBLE}.intersection(trial.user_attrs) for trial in finished) < STARTUP


def is_neighbour(recipe: Recipe, position: int) -> bool:
    """Return whether the trial at ``position``, if it does not cover the space, is a neighbour of the best one.

    If the good trials agree in a choice, TPE hardly proposes another value: the bad trials with the other value may
    have been bad for another reason, but TPE cannot know. So the other values are tried with everything else as in the
    best trial.

    Source: Hutter et al. 2011, section 4.3, where such neighbours compete with random configurations.
    """
    return learns_from_trials(recipe) and position % NEIGHBOUR_EVERY == 1


def learns_from_trials(recipe: Recipe) -> bool:
    """Return whether the sampler of a search can learn from any finished trials, those of other studies included."""
    return recipe.sampler in _LEARNS_FROM


def distribution(dimension: AnyDimension) -> optuna.distributions.BaseDistribution:
    """Return the Optuna distribution of a dimension."""
    if isinstance(dimension, Choice):
        return optuna.distributions.CategoricalDistribution(dimension.choices)
    if isinstance(dimension, Float):
        return optuna.distributions.FloatDistribution(*dimension.ends(), log=dimension.log, step=dimension.step)
    return optuna.distributions.IntDistribution(*dimension.ends(), log=dimension.log, step=dimension.step)


def sobol_point(recipe: Recipe, number: int, fixed: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Return point ``number`` of the study's scrambled Sobol sequence as a configuration.

    The points cover each dimension, and pairs of dimensions, more evenly than random points. Every parameter that can
    exist has a coordinate of its own, so whether a conditional parameter exists does not change the others. The point
    follows from the study's seed and ``number`` alone.

    Args:
        recipe: The search.
        number: The trial, from 0.
        fixed: Parameters that keep these values.

    Source: Sobol 1967; scrambled as in Matousek 1998, On the L2-discrepancy for anchored boxes.
    """
    from scipy.stats.qmc import Sobol  # takes most of a second to import and is needed for the first trials only

    names = recipe.search_space.names()
    if not names:  # everything is fixed
        return {}
    sequence = Sobol(len(names), rng=recipe.search.seed)
    if number:  # SciPy cannot skip 0 points
        sequence.fast_forward(number)
    u = dict(zip(names, sequence.random()[0].tolist(), strict=True))
    return recipe.search_space.draw(lambda name, dim: fixed[name] if name in fixed else dim.at(u[name]))


def make_rungs(recipe: Recipe) -> Rungs:
    """Return the rungs of a search. A pruner that does not pause trials has none."""
    has_rungs = recipe.search.pruner in PAUSING_PRUNERS
    return Rungs(
        recipe.budget.epochs if has_rungs else 0,
        limit=recipe.trials,
        maximize=recipe.objective.maximize,
        brackets=recipe.search.pruner == "hyperband",
        finalists=recipe.finalists,
        cyclic=recipe.cyclic,
    )


def make_pruner(recipe: Recipe) -> optuna.pruners.BasePruner:
    """Return the Optuna pruner of a search; epochs are 0-based.

    ``asha`` and ``hyperband`` have none: see :mod:`tuner.search.successive_halving`.
    """
    pruners = optuna.pruners
    median = pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
    worst = recipe.search.threshold
    lowest, highest = (worst, None) if recipe.objective.maximize else (None, worst)
    makers: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
        "asha": pruners.NopPruner,
        "hyperband": pruners.NopPruner,
        "none": pruners.NopPruner,
        "median": lambda: median,
        "percentile": lambda: pruners.PercentilePruner(25.0, n_startup_trials=5, n_warmup_steps=2),
        "sha": pruners.SuccessiveHalvingPruner,
        "optuna-hyperband": lambda: pruners.HyperbandPruner(max_resource=recipe.budget.epochs),
        "patient": lambda: pruners.PatientPruner(median, patience=2),
        "threshold": lambda: pruners.ThresholdPruner(lower=lowest, upper=highest, n_warmup_steps=1),
    }
    return makers[recipe.search.pruner]()


def shuffled_grid(recipe: Recipe) -> list[dict[str, ParamValue]]:
    """Return every configuration: the start configurations first, then the others in a random order.

    A random order covers the space early.
    """
    starts, others = recipe.grid[: len(recipe.start)], list(recipe.grid[len(recipe.start) :])
    random.Random(recipe.search.seed).shuffle(others)  # noqa: S311 - no secret
    return [*starts, *others]
