"""Exports a model as a folder: writes each format, loads it again and compares it with the original."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tuner.delivery.folder import check_target, publish, staging_folder
from tuner.delivery.formats import FORMATS, Format, Probabilities, Rows, Runner, find_formats, load_runner
from tuner.delivery.manifest import (
    MANIFEST,
    DataSource,
    FormatEntry,
    InputSpec,
    Manifest,
    ObjectiveValue,
    Refit,
    TestMetrics,
    Versions,
    describe_files,
)
from tuner.errors import DataError, RunError
from tuner.records import Metrics, Params
from tuner.silence import silenced
from tuner.training.model_file import check_model, load_model

TOLERANCE = 1e-4  # largest difference of a probability between a format and the original model

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
        test: ``loss`` and ``accuracy`` on the test split, or ``None``. With ``refit``, they are those of the refit.
        best_epoch: The trial's best epoch, 0-based.
        parameters: How many weights the model has.
        data: The data set's name.
        fingerprint: The data set's fingerprint.
        columns: The names of the input's columns, if the input is a table.
        refit: Set if the model is the refit of the trial and not the model of the trial itself.
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
    refit: Refit | None = None


def export_model(
    model: Path,
    sha256: str,
    folder: Path,
    *,
    formats: Sequence[str],
    sample: Rows,
    facts: ModelFacts,
    force: bool = False,
    on_step: Callable[[str], None] = _log.debug,
) -> Manifest:
    """Write an export folder; it is either complete and checked, or absent.

    Args:
        model: A ``.keras`` file whose output is probabilities, shape ``(rows, classes)``.
        sha256: The checksum that was recorded when the file was written.
        folder: Where to write the export.
        formats: Names of formats in :data:`tuner.delivery.formats.FORMATS`.
        sample: Raw rows for the comparison, shape ``(rows, *input shape)``, in the model's input type.
        facts: The facts from the study.
        force: Replace an existing export once the new one is complete.
        on_step: Called before each step, with a description of it.

    Raises:
        UsageError: If a format is unknown or cannot be written on this machine, or the folder may not be replaced.
        DataError: If the sample does not fit the model.
        RunError: If the model file is refused, a format does not run or differs by more than ``TOLERANCE``, or the
            folder cannot be written.
    """
    chosen = find_formats(formats)
    for model_format in chosen:
        model_format.require(writing=True)
    target = folder.resolve()
    check_target(target, force=force)
    check_model(model, sha256)
    on_step("loading the model")
    loaded, reference = _load(model, sha256, chosen)
    spec = _input_spec(loaded, facts)
    _check_sample(sample, spec)
    expected = reference(sample)
    try:
        with staging_folder(target) as staging:
            entries = {}
            for model_format in chosen:
                on_step(f"writing and checking {model_format.name}")
                entries[model_format.name] = _write(model_format, loaded, staging, sample, expected)
            manifest = _manifest(facts, spec, entries, staging)
            (staging / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            publish(staging, target, force=force)
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}", hint="choose another -o FOLDER") from error
    return manifest


def _load(model: Path, sha256: str, chosen: Sequence[Format]) -> tuple[Any, Runner]:
    """Return the Keras model to convert, and a runner of the same file, with which the formats are compared."""
    with silenced():
        import keras
    for model_format in chosen:
        model_format.require_backend(keras.config.backend())
    reference = load_runner(FORMATS["keras"], model)
    with silenced():
        return load_model(model, sha256), reference


def _input_spec(model: Any, facts: ModelFacts) -> InputSpec:
    return InputSpec(
        shape=tuple(model.input_shape[1:]),
        dtype=str(model.inputs[0].dtype),
        scale=facts.scale,
        columns=None if facts.columns is None else tuple(facts.columns),
    )


def _check_sample(sample: Rows, spec: InputSpec) -> None:
    if sample.shape[1:] != spec.shape or sample.dtype != spec.dtype or not len(sample):
        raise DataError(
            f"the model expects rows of shape {spec.shape}, {spec.dtype}, got {sample.shape}, {sample.dtype}",
            hint="bring back the data that the study was trained on",
        )


def _write(model_format: Format, model: Any, staging: Path, sample: Rows, expected: Probabilities) -> FormatEntry:
    """Write one format, load it again and compare it with the original."""
    path = staging / model_format.path
    try:
        with silenced():
            model_format.write(model, path)
    except OSError:
        raise
    except Exception as error:  # each converter raises its own exceptions
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(
            f"cannot convert the model to {model_format.name}: {reason}", hint="leave out this format"
        ) from error
    actual = load_runner(model_format, path)(sample)
    difference = float(np.max(np.abs(actual - expected))) if actual.shape == expected.shape else float("inf")
    if not difference <= TOLERANCE:  # also true for NaN
        raise RunError(
            f"format '{model_format.name}' differs from the original by {difference:.2g}, allowed is {TOLERANCE:g}",
            hint="nothing was written; leave out this format",
        )
    return FormatEntry(path=model_format.path, max_difference=difference)


def _manifest(facts: ModelFacts, spec: InputSpec, entries: dict[Any, FormatEntry], staging: Path) -> Manifest:
    test = facts.test
    return Manifest(
        task=facts.task,
        input=spec,
        class_names=tuple(facts.class_names),
        study=facts.study,
        trial=facts.trial,
        objective=ObjectiveValue(name=facts.metric, direction=facts.direction, value=facts.value),
        params=dict(facts.params),
        metrics=dict(facts.metrics),
        test=None if test is None else TestMetrics(loss=test["loss"], accuracy=test["accuracy"]),
        best_epoch=facts.best_epoch,
        parameters=facts.parameters,
        refit=facts.refit,
        data=DataSource(name=facts.data, fingerprint=facts.fingerprint),
        versions=Versions(
            tuner=version("tuner"),
            keras=version("keras"),
            tensorflow=version("tensorflow"),
            numpy=version("numpy"),
            python=platform.python_version(),
        ),
        created=datetime.now(UTC).replace(microsecond=0),
        formats=entries,
        files=describe_files(staging),
    )
