"""Exports a trial or the ensemble of a study: finds the model files and collects the facts for the manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from tuner_storage.copies import KeptModel, KeptRefit

from tuner.command_line import command
from tuner.config.recipe import Recipe
from tuner.data.settle import SettledData, unpack
from tuner.delivery.export import ModelFacts, export_model
from tuner.delivery.manifest import Manifest, Refit
from tuner.delivery.table_formats import TableSample
from tuner.errors import RunError, UsageError
from tuner.events import ModelFile
from tuner.files import private_folder
from tuner.jobs import Candidate
from tuner.results import restore
from tuner.results.exported import read_evaluation
from tuner.results.trials import TrialResult
from tuner.studies import StoredStudy


def export_trial(
    stored: StoredStudy,
    trial: TrialResult,
    data: SettledData,
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
        data: What the study stores of its data: schema, and rows on which every format is checked.
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
    artifacts = stored.store.artifacts
    path = None if artifacts.find(model.path) is None else artifacts.path(model)
    if path is None or not path.exists():
        name = stored.study.study_name
        again = command("study start", name) if refit_model else restore.restoring(name, trial.number)
        raise RunError(
            f"the model of trial {trial.number} of '{name}' is missing: {model.path}", hint=f"train it again: {again}"
        )
    evaluation = read_evaluation(stored, trial.number, refit=refit)
    measured = {} if evaluation is None else evaluation.intervals
    facts = replace(
        _facts(stored, trial, data),
        test=model.test,
        intervals={name: measured[name] for name in model.test or () if name in measured},
    )
    assessment = stored.assessment
    if refit_model is not None:
        facts = replace(facts, refit=Refit(epochs=refit_model.epochs, rows=refit_model.rows))
    elif assessment is not None and assessment.candidates[0] == trial.number:
        facts = replace(facts, validation=assessment.single.validation, intervals=assessment.single.intervals)
    trained = _outputs(model, data.schema.outputs)
    file = ModelFile(path, model.sha256, model.size)
    return _export(
        stored, data, file, folder, formats=formats, facts=facts, trained=trained, force=force, on_step=on_step
    )


def export_ensemble(
    stored: StoredStudy,
    trial: TrialResult,
    data: SettledData,
    folder: Path,
    formats: Sequence[str],
    *,
    force: bool,
    on_step: Callable[[str], None],
) -> Manifest:
    """Export one model that averages the members of the study's ensemble. The other arguments are as above.

    Args:
        stored: The study.
        trial: Its winner.
        data: What the study stores of its data.
        folder: As for :func:`export_model`.
        formats: As for :func:`export_model`.
        force: As for :func:`export_model`.
        on_step: As for :func:`export_model`.

    Raises:
        UsageError: If the study has no ensemble of several models, or a member is not kept.
        RunError: If a member was changed, or a format cannot be written or differs from the original.
    """
    from tuner.training.average_model import save_average
    from tuner.training.runtime import import_backend

    name, assessment = stored.study.study_name, stored.assessment
    if assessment is None or assessment.ensemble is None:
        raise UsageError(
            f"study '{name}' has no ensemble",
            hint="an average of its models was no better than the best one"
            if assessment is not None
            else f"select one at the end of a run: {command('study start', name, ensemble=8)}",
        )
    kept = stored.store.models(stored.record.id)
    lost = [member.number for member in assessment.members if member.number not in kept]
    if lost:
        raise UsageError(
            f"trial {lost[0]} is in the ensemble of '{name}', but its model is not kept",
            hint=f"select the ensemble anew: {command('study start', name)}",
        )
    find = stored.store.artifacts.path
    members = [Candidate(m.number, find(kept[m.number]), kept[m.number].sha256) for m in assessment.members]
    measured = assessment.ensemble
    facts = replace(
        _facts(stored, trial, data),
        ensemble=assessment.members,
        validation=measured.validation,
        value=measured.value,
        metrics={f"val_{metric}": value for metric, value in measured.validation.metrics.items()},
        test=measured.test,
        intervals=measured.intervals,
        parameters=measured.parameters,
    )
    import_backend()
    on_step(f"averaging {len(members)} models")
    with private_folder(folder) as private:
        file = save_average(members, [member.weight for member in assessment.members], private / "average.keras")
        return _export(stored, data, file, folder, formats=formats, facts=facts, force=force, on_step=on_step)


def _facts(stored: StoredStudy, trial: TrialResult, data: SettledData) -> ModelFacts:
    if trial.value is None or trial.best_epoch is None or trial.parameters is None:
        raise UsageError(f"trial {trial.number} is not complete")
    recipe, schema = stored.recipe, data.schema
    return ModelFacts(
        task=schema.task.name,
        scale=schema.scale,
        standard=schema.standard,
        columns=schema.columns,
        table=schema if schema.kind == "table" else None,
        settings=recipe.table,
        splits=_splits(recipe),
        class_names=schema.classes,
        study=stored.study.study_name,
        trial=trial.number,
        metric=recipe.objective.metric,
        direction=recipe.objective.direction,
        value=trial.value,
        params=trial.all_params,
        metrics=trial.metrics,
        test=None,
        best_epoch=trial.best_epoch,
        parameters=trial.parameters,
        data=recipe.data,
        fingerprint=stored.record.data_fingerprint,
    )


def _export(stored: StoredStudy, data: SettledData, file: ModelFile, folder: Path, **rest: Any) -> Manifest:
    raw = data.raw_sample
    return export_model(
        file.path,
        file.sha256,
        folder,
        sample=data.sample if raw is None else TableSample(data.schema, data.sample, raw),
        protected=stored.store.database.location.protected,
        **rest,
    )


def _splits(recipe: Recipe) -> list[str]:
    """Return how the rows were split, one line each."""
    size = f"{recipe.validation:.0%} of the training rows" if recipe.validation < 1 else f"{recipe.validation:g} rows"
    table = recipe.table
    how = "the last ones" if recipe.split_seed == "last" else "drawn at random"
    if table is None:
        return [f"validation: {size}, {how}"]
    if table.time is not None:
        how = f"the last ones by the column '{table.time}'"
    elif table.group is not None:
        how = f"whole groups of the column '{table.group}', drawn at random"
    if isinstance(table.test, str):
        return [f"validation: {size}, {how}", f"test: the file {table.test}"]
    share = "some" if table.test is None else f"{table.test:.0%}"
    return [f"validation: {size}, {how}", f"test: {share} of the rows, {how}"]


def _outputs(model: KeptModel | KeptRefit, outputs: int) -> NDArray[Any] | None:
    """Return the model's predictions when it was trained, or ``None`` if an older version trained it."""
    try:
        return None if model.outputs is None else unpack(model.outputs, "float32", (outputs,))
    except ValueError as error:
        raise RunError(f"the stored outputs of trial {model.number} are damaged: {error}") from None


def _model(stored: StoredStudy, trial: TrialResult) -> KeptModel:
    kept = stored.store.models(stored.record.id)
    if trial.number not in kept:
        raise UsageError(
            f"the model of trial {trial.number} is not kept",
            hint=f"trials with a kept model: {', '.join(str(number) for number in sorted(kept)) or 'none'}; to train "
            f"this one again: {restore.restoring(stored.study.study_name, trial.number)}",
        )
    return kept[trial.number]


def _refit(stored: StoredStudy, trial: TrialResult) -> KeptRefit:
    kept = stored.store.refit(stored.record.id)
    if kept is None:
        raise UsageError(
            f"no trial of '{stored.study.study_name}' was trained again on all rows",
            hint=command("study start", stored.study.study_name, refit=True),
        )
    if kept.number != trial.number:
        raise UsageError(
            f"trial {trial.number} was not trained again on all rows, trial {kept.number} was",
            hint=f"export trial {kept.number}, or trial {trial.number} without the refit: --no-refit",
        )
    return kept
