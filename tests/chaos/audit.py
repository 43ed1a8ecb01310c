"""Checks the invariants of a database and its artifacts, which hold whenever a process was killed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

_TRIALS = "SELECT trial_id, number, state FROM trials ORDER BY number"
_OF_OPTUNA = {
    "value": "SELECT trial_id, value FROM trial_values",
    "params": "SELECT trial_id, param_name, param_value FROM trial_params ORDER BY param_name",
    "attributes": "SELECT trial_id, key, value_json FROM trial_user_attributes ORDER BY key",
    "reports": "SELECT trial_id, step, intermediate_value FROM trial_intermediate_values ORDER BY step",
}
_EPOCHS = "SELECT trial_number, epoch FROM tuner_epoch ORDER BY trial_number, epoch"
_FILES = " UNION ALL ".join(f"SELECT path, sha256 FROM tuner_{kind}" for kind in ("model", "checkpoint", "refit"))
_TWICE = (
    "SELECT trial_number FROM tuner_attempt WHERE outcome IN ('complete', 'pruned', 'failed') "
    "GROUP BY trial_number HAVING COUNT(*) > 1"
)
_UNENDED = "SELECT COUNT(*) FROM tuner_attempt WHERE outcome IS NULL"
FINISHED = {"COMPLETE", "PRUNED", "FAIL"}


@dataclass
class Audit:
    """Checks one study repeatedly; a trial that has ended must not change.

    Attributes:
        engine: Connects to the database.
        artifacts: The artifact folder.
        finished: The trials that have ended, as they were at the first check after their end.
    """

    engine: Engine
    artifacts: Path
    finished: dict[int, Any] = field(default_factory=dict)

    def check(self, *, running: int = 0) -> dict[int, str]:
        """Check all invariants, and return the state of every trial by number.

        Args:
            running: How many attempts may be without an end: those of a run that was just killed.
        """
        self._check_integrity()
        states = self._check_trials()
        self._check_epochs()
        self._check_files()
        assert self._rows(_UNENDED)[0][0] <= running
        assert self._rows(_TWICE) == [], "a trial was run again after its result was written"
        return states

    def _rows(self, query: str) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def _check_integrity(self) -> None:
        if self.engine.dialect.name == "sqlite":
            assert self._rows("PRAGMA integrity_check") == [("ok",)]
            assert self._rows("PRAGMA foreign_key_check") == []

    def _check_trials(self) -> dict[int, str]:
        """Check that numbers have no gap and no duplicate, and that ended trials have not changed."""
        trials = self._rows(_TRIALS)
        assert [number for _, number, _ in trials] == list(range(len(trials)))
        facts: dict[int, dict[str, list[Any]]] = defaultdict(dict)
        for name, query in _OF_OPTUNA.items():
            for trial_id, *fact in self._rows(query):
                facts[trial_id].setdefault(name, []).append(fact)
        for trial_id, number, state in trials:
            current = (state, facts[trial_id])
            if number in self.finished:
                assert current == self.finished[number], f"trial {number} changed after its end"
            elif state in FINISHED:
                self.finished[number] = current
        return {number: state for _, number, state in trials}

    def _check_epochs(self) -> None:
        """Check that every trial has the epochs from 0 on, without gaps and duplicates."""
        by_trial: dict[int, list[int]] = defaultdict(list)
        for number, epoch in self._rows(_EPOCHS):
            by_trial[number].append(epoch)
        for number, epochs in by_trial.items():
            assert epochs == list(range(len(epochs))), f"the epochs of trial {number} are {epochs}"

    def _check_files(self) -> None:
        """Check that every file that a row refers to exists and has the recorded checksum."""
        for path, sha256 in self._rows(_FILES):
            content = (self.artifacts / path).read_bytes()
            assert hashlib.sha256(content).hexdigest() == sha256, f"{path} is damaged"
