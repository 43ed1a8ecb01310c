"""The lease: the right to run a study. At most one live coordinator holds it."""

from __future__ import annotations

import contextlib
import logging
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import Engine

from storage.engine import Database
from storage.fence import install_fence
from storage.owner import describe_owner, is_alive, is_local, this_owner
from storage.retry import MAX_WAIT
from storage.tables import LeaseRow, StudyRow
from tuner.errors import RunError, StorageError

DURATION = timedelta(seconds=30)
RENEWAL = 5.0  # seconds between renewals

_log = logging.getLogger(__name__)


class LeaseHeldError(RunError):
    """Another coordinator holds the lease."""


class Lease:
    """The lease of one study. This process holds it within a ``with`` block.

    A thread renews the lease, so it does not expire while the coordinator is busy or the database is locked.

    Args:
        database: The database of the study.
        study_id: Our row of the study.
        study_name: The name of the study, for messages.
        engines: All engines through which this process writes the study. If the lease is lost, they cannot commit.
        wait: If another coordinator holds the lease, wait until it expires instead of failing at once.
    """

    def __init__(
        self,
        database: Database,
        study_id: int,
        study_name: str,
        *,
        engines: Sequence[Engine] = (),
        wait: bool = False,
    ) -> None:
        self._database = database
        self._study_id = study_id
        self._name = study_name
        self._engines = engines
        self._wait = wait
        self._released = threading.Event()
        self._stop_requested = False
        self._lost_by: RunError | None = None
        self._remove_fence: Callable[[], None] = lambda: None
        self.owner = this_owner()

    def acquire(self) -> None:
        """Take the lease. If its holder has died or stopped renewing it, take it over.

        Raises:
            LeaseHeldError: If another coordinator holds the lease, in this process or in another one.
            RunError: If the study was deleted.
        """
        with self._database.write() as session:
            # A study may not have a lease yet, but it always has a row. Of two runs that start at once, one waits here.
            if session.get(StudyRow, self._study_id, with_for_update=True) is None:
                raise RunError(f"study '{self._name}' was deleted meanwhile", hint="start it again")
            row = session.get(LeaseRow, self._study_id)
            now = self._database.now(session)
            if row is not None and self._is_held(row, now):
                raise LeaseHeldError(
                    f"study '{self._name}' is being run by {describe_owner(row.owner)} since {row.since:%H:%M:%S} UTC",
                    hint=f"stop it first: tuner study stop {shlex.quote(self._name)}, or if it hangs, start with "
                    "--take-over",
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
        """Acquire the lease and begin to renew it. Within the block, calls wait while the database is away."""
        self._acquire_in_time()
        self._database.retry.max_wait = MAX_WAIT
        self._database.retry.guard = self._renew
        self._remove_fence = install_fence(self._engines, self._study_id, self.owner, self._lost)
        threading.Thread(target=self._keep, name="tuner-lease", daemon=True).start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Release the lease. If the database cannot be written, the lease expires later.

        Raises:
            RunError: If the block failed and the lease is lost. The rows of the new coordinator may conflict with
                ours; the database then reports the conflict before the fence reports the lost lease.
        """
        self._released.set()
        self._remove_fence()
        self._database.retry.max_wait = 0.0
        ours = True
        with contextlib.suppress(StorageError):
            ours = self.release()
        if not ours and isinstance(error, Exception) and not isinstance(error, RunError):
            raise self._lost() from error

    def stop_was_requested(self) -> bool:
        """Return whether a stop of this run was requested, as of the last renewal. Does not read the database.

        Raises:
            RunError: If another coordinator has taken the lease over.
        """
        if self._lost_by is not None:
            raise self._lost_by
        return self._stop_requested

    def _is_held(self, row: LeaseRow, now: datetime) -> bool:
        """Return whether the holder still has a right to the lease.

        A live process of this machine keeps an expired lease: the clock may have been set, or the process was asleep.
        But if this lease waits (``--take-over``), even a live process loses the lease when it expires.
        """
        expired = row.expires <= now
        return is_alive(row.owner) and not (expired and (self._wait or not is_local(row.owner)))

    def _acquire_in_time(self) -> None:
        deadline = time.monotonic() + 2 * DURATION.total_seconds()
        while True:
            try:
                return self.acquire()
            except LeaseHeldError as error:
                if not self._wait:
                    raise
                if time.monotonic() > deadline:
                    raise LeaseHeldError(f"{error}, which keeps renewing its lease", hint=error.hint) from None
                _log.warning("%s: waiting for its lease to expire", error)
            time.sleep(1.0)

    def _keep(self) -> None:
        """Renew the lease until it is released. If the database is away, try again at the next renewal."""
        while not self._released.wait(RENEWAL):
            try:
                self._stop_requested = self._renew()
            except StorageError:
                _log.info("the lease could not be renewed", exc_info=True)
            except RunError as error:
                if not self._released.is_set():
                    self._lost_by = error
                return

    def _lost(self) -> RunError:
        return RunError(
            f"study '{self._name}' was taken over by another run while this one was asleep",
            hint=f"see who runs it: tuner study show {shlex.quote(self._name)}",
        )

    def renew(self) -> bool:
        """Extend the lease and return whether a stop of this run was requested.

        Raises:
            RunError: If another coordinator has taken the lease over.
        """
        return self._database.retry(self._renew)

    def _renew(self) -> bool:
        with self._database.write() as session:
            row = session.get(LeaseRow, self._study_id, with_for_update=True)
            if row is None or row.owner != self.owner:
                raise self._lost()
            row.expires = self._database.now(session) + DURATION
            return row.stop_requested

    def release(self) -> bool:
        """Give the lease back and return whether it was still ours."""
        with self._database.write() as session:
            row = session.get(LeaseRow, self._study_id, with_for_update=True)
            ours = row is not None and row.owner == self.owner
            if ours:
                session.delete(row)
            return ours


@dataclass(frozen=True, slots=True)
class Holding:
    """The holder of a lease. ``expires`` moves with each renewal. Times are UTC."""

    owner: str
    since: datetime
    expires: datetime

    def __str__(self) -> str:
        """Describe the holder for people."""
        return f"{describe_owner(self.owner)} since {self.since:%H:%M:%S}, lease until {self.expires:%H:%M:%S} UTC"


def holding(database: Database, study_id: int) -> Holding | None:
    """Return the holder of the study's lease, or ``None`` if the study is not running."""
    with database.read() as session:
        row = session.get(LeaseRow, study_id)
        if row is None or row.expires <= database.now(session) or not is_alive(row.owner):
            return None
        return Holding(row.owner, row.since, row.expires)


def holder(database: Database, study_id: int) -> str | None:
    """Return the owner of the study's lease, or ``None`` if the study is not running."""
    current = holding(database, study_id)
    return None if current is None else current.owner


def request_stop(database: Database, study_id: int) -> bool:
    """Request that the coordinator stops. Return ``False`` if the study is not running."""
    if holder(database, study_id) is None:
        return False
    with database.write() as session:
        row = session.get(LeaseRow, study_id, with_for_update=True)
        if row is not None:
            row.stop_requested = True
        return row is not None
