"""Turn the best trial's model into a bundle: every format written, run again and compared, then moved into place."""

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

TOLERANCE = 1e-4  # of a probability, between a format and the original

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the manifest tells about a model and only its study knows.

    ``scale`` is what the model multiplies raw values with; ``metric``, ``direction`` and ``value`` are the objective;
    ``metrics`` are those of ``best_epoch`` (0-based), ``test`` holds ``loss`` and ``accuracy`` or is ``None``;
    ``columns`` names the input's columns where it is a table. ``refit`` tells that the model is not the trial's own but
    was trained again on more rows; ``test`` is then that of the refit.
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
    """Write a bundle that is either complete and checked, or absent.

    Args:
        model: A ``.keras`` file whose output is probabilities, shape ``(rows, classes)``.
        sha256: The checksum that the file had when it was trained.
        folder: Where the bundle goes.
        formats: Names of the table in :mod:`tuner.delivery.formats`.
        sample: Real raw rows for the comparison, shape ``(rows, *input shape)``, the model's input type.
        facts: What the study knows.
        force: Replace a bundle that is there already, after the new one is complete.
        on_step: Told in words what is done next.

    Raises:
        UsageError: If a format is unknown, cannot be written here, or the folder may not be replaced.
        DataError: If the sample does not fit the model.
        RunError: If the model's file is refused, a format does not run or differs by more than ``TOLERANCE``, or the
            disk refuses.
    """
    chosen = find_formats(formats)
    for known in chosen:
        known.require(writing=True)
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
            for known in chosen:
                on_step(f"writing and checking {known.name}")
                entries[known.name] = _write(known, loaded, staging, sample, expected)
            manifest = _manifest(facts, spec, entries, staging)
            (staging / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
            publish(staging, target, force=force)
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}", hint="choose another -o FOLDER") from error
    return manifest


def _load(model: Path, sha256: str, chosen: Sequence[Format]) -> tuple[Any, Runner]:
    """Return the Keras model to convert, and the one that the formats are compared with."""
    with silenced():
        import keras
    for known in chosen:
        known.require_backend(keras.config.backend())
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
            f"the model takes rows of shape {spec.shape}, {spec.dtype}, got {sample.shape}, {sample.dtype}",
            hint="the study's data changed since the model was trained",
        )


def _write(known: Format, model: Any, staging: Path, sample: Rows, expected: Probabilities) -> FormatEntry:
    """Write one format, load it again and compare it with the original."""
    path = staging / known.path
    try:
        with silenced():
            known.write(model, path)
    except OSError:
        raise
    except Exception as error:  # each converter has exceptions of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(f"cannot convert the model to {known.name}: {reason}", hint="leave this format away") from error
    got = load_runner(known, path)(sample)
    difference = float(np.max(np.abs(got - expected))) if got.shape == expected.shape else float("inf")
    if not difference <= TOLERANCE:
        raise RunError(
            f"format '{known.name}' differs from the original by {difference:.2g}, allowed is {TOLERANCE:g}",
            hint="leave this format away; nothing was written",
        )
    return FormatEntry(path=known.path, max_difference=difference)


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
