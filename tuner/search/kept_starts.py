"""Gives the trials of older versions their start configurations, which these versions knew by position only."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial
from tuner_storage.trial_attributes import CONFIRMS, START, STARTS_KEPT

from tuner.config.recipe import Recipe
from tuner.config.tables import Start
from tuner.search.size_limit import was_refused


def keep_starts(study: optuna.Study, before: Recipe) -> None:
    """Write to each unfinished trial of a start configuration which one it is, unless this version made all trials.

    A finished trial has its label already, see :func:`start_of`, and Optuna would refuse to change it.

    Args:
        study: The study. The caller holds its lease.
        before: The recipe of the study's last run. Its start configurations are in the order of the trials.
    """
    storage = study._storage  # noqa: SLF001 - Optuna has no public name for it
    if STARTS_KEPT in study.user_attrs:
        return
    for trial, start in zip(_in_search(study, before), before.start, strict=False):
        if START not in trial.user_attrs and not trial.state.is_finished():
            storage.set_trial_user_attr(trial._trial_id, START, start.as_attribute())  # noqa: SLF001
    study.set_user_attr(STARTS_KEPT, True)  # noqa: FBT003 - its value


def start_of(trial: FrozenTrial, recipe: Recipe) -> Start | None:
    """Return the start configuration that a trial was made from, or ``None``.

    A trial that an older version finished has only its label and the epochs that it was given.

    Args:
        trial: The trial.
        recipe: The study's recipe. Its list of start configurations may have changed since the trial was made.
    """
    attributes = trial.user_attrs
    if START in attributes:
        return Start.model_validate(attributes[START])
    if "label" not in attributes or CONFIRMS in attributes:
        return None
    epochs = attributes.get("asked_epochs", recipe.budget.epochs)
    unknown = Start(label=attributes["label"], params={}, epochs=None if epochs == recipe.budget.epochs else epochs)
    return next((start for start in recipe.start if start.label == unknown.label), unknown)


def _in_search(study: optuna.Study, before: Recipe) -> Sequence[FrozenTrial]:
    """Return the trials that counted when positions were given. In a grid, refused ones did."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if CONFIRMS not in trial.user_attrs]
    return trials if before.sampler == "grid" else [trial for trial in trials if not was_refused(trial)]
