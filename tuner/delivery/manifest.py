"""The manifest of an export: the model's input and origin, and the checksum of every file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from tuner.config.table_settings import TableSettings
from tuner.data.schema import DataSchema
from tuner.evaluation.assessment import Member
from tuner.evaluation.facts import ValidationFacts
from tuner.records import ParamValue

MANIFEST = "manifest.json"
MODEL_CARD = "MODEL_CARD.md"
VERSION = 1

FormatName = Literal["keras", "saved-model", "onnx", "litert"]


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
