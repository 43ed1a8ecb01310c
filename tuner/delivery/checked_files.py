"""Reads the manifest of an export and checks every file against it, before any model is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from tuner.delivery.manifest import MANIFEST, MODEL_CARD, VERSION, FileEntry, FormatName, Manifest
from tuner.documents import parse_json
from tuner.errors import RunError, UsageError
from tuner.files import copy_hashed, is_intact, private_folder, sha256_of
from tuner.memory import read_text
from tuner.paths import StrPath, user_path

LARGEST = 16 * 2**20  # bytes of a manifest
_EXPECTED = "expected a folder written by `tuner export NAME -o FOLDER`"
_EXPORT_AGAIN = "nothing was loaded; export the model again"


def read_manifest(folder: StrPath) -> Manifest:
    """Read the manifest of an export and check every file that it names, before any model is loaded.

    Raises:
        UsageError: If ``folder`` is not an export, or has a manifest version that cannot be read.
        RunError: If a file is missing, changed, a link, outside the export, or not in the manifest.
    """
    folder = user_path(folder)
    manifest = _parse(folder)
    for name, entry in manifest.files.items():
        _check_file(folder, name, entry)
    for format_name, saved in manifest.formats.items():
        for path in saved.paths:
            _check_format(folder, format_name, path, manifest.files)
    return manifest


@contextmanager
def private_format(folder: StrPath, manifest: Manifest, name: FormatName) -> Iterator[Path]:
    """Yield a copy of the files of one format that cannot be replaced. What is loaded is what the manifest names.

    Of a model for a table, they are those that take encoded rows.

    Raises:
        RunError: If a file was changed since :func:`read_manifest`.
    """
    folder, saved = user_path(folder), manifest.formats[name]
    inside = saved.encoded or saved.path
    with private_folder(folder) as private:
        for file, entry in manifest.files.items():
            if file == inside or file.startswith(f"{inside}/"):
                copy = private / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                _copy(folder, file, entry, copy)
        yield private / inside


def describe_files(folder: Path) -> dict[str, FileEntry]:
    """Return size and checksum of every file in a folder by relative path.

    The manifest is left out, and the model card, so that people may add to it.
    """
    return {
        name: FileEntry(sha256=sha256_of(folder / name), bytes=(folder / name).stat().st_size)
        for name in sorted(files_in(folder))
        if name not in {MANIFEST, MODEL_CARD}
    }


def files_in(folder: Path) -> Iterator[str]:
    """Yield the relative path of every file and link below a folder, with ``/`` between the parts."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()


def _parse(folder: Path) -> Manifest:
    raw = _read_json(folder)
    version = raw.get("manifest_version")
    if version != VERSION:
        raise UsageError(
            f"{folder / MANIFEST} has manifest_version {version!r}, this tuner reads version {VERSION}",
            hint="upgrade tuner, or export the model again",
        )
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{folder / MANIFEST}: {where}: {first['msg']}", hint=_EXPECTED) from None


def _read_json(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint=_EXPECTED)
    path = folder / MANIFEST
    if path.is_symlink():
        raise RunError(f"{path} is a link", hint=_EXPORT_AGAIN)
    try:
        raw = parse_json(read_text(path, LARGEST))
    except FileNotFoundError:
        raise UsageError(f"{folder} has no {MANIFEST}", hint=_EXPECTED) from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # invalid JSON or UTF-8
        raise UsageError(f"{path} is not JSON: {error}", hint=_EXPECTED) from None
    if not isinstance(raw, dict):
        raise UsageError(f"{path} must hold a JSON object, got {type(raw).__name__}", hint=_EXPECTED)
    return raw


def _check_file(folder: Path, name: str, entry: FileEntry) -> None:
    path = _inside(folder, name)
    try:
        unchanged = is_intact(path, size=entry.bytes, sha256=entry.sha256)
    except OSError as error:
        raise _unreadable(folder, name, error) from None
    if not unchanged:
        raise _changed(folder, name)


def _copy(folder: Path, name: str, entry: FileEntry, copy: Path) -> None:
    try:
        with copy.open("xb") as written:
            unchanged = copy_hashed(_inside(folder, name), written, most=entry.bytes) == entry.sha256
    except OSError as error:
        raise _unreadable(folder, name, error) from None
    if not unchanged:
        raise _changed(folder, name)


def _unreadable(folder: Path, name: str, error: OSError) -> RunError:
    return RunError(f"cannot read '{name}' of {folder}: {error.strerror}", hint=_EXPORT_AGAIN)


def _changed(folder: Path, name: str) -> RunError:
    return RunError(f"checksum mismatch: '{name}' of {folder} is not the file that was exported", hint=_EXPORT_AGAIN)


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a file of an export; refuse names that lead out of the folder, and links."""
    relative = PurePosixPath(name)
    if not relative.parts or relative.is_absolute() or ".." in relative.parts or "\\" in name or ":" in name:
        raise RunError(f"{folder / MANIFEST} names a file outside the export: '{name}'", hint=_EXPORT_AGAIN)
    path = folder
    for part in relative.parts:
        path /= part
        if path.is_symlink():
            raise RunError(f"'{name}' of {folder} is a link", hint=_EXPORT_AGAIN)
    return path


def _check_format(folder: Path, format_name: str, name: str, checked: dict[str, FileEntry]) -> None:
    """Check that a format consists only of files whose checksums were checked."""
    path = _inside(folder, name)
    inside = {f"{name}/{child}" for child in files_in(path)} if path.is_dir() else {name}
    if not inside or not inside <= checked.keys():
        surplus = ", ".join(sorted(inside - checked.keys())) or name
        raise RunError(f"the manifest of {folder} has no checksum for {surplus} ({format_name})", hint=_EXPORT_AGAIN)
