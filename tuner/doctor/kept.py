"""The artifact folder: is every file that a row names there and whole, and does a row name every file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from storage import Location
from storage.engine import Database
from storage.findings import NamedFile, holders, imports, named_elsewhere, named_files
from tuner.doctor.findings import Examination, count
from tuner.errors import StorageError
from tuner.files import sha256_of

# What we write there: other files are somebody's, and are neither named nor touched.
_OURS = re.compile(r"study-(\d{5,})/.+|\.import-[0-9a-f]{32}/.+|\.[^/]*\.\d+\.tmp[^/]*")


def examine_files(database: Database, found: Examination, *, quick: bool, fix: bool) -> None:
    """Examine every model and checkpoint, and with ``fix`` remove those that nothing refers to."""
    folder = database.location.artifacts
    try:
        _named_files(database, found, quick=quick)
        _others(database, found, fix=fix)
    except StorageError as error:
        found.add("files", "problem", str(error), error.hint)
    except OSError as error:
        found.add("files", "problem", f"{error.filename or folder} cannot be read: {error.strerror}")


def _named_files(database: Database, found: Examination, *, quick: bool) -> None:
    folder = database.location.artifacts
    named = named_files(database)
    faults = {file: line for file in named if (line := _fault(folder, file, quick=quick))}
    # A run may have let go of some, or replaced them, since they were looked up.
    wrong = [faults[file] for file in named_files(database) if file in faults] if faults else []
    if wrong:
        said = f"{len(wrong)} of {count(len(named), 'file')} in {folder} cannot be used"
        if database.location.is_server:
            hint = "they may be on the machine that trained them: look there, or name its folder with --home"
            found.add("files", "warning", said, hint, wrong)
        else:
            hint = "bring the folder back from a copy; every other trial can be exported"
            found.add("files", "problem", said, hint, wrong)
    else:
        looked = "are there" if quick else "are whole"
        found.add("files", "ok", f"{count(len(named), 'file')} in {folder} {looked}")


def _fault(folder: Path, file: NamedFile, *, quick: bool) -> str | None:
    which = f"{file.kind} of trial {file.number} of '{file.study}': {file.path}"
    path = folder / file.path
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"{which} has {size} bytes, {file.size} were written"
        return None if quick or sha256_of(path) == file.sha256 else f"{which} was changed (SHA-256)"
    except FileNotFoundError:
        return f"{which} is missing"
    except OSError as error:
        return f"{which} cannot be read: {error.strerror}"


def _others(database: Database, found: Examination, *, fix: bool) -> None:
    location = database.location
    there = list(_files(location.artifacts))
    # In this order: whatever was there and is of no live run by now has its row by now, if it ever gets one.
    busy = {holder.study_id for holder in holders(database) if holder.live}
    if any(each.live for each in imports(database)):
        found.add("leftovers", "warning", "a study is being imported", "look again when that is done: tuner doctor")
        return
    known = {file.path for file in named_files(database)} | _named_by_neighbours(location)
    surplus = [path for path in there if path not in known and _study_of(path) not in busy]
    if not surplus:
        found.add("leftovers", "ok", f"a row names every file in {location.artifacts}")
        return
    lines = [f"{path} ({(location.artifacts / path).stat().st_size} bytes)" for path in surplus]
    if not _stands_alone(location):
        found.add(
            "leftovers",
            "warning",
            f"{count(len(surplus), 'file')} in {location.artifacts} that this database does not name",
            "another database may use the folder too: remove them by hand if none does",
            lines,
        )
    elif fix:
        _remove(location.artifacts, surplus, found)
    else:
        found.add(
            "leftovers",
            "warning",
            f"{count(len(surplus), 'file')} in {location.artifacts} that no row names",
            "tuner doctor --fix",
            lines,
        )


def _stands_alone(location: Location) -> bool:
    """Tell whether folder and database lie side by side, so that its neighbours are all that may use it too."""
    return not location.is_server and location.artifacts.parent.absolute() == location.file.parent.absolute()


def _named_by_neighbours(location: Location) -> set[str]:
    """Return what other databases name: each may keep its models here, and a copy of this one may be brought back."""
    home = location.artifacts.parent
    if location.is_server:
        return named_elsewhere([home], None)
    return named_elsewhere([home, location.file.parent], location.file)


def _remove(folder: Path, surplus: list[str], found: Examination) -> None:
    removed = []
    for path in surplus:
        try:
            (folder / path).unlink(missing_ok=True)
        except OSError as error:
            found.add("leftovers", "problem", f"{folder / path} cannot be removed: {error.strerror}")
            continue
        removed.append(path)
        _remove_empty(folder, folder / path)
    found.removed += [str(folder / path) for path in removed]
    if removed:
        found.add("leftovers", "ok", f"{count(len(removed), 'file')} that no row named removed", cases=removed)


def _remove_empty(folder: Path, file: Path) -> None:
    for parent in file.parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()


def _files(folder: Path) -> Iterator[str]:
    """Yield the relative path of every file that a run or an import wrote; links are not followed."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        relative = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and _OURS.fullmatch(relative):
            yield relative


def _study_of(path: str) -> int | None:
    match = _OURS.fullmatch(path)
    return int(match[1]) if match and match[1] else None
