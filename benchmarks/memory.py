"""Measure the resident memory of one worker after 10 and after 60 trials, and the time to replace a worker.

python benchmarks/memory.py [--trials 60] [--epochs 3] [--replacements 3]

One process trains random trials of the recipe for the digits, one after the other, as a worker does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import optuna
from machine import data_folder, resident

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.recipe_files import load_recipe
from tuner.events import TrialEnd
from tuner.executors.local import LocalExecutor
from tuner.jobs import TrainerSetup, TrialJob
from tuner.search.ask_tell import AskTell
from tuner.training.trainer import Trainer


def main() -> None:
    """Print the growth of one worker, then the cost of replacing a worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60, help="trials of one worker [60]")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of each trial [3]")
    parser.add_argument("--replacements", type=int, default=3, help="how often a worker is replaced [3]")
    options = parser.parse_args()
    growth(options.trials, options.epochs)
    replacement(options.replacements)


def growth(trials: int, epochs: int) -> None:
    """Train random trials in this process and print its resident memory."""
    recipe = load_recipe("digits")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    ask_tell = AskTell(study, recipe.changed(budget={"trials": trials}, search={"sampler": "random"}))
    trainer = Trainer(TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu"), threads=1)
    memory: dict[int, float] = {}  # MiB after so many trials
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, trials + 1):
            trial = ask_tell.ask()
            if trial is None:
                break
            job = TrialJob(number, 0, number, trial.hyperparameters, epochs, None, Path(folder) / "model.keras")
            trainer.train(job, lambda _event: None, lambda _at_rung: None)
            memory[number] = resident()
            if number in {1, 10, 30} or number == trials:
                print(f"after {number:>3} trials: {memory[number]:.0f} MiB", flush=True)
    first = min(10, trials)
    print(f"growth from {first} to {trials}: {100 * (memory[trials] / memory[first] - 1):.1f} %")


def replacement(times: int) -> None:
    """Print how long a slot has no worker while its process is replaced, and the memory of the new process."""
    folder = data_folder()
    data = "mnist" if folder else "digits"
    setup = TrainerSetup(data, folder, 0.2, 0, "val_accuracy", maximize=True, device="cpu")
    executor = LocalExecutor(setup, 1, trials_per_process=1)
    executor.start()
    with tempfile.TemporaryDirectory() as home:
        for number in range(times + 1):
            began = time.perf_counter()
            while not executor.free:
                executor.poll(0.01)
            seconds, process = time.perf_counter() - began, executor.processes[0]
            if number:  # the first process replaces none
                print(f"replaced on {data}: ready after {seconds:.2f} s with {resident(process):.0f} MiB", flush=True)
            small = Hyperparameters(layers=2, units=64, batch_size=256)
            executor.submit([TrialJob(number, 0, number, small, 1, None, Path(home) / "model.keras")])
            while not any(isinstance(event, TrialEnd) for event in executor.poll(0.1)):
                pass
    executor.close()


if __name__ == "__main__":
    main()
