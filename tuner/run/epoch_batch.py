"""Writes several epochs of short trials in one transaction.

An epoch of a small network takes milliseconds, and so does the transaction that writes it. So epochs are written with
the next turn of their study, see :mod:`tuner.run.sharing`, or after a pause. An epoch that is not written yet counts as
not trained: if the run dies, its trial goes on from the last checkpoint, which is always written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tuner_storage import Store
from tuner_storage.optuna_rows import Report

from tuner.events import EpochEnd

PAUSE = 0.25  # seconds between two writes, unless a write is needed earlier


class EpochBatch:
    """The finished epochs that are not written yet.

    Args:
        store: Where they are written.
        study_id: Our row of the study.
    """

    def __init__(self, store: Store, study_id: int) -> None:
        self._store = store
        self._study_id = study_id
        self._ends: list[EpochEnd] = []
        self._reports: list[Report] = []
        self._written = float("-inf")

    def add(self, end: EpochEnd, report: Report) -> None:
        """Add an epoch. It is written at once if it has a checkpoint, or if the last write is long enough ago."""
        self._ends.append(end)
        self._reports.append(report)
        if end.checkpoint is not None:
            self.write()
        else:
            self.write_if_due()

    def write_if_due(self) -> None:
        """Write the epochs if the last write is long enough ago."""
        if self._ends and time.monotonic() - self._written >= PAUSE:
            self.write()

    def write(self) -> None:
        """Write the epochs. Those that cannot be written are dropped, unless this is done within :meth:`kept`.

        Raises:
            StorageError: If the database cannot be written.
        """
        if not self._ends:
            return
        ends, reports, self._ends, self._reports = self._ends, self._reports, [], []
        self._store.add_epochs(self._study_id, ends, reports)
        self._written = time.monotonic()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the epochs that are written in the block if it fails, because its transaction was rolled back then."""
        before = self._ends, self._reports
        try:
            yield
        except BaseException:
            self._ends, self._reports = before
            raise
