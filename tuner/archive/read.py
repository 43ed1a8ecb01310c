"""Imports an archive into a database: checks all of it first, then writes it and makes it visible in one step."""

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
from pydantic import BaseModel
from tuner_storage import Location
from tuner_storage.opening import has_database
from tuner_storage.transfer import TABLES, Arrival, StudyValues, arriving, settle, taken

from tuner import studies
from tuner.archive.manifest import (
    EXPECTED,
    LARGEST,
    MANIFEST,
    MOST_TRIALS,
    ArchivedModel,
    ArchivedRefit,
    ArchivedTrial,
    ArchiveManifest,
    parse_manifest,
    portable_attributes,
)
from tuner.config.objectives import Direction, Objective
from tuner.config.recipe import parse_recipe
from tuner.config.texts import check_texts
from tuner.errors import RunError, UsageError
from tuner.memory import require_memory, sized
from tuner.paths import StrPath, user_path

_PARSED = 16  # bytes in memory for each byte of a large manifest, measured
_RATIO = 200  # of a manifest to its compressed size; those of real studies are below 30
_FREE = 2**20  # bytes of a manifest that may be packed in any ratio
_CHUNK = 2**20  # bytes
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
_HINT = "nothing was imported; export the study again"


def import_archive(file: StrPath, location: Location, name: str | None = None) -> tuple[str, ArchiveManifest]:
    """Import a study.

    Args:
        file: The archive.
        location: The database and its artifact folder; created if they do not exist.
        name: The name of the imported study; ``None`` keeps its name.

    Returns:
        The name of the imported study, and the manifest of the archive.

    Raises:
        UsageError: If the file is not an archive that this version reads, or a study has that name already.
        RunError: If a model differs from the one that was exported.
        StorageError: If the database cannot be written.
    """
    file = user_path(file)
    with _open(file) as archive:
        manifest = _read_manifest(archive, file)
        chosen = studies.check_name(manifest.study.name if name is None else name)
        source = f"the recipe in {file}"
        check_texts(manifest.study.recipe, source)
        objective = parse_recipe(manifest.study.recipe, source).objective
        trials = [_trial(trial, file, len(objective.names)) for trial in manifest.trials]
        for model in manifest.files:
            _copy(archive, model, file, None)
        if has_database(location):
            with studies.opened(location) as store:
                if chosen in optuna.get_all_study_names(store.optuna):
                    raise taken(chosen)
        try:
            _write(_Source(archive, manifest, file, objective), trials, location, chosen)
        except OSError as error:
            raise RunError(f"'{chosen}' cannot be imported: {error.strerror or error}", hint=_HINT) from error
    return chosen, manifest


@dataclass(frozen=True, slots=True)
class _Source:
    """An archive that has been checked."""

    archive: zipfile.ZipFile
    manifest: ArchiveManifest
    file: Path
    objective: Objective

    @property
    def directions(self) -> list[Direction]:
        """The direction of every objective; the manifest holds the first one."""
        return [self.manifest.study.direction, *self.objective.directions[1:]]


def _write(source: _Source, trials: list[FrozenTrial], location: Location, name: str) -> None:
    manifest = source.manifest
    with studies.opened(location, create=True) as store, arriving(store) as arrival:
        study = optuna.create_study(storage=store.optuna, study_name=arrival.name, directions=source.directions)
        for key, value in manifest.study.user_attrs.items():
            study.set_user_attr(key, value)
        for key, value in portable_attributes(manifest.study.system_attrs).items():
            store.optuna.set_study_system_attr(study._study_id, key, value)  # noqa: SLF001
        study.add_trials(trials)
        for model in manifest.files:
            _copy(source.archive, model, source.file, arrival)
        rows = {kind: map(BaseModel.model_dump, manifest.rows(kind)) for kind in TABLES}
        archived = manifest.study
        values = StudyValues(
            name=name,
            optuna_id=study._study_id,  # noqa: SLF001 - Optuna has no public name for it
            recipe=archived.recipe,
            data_fingerprint=archived.data_fingerprint,
            environment=archived.environment,
            created=archived.created,
        )
        settle(store, arrival, values, rows)


def _open(file: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(file)
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(f"there is no file {file}", hint=EXPECTED) from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from None
    except (*_BROKEN, ValueError) as error:
        raise UsageError(f"{file} is not a complete archive: {error}", hint=EXPECTED) from None
    if any(entry.header_offset < 0 for entry in archive.infolist()):  # zipfile would seek to a negative position
        archive.close()
        raise UsageError(f"{file} is not a complete archive: a member begins before the file", hint=EXPECTED)
    return archive


def _read_manifest(archive: zipfile.ZipFile, file: Path) -> ArchiveManifest:
    """Return the manifest after checking that the archive holds exactly the files that it names."""
    entries = archive.infolist()
    if len(entries) > MOST_TRIALS:
        raise UsageError(f"{file} holds {len(entries):,} files, at most {MOST_TRIALS:,} are read", hint=EXPECTED)
    names = [entry.filename for entry in entries]
    if MANIFEST not in names:
        raise UsageError(f"{file} has no {MANIFEST}", hint=EXPECTED)
    if any(entry.flag_bits & 1 for entry in entries):
        raise UsageError(f"{file} is encrypted", hint=EXPECTED)
    text = _unpack(archive, archive.getinfo(MANIFEST), file)
    manifest = parse_manifest(text, str(file))
    expected = [MANIFEST, *(model.path for model in manifest.files)]
    if sorted(names) != sorted(expected):
        different = sorted(set(names) - set(expected)) or sorted(set(expected) - set(names)) or names
        raise UsageError(f"{file} does not hold the files that its manifest names: '{different[0]}'", hint=EXPECTED)
    # Models are not compressed, so their sizes add up to less than the size of the archive.
    for model in manifest.files:
        entry = archive.getinfo(model.path)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != model.size:
            raise RunError(
                f"'{model.path}' of {file} has {entry.file_size} bytes, {model.size} were exported",
                hint=_HINT,
            )
    if sum(model.size for model in manifest.files) > file.stat().st_size:
        raise RunError(f"the models of {file} are larger than the file", hint=_HINT)
    return manifest


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: Path) -> bytes:
    """Return the text of the manifest after checking its declared size."""
    if info.file_size > LARGEST:
        raise UsageError(
            f"the manifest of {file} has {sized(info.file_size)}, at most {sized(LARGEST)} are read", hint=EXPECTED
        )
    if info.file_size > max(_FREE, _RATIO * info.compress_size):
        raise UsageError(
            f"the manifest of {file} unpacks to {sized(info.file_size)}, {_RATIO} times its size in the archive",
            hint=EXPECTED,
        )
    require_memory(info.file_size * _PARSED, f"the manifest of {file}")
    try:
        with archive.open(info) as opened:
            return opened.read(info.file_size + 1)
    except _BROKEN as error:
        raise UsageError(f"the manifest of {file} is damaged: {error}", hint=EXPECTED) from None


def _copy(archive: zipfile.ZipFile, model: ArchivedModel | ArchivedRefit, file: Path, arrival: Arrival | None) -> None:
    """Read and check a model, but no more than its declared size; with ``arrival``, also write it there.

    Raises:
        RunError: If it differs from the model that was exported.
    """
    digest = hashlib.sha256()
    size = 0
    if arrival is None:
        target = Path(os.devnull)
    else:
        target = arrival.folder / model.path
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
        unchanged = size == model.size and digest.hexdigest() == model.sha256
    except _BROKEN:  # such as a wrong checksum in the zip file
        unchanged = False
    if not unchanged:
        raise RunError(f"checksum mismatch: '{model.path}' of {file} is not the model that was exported", hint=_HINT)


def _trial(trial: ArchivedTrial, file: Path, objectives: int) -> FrozenTrial:
    """Return a trial for Optuna, which checks its parameters and distributions."""
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
            distributions={name: json_to_distribution(json.dumps(raw)) for name, raw in trial.distributions.items()},
            user_attrs=trial.user_attrs,
            system_attrs=portable_attributes(trial.system_attrs),
            intermediate_values=trial.intermediate,
        )
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{file}: trial {trial.number}: {error}", hint=EXPECTED) from None
    moment = datetime.fromtimestamp(0)  # noqa: DTZ006 - Optuna's times have no time zone
    if trial.state != "WAITING":
        frozen.datetime_start = trial.started or trial.completed or moment
        frozen.datetime_complete = trial.completed or frozen.datetime_start
    return frozen
