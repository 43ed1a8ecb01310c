"""Compare the executors: inline, worker processes on this machine, and actors of a Ray cluster on this machine.

TUNER_DATA=FOLDER python benchmarks/executors.py [--workers 2] [--rounds 1] [--small] [--events-only]

The first table has the milliseconds that an epoch and a trial cost beside the training, with one trainer that trains
nothing: an epoch event alone, an epoch after which the trainer waits for an instruction, and a trial of one epoch. The
second table has the seconds of the grid of `throughput.py` through worker processes and through Ray, one after the
other, and the throughput of Ray as a share of that of the processes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import contestants
from idle_trainer import IdleTrainer
from machine import data_folder
from rich.console import Console

from tuner.config.hyperparameters import Hyperparameters
from tuner.events import EpochEnd, Event, TrainerReady, TrainerUnavailable, TrialEnd, WorkerLost
from tuner.executors.base import Executor
from tuner.executors.resources import Resources
from tuner.jobs import Instruction, TrainerSetup, TrialJob
from tuner.report.tables import new_table

SETUP = TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True)
METRICS = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"), 1 / 3)
EXECUTORS = ("inline", "local", "ray")


def executor_of(name: str) -> Executor:
    """Return an executor with one idle trainer."""
    if name == "inline":
        from tuner.executors.inline import InlineExecutor

        return InlineExecutor(SETUP, IdleTrainer)
    if name == "local":
        from tuner.executors.local import LocalExecutor

        return LocalExecutor(SETUP, 1, IdleTrainer)
    from tuner.executors.ray import RayExecutor

    return RayExecutor(SETUP, Resources(workers=1), IdleTrainer)


def overhead(name: str, epochs: int, trials: int) -> tuple[float, float, float]:
    """Return the milliseconds per epoch event, per epoch with an instruction, and those of a trial with one epoch."""
    executor = executor_of(name)
    executor.start()
    _until(executor, lambda event: isinstance(event, TrainerReady))
    with tempfile.TemporaryDirectory() as folder:

        def seconds(number: int, epochs: int, *, wait: bool = False) -> float:
            rungs = tuple(range(1, epochs + 1)) if wait else ()
            path = Path(folder) / f"{number}.keras"
            began = time.perf_counter()
            executor.submit([TrialJob(number, 0, 1, Hyperparameters(), epochs, None, path, rungs=rungs)])
            _until(executor, lambda event: isinstance(event, TrialEnd), answer=wait)
            return time.perf_counter() - began

        seconds(0, 10)
        single = statistics.median(seconds(number, 1) for number in range(1, 1 + trials))
        many = seconds(1 + trials, epochs)
        answered = seconds(2 + trials, epochs, wait=True)
    executor.close()
    each, waiting = ((total - single) / (epochs - 1) for total in (many, answered))
    return 1000 * each, 1000 * waiting, 1000 * single


def _until(executor: Executor, done: Callable[[Event], bool], *, answer: bool = False) -> None:
    while True:
        for event in executor.poll(0.5):
            if answer and isinstance(event, EpochEnd):
                executor.instruct(event.number, Instruction.CONTINUE)
            if done(event):
                return
            if isinstance(event, WorkerLost | TrainerUnavailable):
                raise SystemExit(str(event))


def grid(executor: str, *, workers: int, small: bool) -> float:
    """Return the seconds of the grid, in a process of its own."""
    arguments = ["--child", executor, "--workers", str(workers), *["--small"] * small]
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{executor} failed:\n{done.stderr[-2000:]}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="[2]")
    parser.add_argument("--rounds", type=int, default=1, help="of the grid [1]")
    parser.add_argument("--epochs", type=int, default=500, help="events of the first table [500]")
    parser.add_argument("--events-only", action="store_true", help="only the first table")
    parser.add_argument("--small", action="store_true", help="one configuration of the digits, to show that it works")
    parser.add_argument("--child", choices=EXECUTORS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    task = contestants.SMALL if options.small else contestants.MNIST
    if options.child:
        print(contestants.run_tuner(task, data_folder(), options.workers, options.child).seconds)
        return
    events = new_table()
    for column in ("executor", "ms per event", "with instruction", "per trial"):
        events.add_column(column, justify="left" if column == "executor" else "right")
    for name in EXECUTORS:
        costs = overhead(name, options.epochs, trials=20)
        events.add_row(name, *(f"{cost:.2f}" for cost in costs))
    Console().print(events)
    if options.events_only:
        return
    rounds = [
        {name: grid(name, workers=options.workers, small=options.small) for name in ("local", "ray")}
        for _ in range(options.rounds)
    ]
    medians = {name: statistics.median(each[name] for each in rounds) for name in ("local", "ray")}
    table = new_table()
    for column in ("executor", "seconds of the grid", "throughput"):
        table.add_column(column, justify="left" if column == "executor" else "right")
    for name, value in medians.items():
        table.add_row(name, f"{value:.1f}", f"{medians['local'] / value:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
