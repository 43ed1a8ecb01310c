"""Counts the processes that the kernel has killed because memory ran out."""

from __future__ import annotations

from pathlib import Path

_COUNTERS = (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat"))  # container, machine


def out_of_memory_kills() -> int:
    """Return how many processes the kernel has killed because memory ran out; 0 if it has no counter."""
    return sum(_read(path) for path in _COUNTERS)


def _read(path: Path) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
