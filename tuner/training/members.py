"""What a zip file may hold before anything of it is unpacked: known names, plain files, no more bytes than it has.

Keras and NumPy store their members without compression, so no member can be larger than the file itself. That is the
limit: a zip bomb, which is small and unpacks to much, needs compression or members that overlap.
"""

from __future__ import annotations

import math
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tuner.errors import RunError

HINT = "nothing of it was loaded; use another trial, or export the model again"
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)  # of zipfile.read


def refused(path: Path, what: str) -> RunError:
    """Return the error for a file that is not loaded; ``what`` follows the file's name in the message."""
    return RunError(f"{path} {what}", hint=HINT)


def sized(count: int) -> str:
    """Return a number of bytes for people."""
    for unit, power in (("GB", 3), ("MB", 2), ("kB", 1)):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {unit}"
    return f"{count} bytes"


def check_members(archive: zipfile.ZipFile, path: Path, names: Iterable[str] | None = None) -> None:
    """Look at the directory of a zip file, and at nothing that it holds.

    Args:
        archive: The file, open for reading.
        path: Its path.
        names: The members that it must have, each once, and no others; ``None`` for any plain names.

    Raises:
        RunError: If a member has another name or one that leads elsewhere, is a link or compressed, or if the members
            declare more bytes than the file has.
    """
    seen: set[str] = set()
    for member in archive.infolist():
        name = member.orig_filename  # as written: zipfile cuts its own copy at a null byte
        _check_name(path, name)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in {0, stat.S_IFREG} or member.is_dir():
            raise refused(path, f"holds {name!r}, which is a {'link' if stat.S_ISLNK(kind) else 'folder or device'}")
        if name in seen:
            raise refused(path, f"holds {name!r} twice")
        seen.add(name)
    if names is not None and (wrong := seen.symmetric_difference(names)):
        verb = "holds" if wrong & seen else "lacks"
        first = min(wrong & seen or wrong)
        raise refused(path, f"{verb} {first!r}: Keras writes {', '.join(names)}")
    declared, size = sum(member.file_size for member in archive.infolist()), path.stat().st_size
    if declared > size:
        raise refused(path, f"unpacks to {sized(declared)}, more than the {sized(size)} allowed: its own size")
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise refused(path, f"holds {member.filename!r} compressed, and no tuner writes that")


def check_arrays(archive: zipfile.ZipFile, path: Path) -> None:
    """Compare the size that each ``.npy`` member declares in its header with the bytes that follow it.

    NumPy would reserve memory for what is declared before it reads.

    Raises:
        RunError: If a member is no array, or declares more than it holds.
    """
    from numpy.lib import format as npy

    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    for member in archive.infolist():
        try:
            with archive.open(member) as file:
                shape, _, dtype = readers[npy.read_magic(file)](file)
        except (*BROKEN, KeyError) as error:
            raise refused(path, f"is damaged: {member.filename!r} is no array of numbers") from error
        declared = math.prod(shape) * dtype.itemsize
        if declared > member.file_size:
            allowed = sized(member.file_size)
            raise refused(path, f"unpacks {member.filename!r} to {sized(declared)}, more than the {allowed} allowed")


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name or ":" in name or "\0" in name or not parts.parts:
        raise refused(path, f"holds a member whose name leads elsewhere: {name!r}")
