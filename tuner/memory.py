"""Limits what is read into memory: by the memory that is available, and by what files of a kind need at most."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tuner.errors import DataError


class _Files(NamedTuple):
    """The files of a control group that hold its limit and use, and the statistic of the cache that it can free."""

    limit: str
    used: str
    cache: str


_VERSION_2 = _Files("memory.max", "memory.current", "inactive_file")
_VERSION_1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def require_memory(need: int, what: str) -> None:
    """Check that ``need`` bytes of memory are available.

    Args:
        need: How many bytes the caller is about to use.
        what: What needs them, for the message, such as ``data.npz``.

    Raises:
        DataError: If less is available.
    """
    available = available_memory()
    if need > available:
        raise DataError(
            f"{what} needs {sized(need)} of memory, {sized(available)} are available",
            hint="if the file is meant to be that large, use fewer rows or a machine with more memory",
        )


def available_memory(root: Path = Path("/")) -> int:
    """Return how many bytes a process may still use: those of the machine, or less if its container has a limit.

    Args:
        root: The folder that holds ``proc`` and ``sys``.
    """
    import psutil  # 30 ms that most commands do not need

    return max(0, min([int(psutil.virtual_memory().available), *_group_limits(root)]))


def read_text(path: Path, largest: int, *, encoding: str = "utf-8") -> str:
    """Return the text of a file that is small if it is what it should be.

    Args:
        path: The file.
        largest: The largest size in bytes that is read.
        encoding: The encoding of the text.

    Raises:
        DataError: If the file is larger.
        OSError: If the file cannot be read.
        UnicodeDecodeError: If it is not text of this encoding.
    """
    with path.open("rb") as file:
        raw = file.read(largest + 1)
    if len(raw) > largest:
        raise DataError(f"{path} has more than {sized(largest)}", hint="name another file")
    return raw.decode(encoding)


def sized(count: int) -> str:
    """Return a number of bytes as text, such as ``1.5 MB``."""
    for unit, power in (("GB", 3), ("MB", 2), ("kB", 1)):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {unit}"
    return f"{count} bytes"


def _group_limits(root: Path) -> Iterator[int]:
    """Yield what the control group of this process, and each group above it, may still use. Only Linux has them."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            files, mount = _VERSION_2, root / "sys/fs/cgroup"
        elif "memory" in controllers.split(","):
            files, mount = _VERSION_1, root / "sys/fs/cgroup/memory"
        else:
            continue
        # A container often sees its own group at the mount itself, whatever its path is called outside.
        here = PurePosixPath(group).relative_to("/")
        for folder in (here, *here.parents):
            yield from _room(mount / folder, files)


def _room(group: Path, files: _Files) -> Iterator[int]:
    try:
        limit = int((group / files.limit).read_text(encoding="ascii"))
        used = int((group / files.used).read_text(encoding="ascii"))
        statistics = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):  # no such group, or its limit is the word "max"
        return
    cache = next((int(line.split()[1]) for line in statistics if line.startswith(f"{files.cache} ")), 0)
    yield limit - used + cache
