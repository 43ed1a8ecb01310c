"""Finds out how the text of a file is encoded, in one pass that also counts its bytes and lines."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from pathlib import Path
from typing import IO, NamedTuple, cast

from tuner.errors import DataError
from tuner.memory import require_memory

_CHUNK = 2**20  # bytes
_CHECK_EVERY = 64  # chunks after which the size is compared with the memory
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_SAMPLE = 4096  # bytes in which UTF-16 without a mark is noticed
_ZEROS = 0.4  # share of zero bytes at even or odd places; in UTF-16, Latin letters, digits and separators have one each

DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


class Text(NamedTuple):
    """How a file holds its text.

    Attributes:
        encoding: Name of a Python codec.
        size: Bytes, unpacked.
        lines: Number of line ends, for an estimate of the rows.
        note: What the reader should know, if the encoding is a guess.
    """

    encoding: str
    size: int
    lines: int
    note: str | None = None


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, which is unpacked if its name ends with ``.gz``.

    Raises:
        OSError: If it cannot be opened.
    """
    return cast("IO[bytes]", gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def examine(path: Path, *, whole: bool = True) -> Text:
    """Return how a file holds its text: UTF-8 or UTF-16, with or without a byte order mark, or Windows-1252.

    Args:
        path: The file.
        whole: Whether the file is to be held in memory as a whole.

    Raises:
        DataError: If the whole file needs more memory than there is, or is neither UTF-8, UTF-16 nor Windows-1252.
        OSError: If the file cannot be read; or another error of ``DAMAGED``, if it cannot be unpacked.
    """
    with open_bytes(path) as file:
        start = file.read(_CHUNK)
        marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
        known = "utf-16" if marked == "utf-16" else _utf16_without_mark(start[:_SAMPLE])
        counter = _Counter(check=known is None)
        size, chunk, number = 0, start, 0
        while chunk:
            size += len(chunk)
            counter.add(chunk)
            number += 1
            if whole and number % _CHECK_EVERY == 0:  # before a small file has unpacked to terabytes
                require_memory(size, str(path))
            chunk = file.read(_CHUNK)
    if whole:
        require_memory(size, str(path))
    if known is not None:
        return Text(known, size, counter.lines)
    return _utf8_or_else(path, marked or "utf-8", size, counter)


def _utf8_or_else(path: Path, encoding: str, size: int, counter: _Counter) -> Text:
    if counter.first_bad is None:
        return Text(encoding, size, counter.lines)
    if counter.valid >= counter.bad:  # UTF-8 with some damage: as Windows-1252, each é would become Ã©
        raise DataError(
            f"{path}, line {counter.first_bad}: not UTF-8 text, as the rest of the file is",
            hint="save the file again as UTF-8",
        )
    return Text("cp1252", size, counter.lines, "the text is not UTF-8: it was read as Windows-1252")


class _Counter:
    """Counts the lines of a file, and the characters that are UTF-8 and those that are not."""

    def __init__(self, *, check: bool) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape") if check else None
        self.lines = 0
        self.valid = 0  # characters outside ASCII
        self.bad = 0  # bytes
        self.first_bad: int | None = None  # line, from 1

    def add(self, chunk: bytes) -> None:
        """Count a part of the file."""
        if self._decoder is not None and not chunk.isascii():
            self._count(self._decoder.decode(chunk))
        self.lines += chunk.count(b"\n") or chunk.count(b"\r")

    def _count(self, text: str) -> None:
        bad = _NOT_UTF8.findall(text)
        self.valid += len(text) - len(text.encode("ascii", "ignore")) - len(bad)
        self.bad += len(bad)
        if bad and self.first_bad is None:
            self.first_bad = self.lines + text.count("\n", 0, text.index(bad[0])) + 1


def _utf16_without_mark(sample: bytes) -> str | None:
    half = len(sample) // 2
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = sample[start::2].count(0)
        if half and zeros > _ZEROS * half and not sample[1 - start :: 2].count(0):
            return name
    return None
