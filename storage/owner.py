"""Who holds a lease: one process of one machine, told from every other and every later one."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_owner() -> str:
    """Name this process so that no other can have the same name: host, process id, start time.

    The start time (in clock ticks since boot) tells a process from a later one that got the same id.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_start_ticks(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Tell whether ``owner`` may still be running; a process of another host always may."""
    host, pid, ticks = owner.rsplit(":", 2)
    return host != socket.gethostname() or _start_ticks(int(pid)) == ticks


def is_local(owner: str) -> bool:
    """Tell whether ``owner`` is a process of this machine."""
    return owner.rsplit(":", 2)[0] == socket.gethostname()


def describe_owner(owner: str) -> str:
    """Name an owner for people."""
    host, pid, _ = owner.rsplit(":", 2)
    return f"process {pid} on {host}"


def _start_ticks(pid: int) -> str:
    """Return the start time of a process, ``?`` where there is no ``/proc``, or nothing if it ended."""
    if not Path("/proc/self/stat").exists():
        return "?" if _responds(pid) else ""
    try:
        # Field 22; the command in field 2 may hold spaces, so count from behind its closing bracket.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _responds(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
