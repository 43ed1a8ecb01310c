"""The lease: at most one live coordinator per study."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
from datetime import timedelta
from pathlib import Path
from typing import Self

from storage.engine import Database
from storage.tables import LeaseRow
from tuner.errors import RunError, StorageError

DURATION = timedelta(seconds=30)


def this_owner() -> str:
    """Name this process so that no other can have the same name: host, process id, start time.

    The start time (in clock ticks since boot) tells a process from a later one that got the same id.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_start_ticks(os.getpid())}"


class Lease:
    """One study's lease, held by this process between ``acquire`` and ``release``."""

    def __init__(self, database: Database, study_id: int, study_name: str) -> None:
        self._database = database
        self._study_id = study_id
        self._name = study_name
        self.owner = this_owner()

    def acquire(self) -> None:
        """Take the lease, or take it over from a coordinator that is dead or silent for too long.

        Raises:
            RunError: If a coordinator holds it, be it one of this process.
        """
        with self._database.write() as session:
            row = session.get(LeaseRow, self._study_id)
            now = self._database.now(session)
            if row is not None and row.expires > now and is_alive(row.owner):
                raise RunError(
                    f"study '{self._name}' is being run by {describe_owner(row.owner)} since {row.since:%H:%M:%S} UTC",
                    hint=f"stop it first: tuner study stop {shlex.quote(self._name)}",
                )
            session.merge(
                LeaseRow(
                    study_id=self._study_id,
                    owner=self.owner,
                    since=now,
                    expires=now + DURATION,
                    stop_requested=False,
                )
            )

    def __enter__(self) -> Self:
        """Acquire; see there."""
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        """Release; a database that cannot be written is left to the lease's expiry."""
        with contextlib.suppress(StorageError):
            self.release()

    def renew(self) -> bool:
        """Extend the lease and tell whether somebody asked this run to stop.

        Raises:
            RunError: If another coordinator has taken it over.
        """
        with self._database.write() as session:
            row = session.get(LeaseRow, self._study_id)
            if row is None or row.owner != self.owner:
                raise RunError(
                    f"study '{self._name}' was taken over by another run while this one was asleep",
                    hint=f"see who runs it: tuner study show {shlex.quote(self._name)}",
                )
            row.expires = self._database.now(session) + DURATION
            return row.stop_requested

    def release(self) -> None:
        """Give the lease back, if it is still ours."""
        with self._database.write() as session:
            row = session.get(LeaseRow, self._study_id)
            if row is not None and row.owner == self.owner:
                session.delete(row)


def holder(database: Database, study_id: int) -> str | None:
    """Return who runs the study at this moment, or ``None``."""
    with database.read() as session:
        row = session.get(LeaseRow, study_id)
        held = row is not None and row.expires > database.now(session) and is_alive(row.owner)
        return row.owner if held and row is not None else None


def request_stop(database: Database, study_id: int) -> bool:
    """Ask the running coordinator to stop; ``False`` where none runs."""
    if holder(database, study_id) is None:
        return False
    with database.write() as session:
        row = session.get(LeaseRow, study_id)
        if row is not None:
            row.stop_requested = True
        return row is not None


def is_alive(owner: str) -> bool:
    """Tell whether ``owner`` may still be running; a process of another host always may."""
    host, pid, ticks = owner.rsplit(":", 2)
    return host != socket.gethostname() or _start_ticks(int(pid)) == ticks


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
