"""The manifest of an export: the model's input and origin, and the checksum of every file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tuner.config.table_settings import TableSettings
from tuner.data.schema import DataSchema
from tuner.documents import parse_json
from tuner.errors import RunError, UsageError
from tuner.evaluation.assessment import Member
from tuner.evaluation.facts import ValidationFacts
from tuner.files import copy_hashed, is_intact, private_folder, sha256_of
from tuner.memory import read_text
from tuner.paths import StrPath, user_path
from tuner.records import ParamValue

MANIFEST = "manifest.json"
MODEL_CARD = "MODEL_CARD.md"
VERSION = 1

FormatName = Literal["keras", "saved-model", "onnx", "litert"]

LARGEST = 16 * 2**20  # bytes of a manifest
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
        standardised: Whether the model then subtracts the mean of each value and divides by its deviation.
        range: The smallest and the largest raw value of the training rows: black and white of images. If it is
            ``None``, they are 0 and ``1 / scale``.
        columns: The names of a table's columns, in the model's order; ``None`` for images.
    """

    shape: tuple[Annotated[int, Field(gt=0)], ...]
    dtype: str = Field(pattern=r"^(bool|u?int(8|16|32|64)|float(16|32|64))$")
    scale: float = Field(gt=0)
    standardised: bool = False
    range: tuple[float, float] | None = None
    columns: tuple[str, ...] | None = None


class ObjectiveValue(_Table):
    """The objective of the study, and the trial's value of it in its best epoch."""

    name: str
    direction: Literal["maximize", "minimize"]
    value: float


class Refit(_Table):
    """The refit: ``epochs`` epochs on ``rows`` rows, which are the training and the validation rows.

    If a manifest has one, its ``objective``, ``metrics`` and ``best_epoch`` are those of the trial, and its ``test``
    is that of the refit. Both have the same hyperparameters.
    """

    epochs: int = Field(gt=0)
    rows: int = Field(gt=0)


class DataSource(_Table):
    """The data that the model was trained on.

    Attributes:
        name: Its name, or the path of the file.
        fingerprint: SHA-256 of its arrays, or of the cells and the split of a table.
        table: How a table was read and split.
    """

    name: str
    fingerprint: str
    table: TableSettings | None = None


class Versions(_Table):
    """The versions of the software that wrote the export."""

    tuner: str
    keras: str
    tensorflow: str
    numpy: str
    python: str


class FormatEntry(_Table):
    """One exported format.

    Attributes:
        path: Its file or folder. For a table, it takes raw columns, unless it is the same as ``encoded``.
        max_difference: The largest difference of a probability from the original's. A number that is predicted differs
            in units of the target's deviation, or of itself if it is larger.
        encoded: For a table, the file or folder that takes encoded rows.
    """

    path: str
    max_difference: float
    encoded: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The files or folders of the format."""
        return (self.path,) if self.encoded in {None, self.path} else (self.path, str(self.encoded))


class FileEntry(_Table):
    """Checksum and size of a file when it was exported."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(_Table):
    """The contents of ``manifest.json``. Paths are relative to the export and use ``/``.

    ``ensemble`` holds the models that are averaged, if there are several: then ``params`` and ``best_epoch`` are those
    of ``trial``, the best of them, and all metrics are those of the average. ``validation`` is what the validation rows
    say of the model, if a study of tables measured it.

    ``task`` is that of :data:`tuner.tasks.TASKS`; in exports of older versions, ``classification``. ``class_names`` is
    empty if the target is a number. ``table`` is the schema of the table that the model takes, ``None`` if it takes
    arrays; ``input`` then describes the encoded rows. ``metrics`` are those of the validation rows, ``test`` those of
    the test rows, and ``intervals`` the 95 % intervals of those, if they were measured.
    """

    manifest_version: Literal[1] = 1
    task: str
    input: InputSpec
    class_names: tuple[str, ...] = Field(fail_fast=True)
    table: DataSchema | None = None
    study: str
    trial: int
    objective: ObjectiveValue
    params: dict[str, ParamValue]
    metrics: dict[str, float]
    test: dict[str, float] | None
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    best_epoch: int
    parameters: int
    refit: Refit | None = None
    ensemble: tuple[Member, ...] = ()
    validation: ValidationFacts | None = None
    data: DataSource
    versions: Versions
    created: AwareDatetime
    formats: dict[FormatName, FormatEntry] = Field(min_length=1)
    files: dict[str, FileEntry]

    @model_validator(mode="after")
    def _known_target(self) -> Self:
        if not self.class_names and (self.table is None or self.table.numeric is None):
            raise ValueError("class names are missing")
        if self.table is not None:
            if self.table.classes != self.class_names:
                raise ValueError("the class names are not those of the table")
            if self.input.shape != self.table.shape or self.table.table is None:
                raise ValueError(f"encoded rows of the table do not have the shape {self.input.shape}")
            if any(entry.encoded is None for entry in self.formats.values()):
                raise ValueError("a format for a table has no file that takes encoded rows")
        return self

    @field_validator("class_names")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) != len(names):
            raise ValueError(f"class names must differ, got {', '.join(names)}")
        return names


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
