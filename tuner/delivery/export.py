"""Exports a model as a folder: writes each format, loads it again and compares it with the original."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from tuner import __version__
from tuner.config.table_settings import TableSettings
from tuner.data.schema import DataSchema, Standardisation
from tuner.delivery.checked_files import describe_files
from tuner.delivery.compare import check_as_trained, check_format, difference
from tuner.delivery.folder import check_target, publish, staging_folder
from tuner.delivery.formats import FORMATS, Format, Predictions, Rows, Runner, find_formats, load_runner
from tuner.delivery.fronts.description import COLUMNS, describe_columns
from tuner.delivery.manifest import (
    MANIFEST,
    MODEL_CARD,
    DataSource,
    FormatEntry,
    InputSpec,
    Manifest,
    ObjectiveValue,
    Refit,
    Versions,
)
from tuner.delivery.model_card import model_card
from tuner.delivery.table_formats import TableSample, write_table
from tuner.environment import backend, check_backend
from tuner.errors import DataError, RunError
from tuner.evaluation.assessment import Member
from tuner.evaluation.facts import ValidationFacts
from tuner.output_file import Places, refuse_protected
from tuner.records import Metrics, Params
from tuner.silence import silenced
from tuner.training.model_file import checked_copy, load_private
from tuner.training.runtime import import_backend, standard_keras

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The facts in a manifest that come from the study and not from the model file.

    Attributes:
        task: The kind of task, such as ``classification``.
        scale: The factor by which the model multiplies raw values.
        class_names: The names of the classes, in the order of the model's outputs.
        study: The study's name.
        trial: The trial's number.
        metric: The objective.
        direction: ``maximize`` or ``minimize``.
        value: The trial's value of the objective.
        params: The trial's hyperparameters, with fixed and default values.
        metrics: The metrics of ``best_epoch``.
        test: The metrics on the test split, or ``None``. With ``refit``, they are those of the refit.
        best_epoch: The trial's best epoch, 0-based.
        parameters: How many weights the model has.
        data: The data set's name.
        fingerprint: The data set's fingerprint.
        columns: The names of the input's columns, if they have names.
        table: The schema, if the model takes a table.
        settings: How a table was read and split.
        splits: How the rows were split, one line each.
        standard: How the model standardises raw values, if it does.
        refit: Set if the model is the refit of the trial and not the model of the trial itself.
        ensemble: The models that it averages, if there are several.
        validation: What the validation rows say of it, if that was measured.
        intervals: The 95 % intervals of ``test``, if they were measured.
    """

    task: str
    scale: float
    class_names: Sequence[str]
    study: str
    trial: int
    metric: str
    direction: Literal["maximize", "minimize"]
    value: float
    params: Params
    metrics: Metrics
    test: Metrics | None
    best_epoch: int
    parameters: int
    data: str
    fingerprint: str
    columns: Sequence[str] | None = None
    table: DataSchema | None = None
    settings: TableSettings | None = None
    splits: Sequence[str] = ()
    standard: Standardisation | None = None
    refit: Refit | None = None
    ensemble: tuple[Member, ...] = ()
    validation: ValidationFacts | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def export_model(
    model: Path,
    sha256: str,
    folder: Path,
    *,
    formats: Sequence[str],
    sample: Rows | TableSample,
    facts: ModelFacts,
    trained: Predictions | None = None,
    force: bool = False,
    protected: Places | None = None,
    on_step: Callable[[str], None] = _log.debug,
) -> Manifest:
    """Write an export folder; it is either complete and checked, or absent.

    Args:
        model: A ``.keras`` file whose output is probabilities, shape ``(rows, classes)``, or numbers, ``(rows, 1)``.
        sha256: The checksum that was recorded when the file was written.
        folder: Where to write the export.
        formats: Names of formats in :data:`tuner.delivery.formats.FORMATS`.
        sample: Raw rows for the comparison, shape ``(rows, *input shape)``, in the model's input type; or those of a
            table.
        facts: The facts from the study.
        trained: The model's predictions for the sample when it was trained, as the model returns them; ``None`` if they
            were not recorded.
        force: Replace an existing export once the new one is complete.
        protected: Files and folders in which no export is written.
        on_step: Called before each step, with a description of it.

    Raises:
        UsageError: If a format is unknown or cannot be written on this machine, or the folder may not be replaced.
        DataError: If the sample does not fit the model.
        RunError: If the model file is refused, a format does not run or differs by more than it may, or the folder
            cannot be written.
    """
    check_backend()
    chosen = find_formats(formats)
    for model_format in chosen:
        model_format.require(writing=True)
        model_format.require_backend(backend())
    target = folder.resolve()
    refuse_protected(folder, target, protected or {})
    check_target(target, force=force)
    with checked_copy(model, sha256) as copy:
        on_step("loading the model")
        loaded, reference = _load(copy)
    spec = _input_spec(loaded, facts)
    rows = sample.encoded if isinstance(sample, TableSample) else sample
    _check_sample(rows, spec)
    expected = reference(rows)
    if trained is not None:
        check_as_trained(expected, trained, facts.table)
    try:
        with staging_folder(target) as staging:
            entries = {}
            for model_format in chosen:
                on_step(f"writing and checking {model_format.name}")
                entries[model_format.name] = _write(model_format, loaded, staging, (sample, expected), facts.table)
            if facts.table is not None:
                (staging / COLUMNS).write_text(describe_columns(facts.table), encoding="utf-8")
            manifest = _manifest(facts, spec, entries, staging)
            (staging / MODEL_CARD).write_text(model_card(manifest, facts.splits), encoding="utf-8")
            (staging / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            publish(staging, target, force=force)
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}", hint="choose another -o FOLDER") from error
    return manifest


def _load(model: Path) -> tuple[Any, Runner]:
    """Return the Keras model to convert, and a runner of the same file, with which the formats are compared."""
    import_backend()
    reference = load_runner(FORMATS["keras"], model)
    with silenced(), standard_keras():
        return load_private(model), reference


def _input_spec(model: Any, facts: ModelFacts) -> InputSpec:
    return InputSpec(
        shape=tuple(model.input_shape[1:]),
        dtype=str(model.inputs[0].dtype),
        scale=facts.scale,
        standardised=facts.standard is not None,
        range=None if facts.standard is None else (facts.standard.smallest, facts.standard.largest),
        columns=None if facts.columns is None else tuple(facts.columns),
    )


def _check_sample(sample: Rows, spec: InputSpec) -> None:
    if sample.shape[1:] != spec.shape or sample.dtype != spec.dtype or not len(sample):
        raise DataError(
            f"the model expects rows of shape {spec.shape}, {spec.dtype}, got {sample.shape}, {sample.dtype}",
            hint="bring back the data that the study was trained on",
        )


def _write(
    model_format: Format,
    model: Any,
    staging: Path,
    compared: tuple[Rows | TableSample, Predictions],
    table: DataSchema | None,
) -> FormatEntry:
    """Write one format, load it again and compare its predictions for a sample with those of the original."""
    sample, expected = compared
    try:
        with silenced(), standard_keras():
            if isinstance(sample, TableSample):
                entry = write_table(model_format, model, staging, (sample, expected))
            else:
                entry = _write_arrays(model_format, model, staging, sample, expected)
    except (OSError, RunError):
        raise
    except Exception as error:  # each converter raises its own exceptions
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(
            f"cannot convert the model to {model_format.name}: {reason}", hint="leave out this format"
        ) from error
    check_format(model_format.name, entry.max_difference, table)
    return entry


def _write_arrays(model_format: Format, model: Any, staging: Path, sample: Rows, expected: Predictions) -> FormatEntry:
    path = staging / model_format.path
    model_format.write(model, path)
    found = difference(load_runner(model_format, path)(sample), expected, None)
    return FormatEntry(path=model_format.path, max_difference=found)


def _manifest(facts: ModelFacts, spec: InputSpec, entries: dict[Any, FormatEntry], staging: Path) -> Manifest:
    return Manifest(
        task=facts.task,
        input=spec,
        class_names=tuple(facts.class_names),
        table=facts.table,
        study=facts.study,
        trial=facts.trial,
        objective=ObjectiveValue(name=facts.metric, direction=facts.direction, value=facts.value),
        params=dict(facts.params),
        metrics=dict(facts.metrics),
        test=None if facts.test is None else dict(facts.test),
        intervals=dict(facts.intervals),
        best_epoch=facts.best_epoch,
        parameters=facts.parameters,
        refit=facts.refit,
        ensemble=facts.ensemble,
        validation=facts.validation,
        data=DataSource(name=facts.data, fingerprint=facts.fingerprint, table=facts.settings),
        versions=Versions(
            tuner=__version__,
            keras=version("keras"),
            tensorflow=version("tensorflow"),
            numpy=version("numpy"),
            python=platform.python_version(),
        ),
        created=datetime.now(UTC).replace(microsecond=0),
        formats=entries,
        files=describe_files(staging),
    )
