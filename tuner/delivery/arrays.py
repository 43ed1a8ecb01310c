"""Reads rows from NumPy files, part by part."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from tuner.data.numpy_files import BROKEN, Header, read_header, read_rows
from tuner.delivery.manifest import InputSpec
from tuner.delivery.rows import check_rows
from tuner.errors import DataError, UsageError, did_you_mean

PREFERRED = ("x_test", "x")


def read_numpy(path: Path, spec: InputSpec, rows: int, array: str | None) -> Iterator[NDArray[Any]]:
    """Read an array from an ``.npy`` or ``.npz`` file, at most ``rows`` rows at a time.

    Args:
        path: The file.
        spec: The model's input.
        rows: The largest number of rows to read at a time.
        array: The array of an ``.npz`` file; ``None`` takes the first of ``PREFERRED``, else the only array.

    Raises:
        DataError: If the file is damaged, declares more than it has, or does not fit the model. Arrays of Python
            objects are refused, because loading them runs code.
        UsageError: If the array to use is not clear.
    """
    try:
        with opened(path, array) as (file, header):
            check_rows(header.shape, header.dtype, spec, str(path))
            yield from read_rows(file, header, rows, str(path))
    except BROKEN as error:
        raise DataError(f"{path} is not a NumPy file of numbers: {error}", hint="expected .npy or .npz") from None


@contextlib.contextmanager
def opened(path: Path, array: str | None) -> Iterator[tuple[IO[bytes], Header]]:
    """Open an array of a NumPy file: yield the file at its first value, and the header. Errors are in ``BROKEN``."""
    with path.open("rb") as file:
        packed = file.read(2) == b"PK"
        file.seek(0)
        if not packed:
            yield file, read_header(file, path.stat().st_size)
            return
        with zipfile.ZipFile(file) as archive:
            member = _choose_member(path, archive.namelist(), array)
            with archive.open(member) as values:
                yield values, read_header(values, archive.getinfo(member).file_size)


def _choose_member(path: Path, members: Sequence[str], array: str | None) -> str:
    names = {member.removesuffix(".npy"): member for member in members if member.endswith(".npy")}
    if array is not None:
        if array not in names:
            raise UsageError(f"{path} has no array '{array}'", hint=did_you_mean(array, names))
        return names[array]
    for name in PREFERRED:
        if name in names:
            return names[name]
    if len(names) != 1:
        raise UsageError(f"{path} holds {len(names)} arrays: {', '.join(names)}", hint="choose one with --array NAME")
    return next(iter(names.values()))
