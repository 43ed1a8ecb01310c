"""Writes files atomically and computes their checksums."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# No space, over quota, over the size limit of files.
DISK_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_intact(path: Path, *, size: int, sha256: str) -> bool:
    """Return whether a file has the given size and checksum. The size is compared first because this is fast.

    Raises:
        OSError: If the file cannot be read.
    """
    return path.stat().st_size == size and sha256_of(path) == sha256


def is_whole(path: Path, *, size: int, sha256: str) -> bool:
    """Return whether a file can be read and has the given size and checksum."""
    try:
        return is_intact(path, size=size, sha256=sha256)
    except OSError:
        return False


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder. After the block, the file is flushed to disk and renamed to ``path``.

    The temporary name keeps the suffix, because writers such as Keras choose the format by it. After an error, the
    temporary file is removed and an older file at ``path`` stays unchanged.

    Raises:
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Flush the new name in the folder to disk. Windows cannot open folders and does not need this."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
