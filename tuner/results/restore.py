"""Restores a model whose file is missing or damaged, by training its trial again."""

from __future__ import annotations

import shutil
from dataclasses import replace

from tuner.command_line import command
from tuner.errors import UsageError
from tuner.events import ModelFile
from tuner.files import atomic_path
from tuner.results.trials import TrialResult
from tuner.studies import StoredStudy


def restoring(study: str, number: int) -> str:
    """Return the command that restores the model of a trial."""
    return command("study reproduce", study, trial=number, restore=True)


def check_restorable(stored: StoredStudy, trial: TrialResult) -> None:
    """Check that a trial can have a model, and that it has no intact one.

    Raises:
        UsageError: If the trial is not complete, or its model is intact.
    """
    name = stored.study.study_name
    if trial.state != "complete":
        raise UsageError(
            f"trial {trial.number} of '{name}' is {trial.state}: only a complete trial has a model",
            hint=f"`{command('study trials', name)}` lists all trials",
        )
    kept = stored.store.models(stored.record.id).get(trial.number)
    if kept and stored.store.artifacts.fault(kept, quick=False) is None:
        raise UsageError(
            f"the model of trial {trial.number} of '{name}' is intact: there is nothing to restore",
            hint=f"export it: {command('export', name, trial=trial.number, o='model/')}",
        )


def keep_model(stored: StoredStudy, number: int, model: ModelFile) -> None:
    """Copy a model that was trained again to the artifacts, and record it.

    Raises:
        OSError: If the file cannot be written.
    """
    path = stored.store.artifacts.restored_path(stored.record.id, number)
    with atomic_path(path) as temporary:
        shutil.copyfile(model.path, temporary)
    stored.store.restore_model(stored.record.id, number, replace(model, path=path))
