"""What must be true of a database and its artifacts at every moment, whatever was killed."""

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
    """Looks at one study again and again; what was finished once may never change."""

    engine: Engine
    artifacts: Path
    finished: dict[int, Any] = field(default_factory=dict)

    def look(self, *, running: int = 0) -> dict[int, str]:
        """Check everything and return the state of each trial.

        Args:
            running: How many attempts may be open: those of a run that was killed a moment ago.
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
        """Numbers have no gap and none comes twice; finished trials are as they were when they were first seen."""
        trials = self._rows(_TRIALS)
        assert [number for _, number, _ in trials] == list(range(len(trials)))
        facts: dict[int, dict[str, list[Any]]] = defaultdict(dict)
        for name, query in _OF_OPTUNA.items():
            for trial_id, *fact in self._rows(query):
                facts[trial_id].setdefault(name, []).append(fact)
        for trial_id, number, state in trials:
            seen = (state, facts[trial_id])
            if number in self.finished:
                assert seen == self.finished[number], f"trial {number} changed after its end"
            elif state in FINISHED:
                self.finished[number] = seen
        return {number: state for _, number, state in trials}

    def _check_epochs(self) -> None:
        """Each trial has the epochs from 0 on, without a gap and none twice."""
        epochs: dict[int, list[int]] = defaultdict(list)
        for number, epoch in self._rows(_EPOCHS):
            epochs[number].append(epoch)
        for number, found in epochs.items():
            assert found == list(range(len(found))), f"the epochs of trial {number} are {found}"

    def _check_files(self) -> None:
        """Every file that a row names is there, and is the one that was written."""
        for path, sha256 in self._rows(_FILES):
            content = (self.artifacts / path).read_bytes()
            assert hashlib.sha256(content).hexdigest() == sha256, f"{path} is damaged"
