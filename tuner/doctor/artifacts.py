"""Checks the artifacts: the files that rows refer to are intact, and a row refers to every file."""

from __future__ import annotations

from collections.abc import Sequence

from rich.filesize import decimal
from tuner_storage import Location
from tuner_storage.artifact_places import open_artifacts
from tuner_storage.artifacts import Artifacts
from tuner_storage.engine import Database
from tuner_storage.findings import NamedFile, holders, imports, named_elsewhere, named_files

from tuner.command_line import command
from tuner.doctor.checks import Examination
from tuner.errors import StorageError
from tuner.report.text import count
from tuner.results import restore


def examine_artifacts(database: Database, examination: Examination, *, quick: bool, fix: bool) -> None:
    """Check every artifact, and with ``fix`` remove the files that no row refers to."""
    folder = database.location.artifacts
    try:
        artifacts = open_artifacts(database)
        _check_files(database, artifacts, examination, quick=quick)
        _check_leftovers(database, artifacts, examination, fix=fix)
    except StorageError as error:
        examination.add("files", "problem", str(error), error.hint)
    except OSError as error:
        examination.add("files", "problem", f"{error.filename or folder} cannot be read: {error.strerror}")


def _check_files(database: Database, artifacts: Artifacts, examination: Examination, *, quick: bool) -> None:
    named = named_files(database)
    faults = {file: fault for file in named if (fault := _fault(artifacts, file, quick=quick))}
    # A run may have removed or replaced some of them in the meantime, so the rows are read again.
    wrong = [faults[file] for file in named_files(database) if file in faults] if faults else []
    if wrong:
        message = f"{len(wrong)} of {count(len(named), 'file')} in {artifacts.place} cannot be used"
        if database.location.is_server and not artifacts.is_shared:
            hint = "they may be on the machine that trained them: run the doctor there, or name its folder with --home"
            examination.add("files", "warning", message, hint, wrong)
        else:
            examination.add("files", "problem", message, _way_back([file for file in named if file in faults]), wrong)
    else:
        state = "exist" if quick else "are intact"
        size = decimal(sum(file.size for file in named))
        examination.add("files", "ok", f"{count(len(named), 'file')} in {artifacts.place} {state}, {size}")


def _way_back(wrong: Sequence[NamedFile]) -> str:
    """Say what brings lost files back: a copy of the folder, training a model again, or the next run of the study."""
    models = [file for file in wrong if file.kind == "model"]
    if models:
        first = restore.restoring(models[0].study, models[0].number)
        return f"restore the files from a copy, or train each model again: {first}"
    studies = dict.fromkeys(file.study for file in wrong)
    return f"the next run trains them again: {' and '.join(command('study start', study) for study in studies)}"


def _fault(artifacts: Artifacts, file: NamedFile, *, quick: bool) -> str | None:
    """Describe what is wrong with a file, or return ``None``."""
    fault = artifacts.fault(file, quick=quick)
    return None if fault is None else f"{file.kind} of trial {file.number} of '{file.study}': {file.path} {fault}"


def _check_leftovers(database: Database, artifacts: Artifacts, examination: Examination, *, fix: bool) -> None:
    location, place = database.location, artifacts.place
    present = dict(artifacts.files())
    # The order matters: if the run of a file has ended by now, its row was committed before the rows are read below.
    busy = {holder.study_id for holder in holders(database) if holder.live}
    if any(unfinished.live for unfinished in imports(database)):
        examination.add(
            "leftovers", "warning", "a study is being imported", f"run {command('doctor')} again after the import"
        )
        return
    named = {file.path for file in named_files(database)} | _named_by_other_databases(location)
    surplus = [path for path in present if path not in named and Artifacts.study_of(path) not in busy]
    if not surplus:
        examination.add("leftovers", "ok", f"a row refers to every file in {place}")
        return
    lines = [f"{path} ({present[path]} bytes)" for path in surplus]
    if not artifacts.is_shared and not _is_own_folder(location):
        examination.add(
            "leftovers",
            "warning",
            f"{count(len(surplus), 'file')} in {place} that this database does not refer to",
            "another database may use the folder too: if none does, remove them by hand",
            lines,
        )
    elif fix:
        _remove(artifacts, surplus, examination)
    else:
        examination.add(
            "leftovers",
            "warning",
            f"{count(len(surplus), 'file')} in {place} that no row refers to",
            command("doctor", fix=True),
            lines,
        )


def _is_own_folder(location: Location) -> bool:
    """Return whether the folder is beside the database, so that only databases beside them can use it too."""
    return not location.is_server and location.artifacts.parent.absolute() == location.file.parent.absolute()


def _named_by_other_databases(location: Location) -> set[str]:
    """Return the paths in other databases nearby: they may share the folder, or be a copy that is restored later."""
    home = location.artifacts.parent
    if location.is_server:
        return named_elsewhere([home], None)
    return named_elsewhere([home, location.file.parent], location.file)


def _remove(artifacts: Artifacts, surplus: list[str], examination: Examination) -> None:
    removed = []
    for path in surplus:
        try:
            artifacts.discard(path)
        except (OSError, StorageError) as error:
            reason = getattr(error, "strerror", None) or error
            examination.add("leftovers", "problem", f"{artifacts.place}/{path} cannot be removed: {reason}")
            continue
        removed.append(path)
    examination.removed += [f"{artifacts.place}/{path}" for path in removed]
    if removed:
        examination.add(
            "leftovers", "ok", f"{count(len(removed), 'file')} that no row refers to: removed", cases=removed
        )
