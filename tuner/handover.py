"""From a trial of a study to an exported folder: which model, and what its manifest tells of the study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tuner.data.dataset import Dataset
from tuner.delivery.export import ModelFacts, export_model
from tuner.delivery.manifest import Manifest
from tuner.errors import UsageError
from tuner.results import TrialResult
from tuner.stored import Stored

COMPARED_ROWS = 256  # real rows on which every exported format must agree


def hand_over(
    found: Stored,
    trial: TrialResult,
    data: Dataset,
    folder: Path,
    formats: Sequence[str],
    *,
    force: bool,
    on_step: Callable[[str], None],
) -> Manifest:
    """Export the kept model of a trial; the other arguments are those of :func:`export_model`.

    Raises:
        UsageError: If the model of the trial is not kept.
        RunError: If a format cannot be written or disagrees with the original.
    """
    kept = found.store.models(found.record.id)
    model = kept.get(trial.number)
    if model is None or trial.value is None or trial.best_epoch is None or trial.parameters is None:
        raise UsageError(
            f"the model of trial {trial.number} is not kept",
            hint=f"kept are the best: {', '.join(str(number) for number in sorted(kept)) or 'none yet'}",
        )
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
        test=trial.test,
        best_epoch=trial.best_epoch,
        parameters=trial.parameters,
        data=recipe.data,
        fingerprint=found.record.data_fingerprint,
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
