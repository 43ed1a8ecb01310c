"""Jobs for the scripted trainer, and trainers that cannot start."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.scripted import ScriptedTrainer
from tuner.config.hyperparameters import Hyperparameters
from tuner.errors import RunError
from tuner.events import Event
from tuner.executors.base import Executor
from tuner.jobs import RefitJob, TrainerSetup, TrialJob

DEADLINE = 120.0  # seconds; a hang fails the test instead of stopping the suite


def refuse(setup: TrainerSetup, threads: int | None) -> ScriptedTrainer:
    """Fail like a trainer without a GPU."""
    raise RunError("no GPU was found", hint="use --device auto")


def fail_to_import(setup: TrainerSetup, threads: int | None) -> ScriptedTrainer:
    """Fail like a trainer whose backend is not installed."""
    raise ModuleNotFoundError("No module named 'jaxx'")


def exit_quietly(setup: TrainerSetup, threads: int | None) -> ScriptedTrainer:
    """Fail like a library that ends the program."""
    sys.exit(3)


def abort(setup: TrainerSetup, threads: int | None) -> ScriptedTrainer:
    """Fail like a library that ends the process."""
    print("cannot load the driver", file=sys.stderr, flush=True)  # noqa: T201 - as a library does it
    os.abort()


def job(folder: Path, number: int = 0, *, kind: int = 64, epochs: int = 3, attempt: int = 0) -> TrialJob:
    """Return a job for the scripted trainer."""
    hyperparameters = Hyperparameters(learning_rate=0.1, batch_size=kind)
    return TrialJob(number, attempt, 7, hyperparameters, epochs, None, folder / f"trial-{number}.keras")


def refit_job(folder: Path, number: int = 4, *, kind: int = 64, epochs: int = 3) -> RefitJob:
    """Return a refit for the scripted trainer."""
    hyperparameters = Hyperparameters(learning_rate=0.1, batch_size=kind)
    return RefitJob(number, 7, hyperparameters, epochs, 9, folder / f"refit-{number}.keras")


def until(executor: Executor, done: Callable[[Event], bool]) -> list[Event]:
    """Poll until an event satisfies ``done``; return all events."""
    events: list[Event] = []
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        for event in executor.poll(0.2):
            events.append(event)
            if done(event):
                return events
    raise AssertionError(f"nothing came, only {events}")
