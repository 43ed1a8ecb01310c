"""Bring an archive into a database: everything is checked first, and then all of it appears at once."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import optuna
from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from storage import Location
from storage.opening import has_database
from storage.transfer import TABLES, Arrival, StudyValues, arriving, settle, taken
from tuner import studies
from tuner.archive.manifest import (
    EXPECTED,
    MANIFEST,
    ArchivedModel,
    ArchivedRefit,
    ArchivedTrial,
    ArchiveManifest,
    carried,
    parse_manifest,
)
from tuner.config.objectives import Direction, Objective
from tuner.config.recipe import parse_recipe
from tuner.errors import RunError, UsageError

MAX_MANIFEST = 256 * 2**20  # bytes; ten thousand trials of a hundred epochs have less
_CHUNK = 2**20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
_UNTOUCHED = "nothing was imported; export the study again"


def read_archive(file: Path, location: Location, name: str | None = None) -> tuple[str, ArchiveManifest]:
    """Import a study; returns the name that it has here, and what the archive said.

    Raises:
        UsageError: If the file is no archive that this version reads, or there is a study of that name.
        RunError: If a model is not the one that was exported.
        StorageError: If the database cannot be written.
    """
    with _opened(file) as archive:
        manifest = _manifest(archive, file)
        chosen = studies.check_name(manifest.study.name if name is None else name)
        objective = parse_recipe(manifest.study.recipe, f"the recipe in {file}").objective
        trials = [_trial(trial, file, len(objective.names)) for trial in manifest.trials]
        for model in manifest.files:
            _copy(archive, model, file, None)
        if has_database(location):
            with studies.opened(location) as store:
                if chosen in optuna.get_all_study_names(store.optuna):
                    raise taken(chosen)
        try:
            _bring_in(_Source(archive, manifest, file, objective), trials, location, chosen)
        except OSError as error:
            raise RunError(f"'{chosen}' cannot be imported: {error.strerror or error}", hint=_UNTOUCHED) from error
    return chosen, manifest


@dataclass(frozen=True, slots=True)
class _Source:
    """An archive that was checked."""

    archive: zipfile.ZipFile
    manifest: ArchiveManifest
    file: Path
    objective: Objective

    @property
    def directions(self) -> list[Direction]:
        """Of every objective; the manifest tells that of the first one."""
        return [self.manifest.study.direction, *self.objective.directions[1:]]


def _bring_in(source: _Source, trials: list[FrozenTrial], location: Location, name: str) -> None:
    manifest = source.manifest
    with studies.opened(location, create=True) as store, arriving(store) as arrival:
        study = optuna.create_study(storage=store.optuna, study_name=arrival.name, directions=source.directions)
        for key, value in manifest.study.user_attrs.items():
            study.set_user_attr(key, value)
        for key, value in carried(manifest.study.system_attrs).items():
            store.optuna.set_study_system_attr(study._study_id, key, value)  # noqa: SLF001
        study.add_trials(trials)
        for model in manifest.files:
            _copy(source.archive, model, source.file, arrival)
        rows = {kind: [row.model_dump() for row in getattr(manifest, kind)] for kind in TABLES}
        told = manifest.study
        values = StudyValues(
            name=name,
            optuna_id=study._study_id,  # noqa: SLF001 - the only name Optuna has for the row
            recipe=told.recipe,
            data_fingerprint=told.data_fingerprint,
            environment=told.environment,
            created=told.created,
        )
        settle(store, arrival, values, rows)


def _opened(file: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(file)
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(f"there is no file {file}", hint=EXPECTED) from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None
    except (*_BROKEN, ValueError) as error:
        raise UsageError(f"{file} is no archive, or not all of one: {error}", hint=EXPECTED) from None
    if any(entry.header_offset < 0 for entry in archive.infolist()):  # zipfile would seek there
        archive.close()
        raise UsageError(f"{file} is no archive, or not all of one: a member begins before it", hint=EXPECTED)
    return archive


def _manifest(archive: zipfile.ZipFile, file: Path) -> ArchiveManifest:
    """Return the manifest, after checking that the archive holds it, its models, and nothing else."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if MANIFEST not in names:
        raise UsageError(f"{file} has no {MANIFEST}", hint=EXPECTED)
    described = archive.getinfo(MANIFEST)
    if described.file_size > MAX_MANIFEST:
        raise UsageError(
            f"the manifest of {file} has {described.file_size} bytes, at most {MAX_MANIFEST} are read", hint=EXPECTED
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise UsageError(f"{file} is encrypted", hint=EXPECTED)
    try:
        with archive.open(described) as opened:
            text = opened.read(described.file_size + 1)
    except _BROKEN as error:
        raise UsageError(f"the manifest of {file} is damaged: {error}", hint=EXPECTED) from None
    manifest = parse_manifest(text, str(file))
    expected = [MANIFEST, *(model.path for model in manifest.files)]
    if sorted(names) != sorted(expected):
        surplus = sorted(set(names) - set(expected)) or sorted(set(expected) - set(names)) or names
        raise UsageError(f"{file} does not hold the files that its manifest names: '{surplus[0]}'", hint=EXPECTED)
    # Models are stored as they are, so an archive cannot hold more than its own length.
    for model in manifest.files:
        entry = archive.getinfo(model.path)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != model.size:
            raise RunError(
                f"'{model.path}' of {file} has {entry.file_size} bytes, {model.size} were exported", hint=_UNTOUCHED
            )
    if sum(model.size for model in manifest.files) > file.stat().st_size:
        raise RunError(f"the models of {file} are larger than the file", hint=_UNTOUCHED)
    return manifest


def _copy(archive: zipfile.ZipFile, model: ArchivedModel | ArchivedRefit, file: Path, arrival: Arrival | None) -> None:
    """Read a model to its end, never beyond the size that was exported, and check it; write it where that is asked.

    Raises:
        RunError: If it is not the model that was exported.
    """
    digest = hashlib.sha256()
    size = 0
    target = Path(os.devnull) if arrival is None else arrival.folder / model.path
    target.parent.mkdir(exist_ok=True)
    try:
        with archive.open(model.path) as read, target.open("wb") as written:
            while size <= model.size and (chunk := read.read(_CHUNK)):
                size += len(chunk)
                digest.update(chunk)
                written.write(chunk)
            if arrival is not None:
                written.flush()
                os.fsync(written.fileno())
        same = size == model.size and digest.hexdigest() == model.sha256
    except _BROKEN:  # such as a checksum of the zip file itself
        same = False
    if not same:
        raise RunError(
            f"checksum mismatch: '{model.path}' of {file} is not the model that was exported", hint=_UNTOUCHED
        )


def _trial(trial: ArchivedTrial, file: Path, objectives: int) -> FrozenTrial:
    """Return one of Optuna's trials, checked by Optuna itself."""
    if trial.state == "COMPLETE" and len(trial.values or ()) != objectives:
        raise UsageError(
            f"{file}: trial {trial.number} has {len(trial.values or ())} values for {objectives} objectives",
            hint=EXPECTED,
        )
    try:
        frozen = create_trial(
            state=TrialState[trial.state],
            values=None if trial.values is None else list(trial.values),
            params=trial.params,
            distributions={name: json_to_distribution(json.dumps(each)) for name, each in trial.distributions.items()},
            user_attrs=trial.user_attrs,
            system_attrs=carried(trial.system_attrs),
            intermediate_values=trial.intermediate,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{file}: trial {trial.number}: {error}", hint=EXPECTED) from None
    moment = datetime.fromtimestamp(0)  # noqa: DTZ006 - Optuna's times have no zone
    if trial.state != "WAITING":
        frozen.datetime_start = trial.started or trial.completed or moment
        frozen.datetime_complete = trial.completed or frozen.datetime_start
    return frozen
