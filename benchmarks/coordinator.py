"""Measure the cost of the coordinator itself: ask + five reports + tell, with a trainer that returns at once.

python benchmarks/coordinator.py [--sizes 100 1000 10000 50000] [--trials 50] [--sampler tpe] [--pruners asha]

For each size, a study that already has so many trials gets ``--trials`` more. The table has the CPU seconds until the
first of them begins, the CPU milliseconds per further trial, and the MiB by which the process grew meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from big_study import NAME, build, recipe
from machine import resident
from rich.console import Console
from tuner_storage import locate

from tuner import studies
from tuner.events import EpochEnd, Event, TrainerReady, TrialEnd
from tuner.jobs import Instruction, Job
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
        self.first = (0.0, 0.0)  # CPU time and memory when the trials begin

    @property
    def free(self) -> int:
        return 0 if self._busy else 1

    def warm_up(self) -> None:
        pass

    def start(self) -> None:
        self.first = time.process_time(), resident()
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


def measure(size: int, further: int, sampler: str, pruner: str) -> tuple[float, float, float]:
    """Return the CPU seconds before the first trial, the CPU milliseconds of each, and the MiB the process grew by."""
    search = recipe(size + further, EPOCHS).changed(search={"sampler": sampler, "pruner": pruner})
    with tempfile.TemporaryDirectory() as folder, studies.opened(locate(home=Path(folder)), create=True) as store:
        build(store, size, EPOCHS)
        stored = studies.create_or_resume(store, NAME, search, "0" * 64)
        with store.lease(stored.record.id, NAME) as lease:
            began, executor = time.process_time(), InstantExecutor()
            coordinator = build_coordinator(stored, search, lease, executor, Silent())
            coordinator.run()
            ended, (first, before) = time.process_time(), executor.first
            return first - began, 1000 * (ended - first) / further, resident() - before


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000, 10_000, 50_000], help="trials before")
    parser.add_argument("--trials", type=int, default=50, help="further trials that are measured [50]")
    parser.add_argument("--sampler", default="random", help="the sampler [random]")
    parser.add_argument("--pruners", nargs="*", default=["none", "median", "asha"], help="the pruners")
    options = parser.parse_args()
    table = new_table(f"CPU time per trial with 5 reports, sampler {options.sampler}, training not counted")
    for name in ("trials in the study", "pruner", "start, s", "per trial, ms", "grew by MiB"):
        table.add_column(name, justify="right")
    for size in options.sizes:
        for pruner in options.pruners:
            start, each, grew = measure(size, options.trials, options.sampler, pruner)
            table.add_row(f"{size:,}", pruner, f"{start:.1f}", f"{each:.1f}", f"{grew:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
