"""Resident memory of one worker after 10 and after 60 trials, and what it costs to replace a worker.

python benchmarks/memory.py [--trials 60]

Random trials of the recipe for the digits, one after the other in one process, as a worker trains them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import optuna

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.recipe import load_recipe
from tuner.executors import LocalExecutor
from tuner.jobs import TrainerSetup, TrialEnd, TrialJob
from tuner.search.ask_tell import AskTell
from tuner.training.trainer import Trainer


def resident(process: int | str = "self") -> float:
    """Return the resident memory of a process in MiB."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this system does not tell a process its resident memory in /proc")


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    options = parser.parse_args()
    recipe = load_recipe("digits")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    ask_tell = AskTell(study, recipe.changed(budget={"trials": options.trials}, search={"sampler": "random"}))
    trainer = Trainer(TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu"), threads=1)
    seen: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, options.trials + 1):
            asked = ask_tell.ask()
            if asked is None:
                break
            job = TrialJob(number, 0, number, asked.hyperparameters, 3, None, Path(folder) / "model.keras")
            trainer.train(job, lambda _event: None, lambda _at_rung: None)
            seen[number] = resident()
            if number in {1, 10, 30} or number == options.trials:
                print(f"after {number:>3} trials: {seen[number]:.0f} MiB", flush=True)
    print(f"growth from 10 to {options.trials}: {100 * (seen[options.trials] / seen[10] - 1):.1f} %")


def replacement() -> None:
    """Print how long a slot is empty when its process is replaced, and what the new process takes."""
    data = Path(os.environ["TUNER_DATA"]) if "TUNER_DATA" in os.environ else None
    name = "mnist" if data else "digits"
    setup = TrainerSetup(name, data, 0.2, 0, "val_accuracy", maximize=True, device="cpu")
    executor = LocalExecutor(setup, 1, trials_per_process=1)
    executor.start()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(4):
            began = time.perf_counter()
            while not executor.free:
                executor.poll(0.01)
            waited, process = time.perf_counter() - began, executor.processes[0]
            if number:
                print(f"replaced on {name}: ready after {waited:.2f} s with {resident(process):.0f} MiB", flush=True)
            small = Hyperparameters(layers=2, units=64, batch_size=256)
            executor.submit([TrialJob(number, 0, number, small, 1, None, Path(folder) / "model.keras")])
            while not any(isinstance(event, TrialEnd) for event in executor.poll(0.1)):
                pass
    executor.close()


if __name__ == "__main__":
    main()
    replacement()
