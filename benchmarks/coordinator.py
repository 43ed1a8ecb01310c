"""Measure the cost of the coordinator itself: ask + five reports + tell, with a trainer that returns at once.

python benchmarks/coordinator.py [--sizes 100 1000 10000] [--trials 100]

For each size, a study that already has so many trials gets ``--trials`` more. The table has the milliseconds per
further trial, and the MiB by which the process grew.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import optuna
from machine import resident
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial
from rich.console import Console
from tuner_storage import locate

from tuner import studies
from tuner.config.recipe import Recipe, parse_recipe
from tuner.jobs import EpochEnd, Event, Instruction, Job, TrainerReady, TrialEnd
from tuner.records import Outcome
from tuner.report.tables import new_table
from tuner.run.build import build_coordinator
from tuner.run.progress import Silent

EPOCHS = 5


class InstantExecutor:
    """Answers every job at once with five epochs and an end, without training."""

    slots = 1
    next_device = None

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._busy = True

    @property
    def free(self) -> int:
        return 0 if self._busy else 1

    def warm_up(self) -> None:
        pass

    def start(self) -> None:
        self._events.append(TrainerReady("none"))

    def submit(self, jobs: Sequence[Job]) -> None:
        self._busy = True
        for job in jobs:
            value = (job.number * 7919 % 1000) / 1000
            metrics = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"), value)
            self._events.extend(EpochEnd(job.number, epoch, metrics, 0.0) for epoch in range(EPOCHS))
            self._events.append(TrialEnd(job.number, Outcome.COMPLETE, None, metrics, 0, EPOCHS, 1000))

    def poll(self, timeout: float) -> list[Event]:
        event = self._events.popleft()
        self._busy = isinstance(event, EpochEnd)
        return [event]

    def instruct(self, number: int, verdict: Instruction) -> None:
        pass

    def kill(self, number: int) -> None:
        pass

    def close(self) -> None:
        pass


def recipe(trials: int, pruner: str) -> Recipe:
    """Return a recipe of twelve dimensions, as many as the search for MNIST has."""
    names = ("learning_rate", "dropout", "input_dropout", "weight_decay", "label_smoothing")
    space: dict[str, object] = {name: {"type": "float", "low": 1e-4, "high": 0.5} for name in names}
    space |= {"layers": {"type": "int", "low": 3, "high": 3}, "units": {"type": "int", "low": 16, "high": 64}}
    space |= {"optimizer": {"type": "choice", "choices": ["adam", "sgd"]}}
    space |= {"batch_norm": {"type": "choice", "choices": [False, True]}}
    space |= {"batch_size": {"type": "choice", "choices": [32, 64]}}
    return parse_recipe(
        {
            "name": "cost",
            "data": "digits",
            "budget": {"trials": trials, "epochs": EPOCHS},
            "search": {"sampler": "random", "pruner": pruner},
            "space": space,
        },
        "benchmark",
    )


def measure(size: int, further: int, pruner: str) -> tuple[float, float]:
    """Return the milliseconds per trial after the first ``size``, and the MiB by which the process grew meanwhile."""
    search = recipe(size + further, pruner)
    with tempfile.TemporaryDirectory() as home, studies.opened(locate(home=Path(home)), create=True) as store:
        stored = studies.create_or_resume(store, "cost", search, "0" * 64)
        stored.study.add_trials(finished(number) for number in range(size))
        with store.lease(stored.record.id, "cost") as lease:
            coordinator = build_coordinator(stored, search, lease, InstantExecutor(), Silent())
            began, before = time.perf_counter(), resident()
            coordinator.run()
            return 1000 * (time.perf_counter() - began) / further, resident() - before


def finished(number: int) -> optuna.trial.FrozenTrial:
    """Return a complete trial of an earlier run."""
    value = (number * 7919 % 1000) / 1000
    return create_trial(
        value=value,
        params={"dropout": 0.1},
        distributions={"dropout": FloatDistribution(1e-4, 0.5)},
        intermediate_values=dict.fromkeys(range(EPOCHS), value),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000, 10_000], help="trials in the study before")
    parser.add_argument("--trials", type=int, default=100, help="further trials that are measured [100]")
    options = parser.parse_args()
    table = new_table("Milliseconds per trial with 5 reports, random sampler, training not counted")
    for column in ("trials in the study", "pruner none", "grew by MiB", "pruner median", "grew by MiB"):
        table.add_column(column, justify="right")
    for size in options.sizes:
        figures = (measure(size, options.trials, pruner) for pruner in ("none", "median"))
        table.add_row(str(size), *(f"{figure:.1f}" for pair in figures for figure in pair))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
