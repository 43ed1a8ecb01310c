"""Reads ``.npy`` and ``.npz`` files of any origin: headers first, then the values, in batches or as a whole.

A header declares how much memory an array needs. It is compared with the size of the file before memory is reserved.
Arrays of Python objects are never loaded, because loading them runs code.
"""

from __future__ import annotations

import lzma
import math
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tuner.memory import require_memory, sized

# What reading a damaged file raises: zipfile, zlib and NumPy have no common error.
BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, NotImplementedError, OverflowError, RuntimeError, ValueError,
)  # fmt: skip

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@dataclass(frozen=True, slots=True)
class Header:
    """What an ``.npy`` file declares before its values.

    Attributes:
        shape: The shape of the array.
        dtype: The type of its values.
        fortran: Whether the values are stored column by column.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def nbytes(self) -> int:
        """The memory that the array needs, in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes], size: int) -> Header:
    """Read the header of an array; ``file`` is then at its first value.

    Args:
        file: The ``.npy`` file, or a member of an ``.npz`` file, at its beginning.
        size: How many bytes it has.

    Raises:
        ValueError: If it is no array, or declares more bytes than it has.
    """
    version = npy.read_magic(file)
    if version not in _READERS:  # version 3 is for tables with named fields
        raise ValueError(f"has version {version[0]}.{version[1]}, which holds no plain numbers")
    try:
        header = Header(*_fields(_READERS[version](file)))
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - NumPy parses it as Python text, which raises almost anything
        raise ValueError(f"has an unreadable header: {error}") from None
    if any(length < 0 for length in header.shape):
        raise ValueError(f"declares the shape {header.shape}")
    if header.nbytes > size and not header.dtype.hasobject:  # objects are pickled, and may need fewer bytes there
        raise ValueError(f"declares {sized(header.nbytes)} and has {sized(size)}")
    return header


def read_rows(file: IO[bytes], header: Header, rows: int, where: str) -> Iterator[NDArray[Any]]:
    """Yield the array in parts of at most ``rows`` rows. ``file`` is at its first value, and is read to its end.

    An array that is stored column by column has to be read as a whole.

    Raises:
        DataError: If the memory does not suffice for such an array.
        ValueError: If the file ends early.
    """
    if header.fortran and len(header.shape) > 1:
        require_memory(2 * header.nbytes, where)
        columns = _read(file, header, math.prod(header.shape))
        whole = columns.reshape(header.shape[::-1]).transpose()
        yield from (np.ascontiguousarray(whole[start : start + rows]) for start in range(0, len(whole), rows))
        return
    count, *shape = header.shape
    for start in range(0, count, rows):
        part = min(rows, count - start)
        yield _read(file, header, part * math.prod(shape)).reshape(part, *shape)
    file.read(1)  # the end of a zip member: its checksum is compared


def member_header(archive: zipfile.ZipFile, member: str | zipfile.ZipInfo) -> Header:
    """Return the header of a member of an ``.npz`` file, without reading its values.

    Raises:
        KeyError: If there is no such member.
        ValueError: If it is no array, or declares more bytes than it has; or another error of :data:`BROKEN`.
    """
    with archive.open(member) as file:
        return read_header(file, archive.getinfo(member).file_size if isinstance(member, str) else member.file_size)


def check_text(array: NDArray[Any]) -> None:
    """Check that an array of text holds text: NumPy reads any numbers, and Python fails when it makes text of them.

    Raises:
        ValueError: If a character is none.
    """
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        codes = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))).view(np.uint32)
        if codes.max() > sys.maxunicode:
            raise ValueError(f"holds text with the character {codes.max():#x}, which does not exist")


def _fields(raw: tuple[Any, Any, Any]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    shape, fortran, dtype = raw
    return shape, dtype, fortran


def _read(file: IO[bytes], header: Header, count: int) -> NDArray[Any]:
    """Read the next ``count`` values, as a flat array."""
    raw = np.empty(count * header.dtype.itemsize, np.uint8)
    view, filled = raw.data, 0
    while filled < len(raw):
        received = file.readinto(view[filled:])  # type: ignore[attr-defined] # IO lacks it, every binary file has it
        if not received:
            raise ValueError("ends before its last value")
        filled += received
    return raw.view(header.dtype)
