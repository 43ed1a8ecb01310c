"""The manifest of an export: the model's input and origin, and the checksum of every file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from tuner.errors import RunError, UsageError
from tuner.files import sha256_of
from tuner.records import ParamValue

MANIFEST = "manifest.json"
VERSION = 1

FormatName = Literal["keras", "saved-model", "onnx", "litert"]

_EXPECTED = "expected a folder written by `tuner export NAME -o FOLDER`"
_EXPORT_AGAIN = "nothing was loaded; export the model again"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputSpec(_Table):
    """The model's input: raw values, because the model contains the preprocessing.

    Attributes:
        shape: The shape of one row.
        dtype: The name of a NumPy type.
        scale: The factor by which the model multiplies raw values, such as 1/255 for 8-bit pixels.
        columns: The names of a table's columns, in the model's order; ``None`` for images.
    """

    shape: tuple[Annotated[int, Field(gt=0)], ...]
    dtype: str
    scale: float = Field(gt=0)
    columns: tuple[str, ...] | None = None


class ObjectiveValue(_Table):
    """The objective of the study, and the trial's value of it in its best epoch."""

    name: str
    direction: Literal["maximize", "minimize"]
    value: float


class TestMetrics(_Table):
    """On the test split: the mean cross entropy in nats, and the share of rows that are classified correctly."""

    __test__ = False  # not a pytest class

    loss: float
    accuracy: float


class Refit(_Table):
    """The refit: ``epochs`` epochs on ``rows`` rows, which are the training and the validation rows.

    If a manifest has one, its ``objective``, ``metrics`` and ``best_epoch`` are those of the trial, and its ``test``
    is that of the refit. Both have the same hyperparameters.
    """

    epochs: int = Field(gt=0)
    rows: int = Field(gt=0)


class DataSource(_Table):
    """The data that the model was trained on; ``fingerprint`` is the SHA-256 of its arrays."""

    name: str
    fingerprint: str


class Versions(_Table):
    """The versions of the software that wrote the export."""

    tuner: str
    keras: str
    tensorflow: str
    numpy: str
    python: str


class FormatEntry(_Table):
    """One exported format: its file or folder, and the largest difference of a probability from the original's."""

    path: str
    max_difference: float


class FileEntry(_Table):
    """Checksum and size of a file when it was exported."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(_Table):
    """The contents of ``manifest.json``. Paths are relative to the export and use ``/``."""

    manifest_version: Literal[1] = 1
    task: str
    input: InputSpec
    class_names: tuple[str, ...] = Field(min_length=1)
    study: str
    trial: int
    objective: ObjectiveValue
    params: dict[str, ParamValue]
    metrics: dict[str, float]
    test: TestMetrics | None
    best_epoch: int
    parameters: int
    refit: Refit | None = None
    data: DataSource
    versions: Versions
    created: AwareDatetime
    formats: dict[FormatName, FormatEntry] = Field(min_length=1)
    files: dict[str, FileEntry]

    @field_validator("class_names")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) != len(names):
            raise ValueError(f"class names must differ, got {', '.join(names)}")
        return names


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an export and check every file that it names, before any model is loaded.

    Raises:
        UsageError: If ``folder`` is not an export, or has a manifest version that cannot be read.
        RunError: If a file is missing, changed, a link, outside the export, or not in the manifest.
    """
    manifest = _parse(folder)
    for name, entry in manifest.files.items():
        _check_file(folder, name, entry)
    for format_name, saved in manifest.formats.items():
        _check_format(folder, format_name, saved.path, manifest.files)
    return manifest


def describe_files(folder: Path) -> dict[str, FileEntry]:
    """Return size and checksum of every file in a folder by relative path, without the manifest."""
    return {
        name: FileEntry(sha256=sha256_of(folder / name), bytes=(folder / name).stat().st_size)
        for name in sorted(files_in(folder))
        if name != MANIFEST
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
        raw = json.loads(path.read_text(encoding="utf-8"))
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
        size = path.stat().st_size
        unchanged = size == entry.bytes and sha256_of(path) == entry.sha256
    except OSError as error:
        raise RunError(f"cannot read '{name}' of {folder}: {error.strerror}", hint=_EXPORT_AGAIN) from None
    if not unchanged:
        raise RunError(
            f"checksum mismatch: '{name}' of {folder} is not the file that was exported ({size} bytes)",
            hint=_EXPORT_AGAIN,
        )


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
