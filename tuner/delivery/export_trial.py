"""Exports a trial of a study: chooses the model file and collects the facts for the manifest."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from storage.copies import KeptModel, KeptRefit
from tuner.data.dataset import Dataset
from tuner.delivery.export import ModelFacts, export_model
from tuner.delivery.manifest import Manifest, Refit
from tuner.errors import UsageError
from tuner.results.trials import TrialResult
from tuner.studies import StoredStudy

COMPARED_ROWS = 256  # training rows on which every exported format must agree with the original


def export_trial(
    stored: StoredStudy,
    trial: TrialResult,
    data: Dataset,
    folder: Path,
    formats: Sequence[str],
    *,
    force: bool,
    on_step: Callable[[str], None],
    refit: bool = False,
) -> Manifest:
    """Export the model of a trial, or its refit.

    Args:
        stored: The study.
        trial: The trial.
        data: The study's data set.
        folder: As for :func:`export_model`.
        formats: As for :func:`export_model`.
        force: As for :func:`export_model`.
        on_step: As for :func:`export_model`.
        refit: Export the refit instead of the model that was validated.

    Raises:
        UsageError: If the trial is not complete, its model is not kept, or it has no refit.
        RunError: If a format cannot be written or differs from the original.
    """
    refit_model = _refit(stored, trial) if refit else None
    model = refit_model or _model(stored, trial)
    if trial.value is None or trial.best_epoch is None or trial.parameters is None:
        raise UsageError(f"trial {trial.number} is not complete")
    recipe = stored.recipe
    facts = ModelFacts(
        task=recipe.task,
        scale=data.scale,
        class_names=data.class_names,
        study=stored.study.study_name,
        trial=trial.number,
        metric=recipe.objective.metric,
        direction=recipe.objective.direction,
        value=trial.value,
        params=trial.all_params,
        metrics=trial.metrics,
        test=model.test,
        best_epoch=trial.best_epoch,
        parameters=trial.parameters,
        data=recipe.data,
        fingerprint=stored.record.data_fingerprint,
        refit=None if refit_model is None else Refit(epochs=refit_model.epochs, rows=refit_model.rows),
    )
    return export_model(
        stored.store.artifacts.path(model.path),
        model.sha256,
        folder,
        formats=formats,
        sample=data.x_train[:COMPARED_ROWS],
        facts=facts,
        force=force,
        on_step=on_step,
    )


def _model(stored: StoredStudy, trial: TrialResult) -> KeptModel:
    kept = stored.store.models(stored.record.id)
    if trial.number not in kept:
        raise UsageError(
            f"the model of trial {trial.number} is not kept",
            hint=f"trials with a kept model: {', '.join(str(number) for number in sorted(kept)) or 'none yet'}",
        )
    return kept[trial.number]


def _refit(stored: StoredStudy, trial: TrialResult) -> KeptRefit:
    kept = stored.store.refit(stored.record.id)
    if kept is None:
        raise UsageError(
            f"no trial of '{stored.study.study_name}' was trained again on all rows",
            hint=f"tuner study start {shlex.quote(stored.study.study_name)} --refit",
        )
    if kept.number != trial.number:
        raise UsageError(
            f"trial {trial.number} was not trained again on all rows, trial {kept.number} was",
            hint=f"export trial {kept.number}, or trial {trial.number} without the refit: --no-refit",
        )
    return kept
