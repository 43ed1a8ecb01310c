"""Identifies the process that holds a lease: host, process id, start time, machine, and a random id of the process.

Linux gives the start time in clock ticks since boot, and we read it from ``/proc`` ourselves. psutil returns it as wall
clock time, which is computed from the boot time and therefore moves when the clock is set. A live process would then
look like another one and lose its study.

Two containers may have the same host name, and each numbers its processes from 1. So a process is looked up only if its
machine is this one: the same boot of the same kernel, and the same numbering of processes. Owners written by older
versions of tuner have no machine; for these, the host name decides.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_UNKNOWN = "?"  # the start time of a running process that we cannot look at
# The host is matched as briefly as possible, because it may contain colons.
_FORMAT = re.compile(
    r"(?P<host>.*?):(?P<pid>\d+):(?P<start>[^:]*)(?::(?P<machine>[0-9a-f]{16}):(?P<token>[0-9a-f]{8}))?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Owner:
    host: str
    pid: int
    start: str
    machine: str | None
    token: str | None

    @property
    def is_local(self) -> bool:
        return self.host == socket.gethostname() if self.machine is None else self.machine == _machine()


def this_owner() -> str:
    """Return the owner string of this process, ``host:pid:start:machine:token``.

    The start time distinguishes the process from a later one with the same id, the token from every other process.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_start(os.getpid())}:{_machine()}:{_token(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Return whether ``owner`` may still be running. A process of another machine always may."""
    parsed = _parse(owner)
    if not parsed.is_local:
        return True
    if parsed.pid == os.getpid() and parsed.token is not None:
        return parsed.token == _token(os.getpid())
    return _start(parsed.pid) in {parsed.start, _UNKNOWN}


def is_local(owner: str) -> bool:
    """Return whether ``owner`` is a process of this machine."""
    return _parse(owner).is_local


def describe_owner(owner: str) -> str:
    """Return a description of ``owner`` for messages."""
    parsed = _parse(owner)
    return f"process {parsed.pid} on {parsed.host}"


def describe_owners(owners: Sequence[str]) -> str | None:
    """Return a description of the first owner and of how many others there are; ``None`` if there is none."""
    if not owners:
        return None
    others = len(owners) - 1
    return describe_owner(owners[0]) + (f" and {others} other{'s' if others > 1 else ''}" if others else "")


def _parse(owner: str) -> _Owner:
    match = _FORMAT.fullmatch(owner)
    if match is None:
        raise ValueError(f"not an owner: {owner!r}")
    return _Owner(match["host"], int(match["pid"]), match["start"], match["machine"], match["token"])


@cache
def _token(_pid: int) -> str:
    """Return the random id of this process. A fork of it, which has another process id, gets another one."""
    return uuid.uuid4().hex[:8]


@cache
def _machine() -> str:
    """Return a checksum of what processes share if their ids can be compared: the boot, and the list of processes."""
    parts = [_read(Path("/etc/machine-id")), _read(_PROC / "sys" / "kernel" / "random" / "boot_id")]
    try:
        parts.append(str((_PROC / "self" / "ns" / "pid").stat().st_ino))
    except OSError:  # not Linux: the address of the network card tells machines apart
        parts.append(f"{uuid.getnode():x}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _start(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot, or an empty string if it has ended.

    A zombie has ended. The start time of a running process that cannot be looked at is ``?``: without ``/proc``, or if
    ``/proc`` hides the processes of other users.
    """
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _UNKNOWN if _is_running(pid) else ""
    # Field 2 is the command. It may hold spaces and brackets, so the other fields are counted from its last bracket.
    fields = text.rpartition(")")[2].split()
    state, start = fields[0], fields[19]  # fields 3 and 22
    return "" if state == "Z" else start


def _is_running(pid: int) -> bool:
    """Return whether a process exists, as far as the system tells us without ``/proc``."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    import psutil  # 30 ms that Linux does not need

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
