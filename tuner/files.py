"""Writes files atomically and computes their checksums."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tuner.errors import RunError, TunerError

# No space, over quota, over the size limit of files.
DISK_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LONGEST_STEM = 40  # characters, each of up to four bytes; names may have 255 bytes
_LONGEST_SUFFIX = 16
_CHUNK = 2**20  # bytes


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_hashed(source: Path, copy: IO[bytes], *, most: int) -> str:
    """Copy a file, and return the SHA-256 of what was copied as 64 hexadecimal digits.

    Args:
        source: The file. It is read once.
        copy: Where to write, a temporary file.
        most: Bytes after which no more is read. Of a longer file, the checksum differs.

    Raises:
        OSError: If the file cannot be read.
        RunError: If the copy cannot be written.
    """
    digest, left = hashlib.sha256(), most + 1
    with source.open("rb") as file:
        while chunk := file.read(min(left, _CHUNK)):
            digest.update(chunk)
            left -= len(chunk)
            try:
                copy.write(chunk)
                copy.flush()
            except OSError as error:
                raise RunError(
                    f"{source} cannot be copied to {tempfile.gettempdir()} to be checked: {error.strerror}",
                    hint="name a folder with more space: export TMPDIR=FOLDER",
                ) from None
    return digest.hexdigest()


@contextmanager
def private_folder(shown: Path) -> Iterator[Path]:
    """Yield a new temporary folder that no other user can change, for copies of files that are checked and then loaded.

    Without a copy, another program could replace a file after the check. Errors of this package that leave the block
    name the folder ``shown`` instead.
    """
    with tempfile.TemporaryDirectory(prefix="tuner-", ignore_cleanup_errors=True) as folder:
        try:
            yield Path(folder)
        except TunerError as error:
            error.args = (str(error).replace(folder, str(shown)),)
            raise


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
def atomic_path(path: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """Yield a temporary file in the same folder. After the block, the file is flushed to disk and renamed to ``path``.

    The temporary file is new, empty and has a random name, so that no other program can have put a link there. It
    keeps the suffix, because writers such as Keras choose the format by it. After an error, the temporary file is
    removed and an older file at ``path`` stays unchanged.

    Args:
        path: The final path.
        mode: The permissions of a new file, from which the umask takes some away. A file that is replaced passes on
            its own, unless another user may have put it there: see :func:`_older`.

    Raises:
        OSError: If the file cannot be written, or the block wrote nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _new_file_beside(path, mode)
    try:
        yield temporary
        if not temporary.stat().st_size:
            raise OSError(errno.ENODATA, "nothing was written", str(path))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        _keep_permissions(path, temporary)
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _new_file_beside(path: Path, mode: int) -> Path:
    """Create an empty file with a random name in the folder of ``path``, and return its path.

    Nobody may read it who may not read the file that it replaces, not even before it is complete.
    """
    older = _older(path)
    if older is not None:
        mode = older.st_mode
    elif path.exists():
        mode &= path.stat().st_mode
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    # Shortened, so that the name of the temporary file is never too long for the file system.
    temporary = path.with_name(f".{path.stem[:_LONGEST_STEM]}.{secrets.token_hex(8)}.tmp{suffix}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode & 0o666 | 0o600))
    return temporary


def _keep_permissions(path: Path, temporary: Path) -> None:
    """Give ``temporary`` the mode of the file that it replaces and, if the system allows it, the owner."""
    older = _older(path)
    if older is None:
        return
    if hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):  # only root may give files away
            os.chown(temporary, older.st_uid, older.st_gid)
    with contextlib.suppress(PermissionError):  # a file system without modes
        temporary.chmod(older.st_mode & 0o777)


def _older(path: Path) -> os.stat_result | None:
    """Return the status of the file that is replaced, if it decides who may read and write the new one.

    A file that is empty, or belongs to neither the user nor the owner of its folder, does not: somebody may have put it
    there to get access to what replaces it.
    """
    try:
        older, folder = path.stat(), path.parent.stat()
    except FileNotFoundError:
        return None
    owners = {folder.st_uid, os.geteuid() if hasattr(os, "geteuid") else folder.st_uid}
    return older if older.st_size and older.st_uid in owners else None


def _sync_folder(folder: Path) -> None:
    """Flush the new name in the folder to disk. Windows cannot open folders and does not need this."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
