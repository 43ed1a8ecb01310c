"""From a trial of a study to an exported folder: which model, and what its manifest tells of the study."""

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

COMPARED_ROWS = 256  # real rows on which every exported format must agree


def hand_over(
    found: StoredStudy,
    trial: TrialResult,
    data: Dataset,
    folder: Path,
    formats: Sequence[str],
    *,
    force: bool,
    on_step: Callable[[str], None],
    refit: bool = False,
) -> Manifest:
    """Export the kept model of a trial, or with ``refit`` the one that was trained again on all rows.

    The other arguments are those of :func:`export_model`.

    Raises:
        UsageError: If the model of the trial is not kept, or there is no refit of it.
        RunError: If a format cannot be written or disagrees with the original.
    """
    again = _refit(found, trial) if refit else None
    model = again or _model(found, trial)
    if trial.value is None or trial.best_epoch is None or trial.parameters is None:
        raise UsageError(f"trial {trial.number} is not complete")
    recipe = found.recipe
    facts = ModelFacts(
        task=recipe.task,
        scale=data.scale,
        class_names=data.class_names,
        study=found.study.study_name,
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
        fingerprint=found.record.data_fingerprint,
        refit=None if again is None else Refit(epochs=again.epochs, rows=again.rows),
    )
    return export_model(
        found.store.artifacts.path(model.path),
        model.sha256,
        folder,
        formats=formats,
        sample=data.x_train[:COMPARED_ROWS],
        facts=facts,
        force=force,
        on_step=on_step,
    )


def _model(found: StoredStudy, trial: TrialResult) -> KeptModel:
    kept = found.store.models(found.record.id)
    if trial.number not in kept:
        raise UsageError(
            f"the model of trial {trial.number} is not kept",
            hint=f"kept are the best: {', '.join(str(number) for number in sorted(kept)) or 'none yet'}",
        )
    return kept[trial.number]


def _refit(found: StoredStudy, trial: TrialResult) -> KeptRefit:
    kept = found.store.refit(found.record.id)
    if kept is None:
        raise UsageError(
            f"no trial of '{found.study.study_name}' was trained again on all rows",
            hint=f"tuner study start {shlex.quote(found.study.study_name)} --refit",
        )
    if kept.number != trial.number:
        raise UsageError(
            f"trial {trial.number} was not trained again on all rows, trial {kept.number} was",
            hint=f"export trial {kept.number}, or trial {trial.number} as it was validated: --no-refit",
        )
    return kept
