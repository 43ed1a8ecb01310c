"""Writes a study as an archive: one zip file with a manifest and the kept models."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial, TrialState
from tuner_storage.transfer import read_rows

from tuner.archive.manifest import (
    LARGEST,
    MANIFEST,
    MOST_TRIALS,
    REFIT,
    ArchivedStudy,
    ArchivedTrial,
    ArchiveManifest,
    model_name,
    portable_attributes,
)
from tuner.documents import check_size
from tuner.errors import UsageError
from tuner.memory import sized
from tuner.output_file import OutputFile
from tuner.records import Outcome
from tuner.studies import StoredStudy

_INTERRUPTED = "left behind by an archive"
_DATE = (1980, 1, 1, 0, 0, 0)  # a fixed date: the same study gives the same bytes


@dataclass(frozen=True, slots=True)
class Written:
    """The contents of an archive.

    Attributes:
        study: The study's name.
        trials: How many trials it has.
        models: How many models are in the archive.
        size: The size of the archive in bytes.
        left_out: The trials whose model is missing or damaged on disk.
        refit: Whether the refit is in the archive. ``False`` if its file is missing or damaged, ``None`` if the study
            has no refit.
    """

    study: str
    trials: int
    models: int
    size: int
    left_out: tuple[int, ...]
    refit: bool | None = None


def write_archive(stored: StoredStudy, output: OutputFile) -> Written:
    """Write a study with its models. It may be running: trials that have not ended are stored as waiting.

    Args:
        stored: The study.
        output: The archive to write.

    Raises:
        UsageError: If the archive must not be written.
        RunError: If the archive cannot be written.
    """
    manifest = describe(stored)
    rows = read_rows(stored.store.database, stored.record.id)
    sources = {model_name(row["trial_number"]): row["path"] for row in rows["models"]}
    sources.update((REFIT, row["path"]) for row in rows["refits"])
    artifacts, intact = stored.store.artifacts, set()
    with output.file() as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            for model in manifest.files:
                # It may have been dropped in the meantime.
                kept = model.model_copy(update={"path": sources.get(model.path, model.path)})
                if source := artifacts.intact(kept):
                    _add(archive, model.path, source)
                    intact.add(model.path)
            models = tuple(model for model in manifest.models if model.path in intact)
            refit = manifest.refit if REFIT in intact else None
            complete = manifest.model_copy(update={"models": models, "refit": refit})
            text = complete.to_json().encode()
            _check_size(manifest, text)
            archive.writestr(zipfile.ZipInfo(MANIFEST, _DATE), text, zipfile.ZIP_DEFLATED)
        size = temporary.stat().st_size
    return Written(
        manifest.study.name,
        trials=len(manifest.trials),
        models=len(models),
        size=size,
        left_out=tuple(sorted(model.trial_number for model in manifest.models if model.path not in intact)),
        refit=None if manifest.refit is None else refit is not None,
    )


def _check_size(manifest: ArchiveManifest, text: bytes) -> None:
    """Refuse to write what the import would refuse to read."""
    trials = len(manifest.trials)
    problem = f"it has {trials:,} trials, at most {MOST_TRIALS:,} are read again" if trials > MOST_TRIALS else None
    if len(text) > LARGEST:
        problem = f"its trials and epochs take {sized(len(text))}, at most {sized(LARGEST)} are read again"
    try:
        check_size(text)
    except ValueError as error:
        problem = str(error)
    if problem is not None:
        raise UsageError(
            f"'{manifest.study.name}' is too large for an archive: {problem}",
            hint="copy the whole database instead: tuner storage backup FILE",
        )


def describe(stored: StoredStudy) -> ArchiveManifest:
    """Return the manifest of a study in its present state."""
    trials = stored.study.get_trials(deepcopy=False)  # read first: newer rows in our tables are left out
    rows = read_rows(stored.store.database, stored.record.id)
    ended = {trial.number for trial in trials if trial.state.is_finished()}
    complete = {trial.number for trial in trials if trial.state == TrialState.COMPLETE}
    numbers = range(len(trials))
    study, record = stored.study, stored.record
    system_attrs = study._storage.get_study_system_attrs(study._study_id)  # noqa: SLF001 - Optuna has no public method
    raw = {
        "study": ArchivedStudy(
            name=study.study_name,
            direction="maximize" if stored.recipe.objective.maximize else "minimize",
            recipe=dict(record.recipe),
            data_fingerprint=record.data_fingerprint,
            environment=dict(record.environment),
            created=record.created,
            user_attrs=portable_attributes(study.user_attrs),
            system_attrs=portable_attributes(system_attrs),
        ),
        "trials": [_trial(trial) for trial in trials],
        "epochs": [row for row in rows["epochs"] if row["trial_number"] in ended],
        "attempts": [_attempt(row, ended) for row in rows["attempts"] if row["trial_number"] in numbers],
        "runs": rows["runs"],
        "models": [
            {**row, "path": model_name(row["trial_number"])}
            for row in rows["models"]
            if row["trial_number"] in complete
        ],
        "data": next(iter(rows["data"]), None),
        "assessment": next(iter(rows["assessments"]), None),
        "refit": next(({**row, "path": REFIT} for row in rows["refits"] if row["trial_number"] in complete), None),
    }
    return ArchiveManifest.model_validate(raw)


def _trial(trial: FrozenTrial) -> ArchivedTrial:
    ended = trial.state.is_finished()
    values: Sequence[float] | None = trial.values if ended else None
    return ArchivedTrial(
        number=trial.number,
        state=trial.state.name if ended else "WAITING",
        values=None if values is None else tuple(values),
        started=trial.datetime_start if ended else None,
        completed=trial.datetime_complete,
        params=trial.params,
        distributions={name: json.loads(distribution_to_json(value)) for name, value in trial.distributions.items()},
        user_attrs=trial.user_attrs,
        system_attrs=portable_attributes(trial.system_attrs),
        intermediate=trial.intermediate_values if ended else {},
    )


def _attempt(row: Mapping[str, Any], ended: set[int]) -> dict[str, Any]:
    """Return an attempt; if its trial has not ended, the attempt becomes interrupted."""
    if row["trial_number"] in ended or row["outcome"] == Outcome.INTERRUPTED:
        return dict(row)
    return {**row, "outcome": str(Outcome.INTERRUPTED), "reason": _INTERRUPTED, "ended": row["ended"] or row["started"]}


def _add(archive: zipfile.ZipFile, name: str, source: Path) -> None:
    with source.open("rb") as read, archive.open(zipfile.ZipInfo(name, _DATE), "w") as written:
        shutil.copyfileobj(read, written)
