"""The lease: the right to run a study. One live coordinator holds it, or several hold shared ones."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import Connection, Engine, select

from tuner.command_line import command
from tuner.errors import RunError, StorageError, StudyChangedError
from tuner.times import for_people
from tuner_storage.engine import Database
from tuner_storage.fence import install_fence
from tuner_storage.identity import is_linked, name_of
from tuner_storage.owner import describe_owner, is_alive, is_local, this_owner
from tuner_storage.retry import MAX_WAIT
from tuner_storage.tables import LeaseRow, StudyRow

DURATION = timedelta(seconds=30)
RENEWAL = 5.0  # seconds between renewals
LOOK = 0.1  # seconds between two looks for a request to stop: each reads one row

_log = logging.getLogger(__name__)


class LeaseHeldError(RunError):
    """Another coordinator holds the lease."""


class LeaseLostError(RunError):
    """This run may no longer write the study: another run has taken it over."""


class StudyGoneError(LeaseLostError):
    """This run may no longer write the study: another program has deleted or renamed it."""


class Lease:
    """The lease of one study. This process holds it within a ``with`` block.

    A thread renews the lease, so it does not expire while the coordinator is busy or the database is locked.

    Args:
        database: The database of the study.
        study_id: Our row of the study.
        study_name: The name of the study, for messages.
        engines: All engines through which this process writes the study. If the lease is lost, they cannot commit.
        wait: If another coordinator holds the lease, wait until it expires instead of failing at once.
        shared: Other coordinators may hold shared leases of the same study at the same time.

    Attributes:
        owner: This process, as the row of the lease names it.
        shared: As the argument.
    """

    def __init__(
        self,
        database: Database,
        study_id: int,
        study_name: str,
        *,
        engines: Sequence[Engine] = (),
        wait: bool = False,
        shared: bool = False,
    ) -> None:
        self._database = database
        self._study_id = study_id
        self._name = study_name
        self._engines = engines
        self._wait = wait
        self.shared = shared
        self._released = threading.Event()
        self._stop_requested = False
        self._looked = 0.0  # when the row was last read for a request to stop
        self._lost_by: RunError | None = None
        self._optuna_id = 0
        self._remove_fence: Callable[[], None] = lambda: None
        self.owner = this_owner()

    def acquire(self) -> None:
        """Take the lease. If its holder has died or stopped renewing it, take it over.

        Raises:
            LeaseHeldError: If another coordinator holds the lease, in this process or in another one. A shared lease is
                refused only beside one that is not shared, or in a process that has one already.
            StudyGoneError: If the study was deleted.
        """
        with self._database.write() as session:
            # A study may not have a lease yet, but it always has a row. Of two runs that start at once, one waits here.
            study = session.get(StudyRow, self._study_id, with_for_update=True)
            if study is None or not is_linked(session.connection(), self._study_id, study.optuna_id):
                raise StudyGoneError(f"study '{self._name}' was deleted meanwhile", hint="start it again")
            self._optuna_id = study.optuna_id
            now = self._database.now(session)
            for row in session.scalars(select(LeaseRow).where(LeaseRow.study_id == self._study_id)):
                if not self._is_held(row, now):
                    session.delete(row)
                elif not (self.shared and row.shared) or row.owner == self.owner:
                    raise LeaseHeldError(
                        f"study '{self._name}' is being run by {describe_owner(row.owner)}"
                        f" since {for_people(row.since)}",
                        hint=f"stop it first: {command('study stop', self._name)},"
                        " or if it hangs, start with --take-over",
                    )
            session.flush()
            session.add(
                LeaseRow(
                    study_id=self._study_id, owner=self.owner, since=now, expires=now + DURATION, shared=self.shared
                )
            )

    def __enter__(self) -> Self:
        """Acquire the lease and begin to renew it. Within the block, calls wait while the database is away."""
        self._acquire_in_time()
        self._database.retry.max_wait = MAX_WAIT
        self._database.retry.guard = self._renew
        if self._engines:
            self._remove_fence = install_fence(
                self._engines, self._study_id, self._optuna_id, self.owner, self._why_lost
            )
        threading.Thread(target=self._keep, name="tuner-lease", daemon=True).start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Release the lease. If the database cannot be written, the lease expires later.

        Raises:
            LeaseLostError: If the block failed and the lease is lost. The rows of the new coordinator may conflict with
                ours, and the rows of a deleted study are missing. Another error reports that before the fence does.
        """
        self._released.set()
        self._remove_fence()
        self._database.retry.max_wait = 0.0
        reason: LeaseLostError | None = None
        if self._engines and isinstance(error, Exception) and not isinstance(error, LeaseLostError):
            reason = self.reason_lost()
        with contextlib.suppress(StorageError):
            self.release()
        if reason is not None and (not isinstance(error, RunError) or isinstance(error, StudyChangedError)):
            raise reason from error

    def stop_was_requested(self) -> bool:
        """Return whether a stop of this run was requested. Reads the database at most every ``LOOK`` seconds.

        While the database is away, the last answer holds.

        Raises:
            LeaseLostError: If another coordinator has taken the lease over, or the study was deleted.
        """
        if self._lost_by is not None:
            raise self._lost_by
        if not self._stop_requested and time.monotonic() - self._looked >= LOOK:
            with contextlib.suppress(StorageError), self._database.read() as session:
                row = session.get(LeaseRow, (self._study_id, self.owner))
                self._stop_requested = row is not None and row.stop_requested
            self._looked = time.monotonic()
        return self._stop_requested

    def _is_held(self, row: LeaseRow, now: datetime) -> bool:
        """Return whether the holder still has a right to the lease.

        A live process of this machine keeps an expired lease: the clock may have been set, or the process was asleep.
        But if this lease waits (``--take-over``), even a live process loses the lease when it expires. A shared one is
        lost too: the server's clock decides, and the other coordinators go on with the trials.
        """
        expired = row.expires <= now
        return is_alive(row.owner) and not (expired and (self._wait or row.shared or not is_local(row.owner)))

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
                self._renew()
            except StorageError:
                _log.info("the lease could not be renewed", exc_info=True)
            except RunError as error:
                if not self._released.is_set():
                    self._lost_by = error
                return

    def reason_lost(self) -> LeaseLostError | None:
        """Return why this run may no longer write, or ``None`` if it still may or the database cannot be read.

        After a study was deleted, a write can fail with another error, because the rows that it refers to are missing.
        """
        with contextlib.suppress(StorageError), self._database.read() as session:
            row = session.get(LeaseRow, (self._study_id, self.owner))
            if row is None or not is_linked(session.connection(), self._study_id, self._optuna_id):
                return self._why_lost(session.connection())
        return None

    def _why_lost(self, connection: Connection) -> LeaseLostError:
        """Return the error of a run that has lost its lease or its study."""
        if is_linked(connection, self._study_id, self._optuna_id):
            return LeaseLostError(
                f"study '{self._name}' was taken over by another run while this one was asleep",
                hint=f"see who runs it: {command('study show', self._name)}",
            )
        new_name = name_of(connection, self._study_id)
        if new_name is None:
            return StudyGoneError(f"study '{self._name}' was deleted while it ran")
        return StudyGoneError(
            f"study '{self._name}' was renamed to '{new_name}' while it ran",
            hint=f"every result is kept; continue it: {command('study start', new_name)}",
        )

    def renew(self) -> None:
        """Extend the lease.

        Raises:
            LeaseLostError: If another coordinator has taken the lease over, or the study was deleted.
        """
        self._database.retry(self._renew)

    def _renew(self) -> None:
        with self._database.write() as session:
            row = session.get(LeaseRow, (self._study_id, self.owner), with_for_update=True)
            if row is None or not is_linked(session.connection(), self._study_id, self._optuna_id):
                raise self._why_lost(session.connection())
            row.expires = self._database.now(session) + DURATION

    def release(self) -> bool:
        """Give the lease back and return whether it was still ours."""
        with self._database.write() as session:
            row = session.get(LeaseRow, (self._study_id, self.owner), with_for_update=True)
            if row is not None:
                session.delete(row)
            return row is not None
