"""Checks the members of a zip file before any of them is unpacked.

Keras and NumPy store members without compression, so the members together cannot be larger than the file. This limit
stops zip bombs (small files that unpack to many bytes), which need compression or overlapping members.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tuner.data.numpy_files import BROKEN, member_header
from tuner.errors import RunError
from tuner.memory import sized

HINT = "nothing of it was loaded; use another trial, or export the model again"


def refused(path: Path, what: str) -> RunError:
    """Return the error for a file that is not loaded. The message is the path and ``what``."""
    return RunError(f"{path} {what}", hint=HINT)


def check_members(archive: zipfile.ZipFile, path: Path, names: Iterable[str] | None = None) -> None:
    """Check the directory of a zip file without reading its members.

    Args:
        archive: The file, open for reading.
        path: Path of the file, for messages.
        names: The names of all members, each used once; ``None`` allows any plain names.

    Raises:
        RunError: If a member has a wrong name or a name outside the archive, if a member is a link, a folder or
            compressed, or if the members declare more bytes than the file has.
    """
    seen: set[str] = set()
    for member in archive.infolist():
        name = member.orig_filename  # the stored name: zipfile cuts `filename` at a null byte
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
    declared, size = sum(member.file_size for member in archive.infolist()), _size_of(archive)
    if declared > size:
        raise refused(path, f"unpacks to {sized(declared)}, more than the {sized(size)} allowed: its own size")
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise refused(path, f"holds {member.filename!r} compressed, and no tuner writes that")


def _size_of(archive: zipfile.ZipFile) -> int:
    """Return the size of an open zip file in bytes."""
    return 0 if archive.fp is None else archive.fp.seek(0, os.SEEK_END)


def check_arrays(archive: zipfile.ZipFile, path: Path) -> None:
    """Compare the size in the header of each ``.npy`` member with the size of the member.

    Otherwise NumPy would reserve memory for the declared size before it reads.

    Raises:
        RunError: If a member is no array, or declares more bytes than it has.
    """
    for member in archive.infolist():
        try:
            member_header(archive, member)
        except BROKEN as error:
            raise refused(path, f"is damaged: {member.filename!r} {error}") from error


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name or ":" in name or "\0" in name or not parts.parts:
        raise refused(path, f"holds a member whose name leads elsewhere: {name!r}")
