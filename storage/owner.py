"""Identifies the process that holds a lease: its host, its process id and its start time.

Linux gives the start time in clock ticks since boot, and we read it from ``/proc`` ourselves. psutil returns it as wall
clock time, which is computed from the boot time and therefore moves when the clock is set. A live process would then
look like another one and lose its study. Owners written by older versions of tuner hold the same ticks, so both
versions recognise each other's processes.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def this_owner() -> str:
    """Return the owner string of this process, ``host:pid:start``.

    The start time distinguishes the process from a later one with the same id.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_start(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Return whether ``owner`` may still be running. A process of another host always may."""
    host, pid, start = owner.rsplit(":", 2)
    return host != socket.gethostname() or _start(int(pid)) == start


def is_local(owner: str) -> bool:
    """Return whether ``owner`` is a process of this machine."""
    return owner.rsplit(":", 2)[0] == socket.gethostname()


def describe_owner(owner: str) -> str:
    """Return a description of ``owner`` for messages."""
    host, pid, _ = owner.rsplit(":", 2)
    return f"process {pid} on {host}"


def _start(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot, or an empty string if it has ended.

    A zombie has ended. Without ``/proc``, the start time of every running process is ``?``.
    """
    if not (_PROC / "self" / "stat").exists():
        return "?" if _is_running(pid) else ""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # Field 2 is the command. It may hold spaces and brackets, so the other fields are counted from its last bracket.
    fields = text.rpartition(")")[2].split()
    state, start = fields[0], fields[19]  # fields 3 and 22
    return "" if state == "Z" else start


def _is_running(pid: int) -> bool:
    import psutil  # 30 ms that Linux does not need

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
