"""Settles the data of a study before anything is written: its split, its schema, and rows to check exports with."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuner.data.dataset import Dataset
from tuner.data.schema import DataSchema, schema_of
from tuner.data.split import Rows
from tuner.documents import parse_json
from tuner.errors import DataError

if TYPE_CHECKING:
    from tuner.data.table_dataset import TableDataset

SAMPLE_ROWS = 64
_SAMPLE_BYTES = 2**20  # of all rows together; one row is always kept


@dataclass(frozen=True, slots=True)
class SettledData:
    """What a study stores of its data.

    Attributes:
        schema: Input and classes of its models.
        sample: Validation rows on which exported models are checked, shape ``(rows, *schema.shape)``. Those of a table
            are encoded.
        raw_sample: The same rows as they stand in a table: the text of each cell by column, ``None`` if it is empty.
    """

    schema: DataSchema
    sample: NDArray[Any] = field(repr=False)
    raw_sample: Mapping[str, Sequence[str | None]] | None = field(default=None, repr=False)


def settle(
    dataset: Dataset | TableDataset, validation: float, split_seed: int | Literal["last"], *, standardise: bool = True
) -> SettledData:
    """Split the rows and measure the training rows.

    Args:
        dataset: The data set.
        validation: Size of the validation split: a share of the rows if below 1, else a number of rows.
        split_seed: Seed of the split; ``last`` takes the last rows.
        standardise: Whether models standardise numbers. It is off for studies that began without it.

    Raises:
        DataError: If the rows cannot be split, or are too large to standardise.
    """
    train, chosen = dataset.split(validation, split_seed)
    if isinstance(dataset, Dataset):
        schema = schema_of(dataset, train if standardise else None)
        return SettledData(schema, dataset.x_train[spread(chosen, dataset.x_train[:1].nbytes)])
    schema = dataset.describe(train)
    rows = dataset.train[spread(chosen, 4 * schema.features)]
    return SettledData(schema, dataset.encode(schema, rows), dataset.texts(rows))


def undescribed(dataset: Dataset | TableDataset) -> SettledData:
    """Return the data of a study that began with a version that stored nothing of it. Numbers are not standardised."""
    if not isinstance(dataset, Dataset):
        raise DataError(f"the study of {dataset.source} lacks its description", hint="start it again with --fresh")
    return SettledData(schema_of(dataset, None), dataset.x_train[:SAMPLE_ROWS])


def settled(description: Mapping[str, Any], sample: str) -> SettledData:
    """Return what a study stored of its data.

    Args:
        description: The schema as JSON.
        sample: The rows, from :func:`pack`.

    Raises:
        ValueError: If they are damaged.
    """
    schema = DataSchema.model_validate(description)
    if schema.table is None:
        return SettledData(schema, unpack(sample, schema.dtype, schema.shape))
    stored = parse_json(sample)
    return SettledData(schema, unpack(stored["encoded"], schema.dtype, schema.shape), stored["raw"])


def pack_sample(data: SettledData) -> str:
    """Return the sample of a study as text: the inverse of :func:`settled`."""
    encoded = pack(data.sample)
    return encoded if data.raw_sample is None else json.dumps({"encoded": encoded, "raw": data.raw_sample})


def spread(rows: Rows, row_bytes: int) -> Rows:
    """Return some of the rows, evenly spaced, for checks of exported models: at most 64 and at most 1 MiB.

    Args:
        rows: Indices of rows.
        row_bytes: Size of one row.
    """
    count = max(1, min(SAMPLE_ROWS, len(rows), _SAMPLE_BYTES // row_bytes))
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]


def pack(array: NDArray[Any]) -> str:
    """Return the values of an array as text: its bytes, little-endian, in base64."""
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def unpack(text: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the array that :func:`pack` made text of.

    Args:
        text: The text.
        dtype: Type of the values.
        shape: Shape of one row.

    Raises:
        ValueError: If the text is damaged, or is not a number of such rows.
    """
    values = np.frombuffer(base64.b64decode(text, validate=True), np.dtype(dtype).newbyteorder("<"))
    return values.astype(dtype).reshape(-1, *shape)
