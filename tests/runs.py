"""Runs studies with the scripted trainer: real storage and real samplers, no TensorFlow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tuner_storage import Location, locate

from tests.scripted import ScriptedTrainer
from tuner import studies
from tuner.config.recipe import Recipe
from tuner.errors import RunError
from tuner.executors.base import Executor
from tuner.executors.inline import InlineExecutor
from tuner.executors.local import LocalExecutor
from tuner.jobs import TrainerSetup
from tuner.results.trials import TrialResult
from tuner.run.build import build_coordinator
from tuner.run.coordinator import Coordinator
from tuner.run.progress import Ended, Plan, RunView
from tuner.study import Study

SETUP = TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True)


@dataclass
class Recorder:
    """Records what a run shows: all views, and the ends of its trials."""

    views: list[RunView] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)
    on_update: Callable[[RunView], None] = lambda view: None

    def planned(self, plan: Plan) -> None:
        """Ignore the plan."""

    def update(self, view: RunView) -> None:
        self.views.append(view)
        self.on_update(view)

    def ended(self, end: Ended, view: RunView) -> None:
        self.ends.append(end)


def run_scripted(
    home: Path,
    recipe: Recipe,
    *,
    name: str = "small",
    workers: int = 0,
    stop: Callable[[], str | None] = lambda: None,
    recorder: Recorder | None = None,
    executor: Executor | None = None,
    test_all: bool = False,
    location: Location | None = None,
    take_over: bool = False,
    shared_as: str | None = None,
    **search_options: Any,
) -> Coordinator:
    """Run a study until its budget is spent or it stops, and return its coordinator.

    Args:
        home: The home folder; its database is used if there is no ``location``.
        recipe: The search.
        name: The study's name.
        workers: How many worker processes train; 0 trains in this process.
        stop: Called in every turn; returns why to stop at once, or ``None``.
        recorder: Receives the progress.
        executor: Used instead of one for ``workers``.
        test_all: Evaluate every kept model on the test split.
        location: The database.
        take_over: Wait until the lease of another run expires.
        shared_as: Share the study, as this owner of a lease.
        search_options: Further arguments of :func:`tuner.run.build.build_coordinator`.
    """
    if executor is None:
        executor = LocalExecutor(SETUP, workers, ScriptedTrainer) if workers else InlineExecutor(SETUP, ScriptedTrainer)
    with studies.opened(location or locate(home=home), create=True) as store:
        stored = studies.create_or_resume(store, name, recipe, "0" * 64)
        lease = store.lease(stored.record.id, name, wait=take_over, shared=shared_as is not None)
        lease.owner = shared_as or lease.owner
        with lease:
            store.change_recipe(stored.record.id, recipe.model_dump(mode="json"))
            coordinator = build_coordinator(
                stored, recipe, lease, executor, recorder or Recorder(), stop_requested=stop, **search_options
            )
            coordinator.run(test_all=test_all)
    return coordinator


def run_in_vain(home: Path, recipe: Recipe, ends: str, **options: Any) -> None:
    """Run a study of which no trial completes. ``ends`` says how they end, such as ``2 failed``."""
    with pytest.raises(RunError, match=rf"no trial of 'small' completed \({ends}\)") as caught:
        run_scripted(home, recipe, **options)
    assert (caught.value.exit_code, caught.value.hint) == (1, "see each one: tuner study trials small")


def trials_of(home: Path, recipe: Recipe, name: str = "small") -> list[TrialResult]:
    """Return the trials of a study."""
    return Study(name, recipe, Location(locate(home=home).url, home / "artifacts"), None).trials()


def rows(home: Path, query: str) -> list[Any]:
    """Return the rows of a query, read without any code of tuner."""
    with sqlite3.connect(home / "studies.db") as connection:
        return connection.execute(query).fetchall()


def epochs_of(home: Path, number: int = 0) -> list[int]:
    """Return the stored epochs of a trial in order. If there is no database yet, there are no epochs."""
    try:
        stored = rows(home, f"SELECT epoch FROM tuner_epoch WHERE trial_number = {number} ORDER BY epoch")
    except sqlite3.OperationalError:
        return []
    return [epoch for (epoch,) in stored]
