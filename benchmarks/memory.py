"""Resident memory of one worker after 10 and after 60 trials.

python benchmarks/memory.py [--trials 60]

Trials of random configurations of the digits, one after the other in one process, as a worker trains them.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

from tuner.records import TrainerSetup, TrialJob
from tuner.training.trainer import Trainer


def resident() -> float:
    """Return the resident memory of this process in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this system does not tell a process its resident memory in /proc")


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    options = parser.parse_args()
    draw = random.Random(0)  # noqa: S311 - no secret
    trainer = Trainer(TrainerSetup("digits", None, 0.2, 0, "val_accuracy", maximize=True, device="cpu"), threads=1)
    seen: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, options.trials + 1):
            params = {"layers": 2, "units_0": draw.randint(16, 512), "units_1": draw.randint(16, 512)}
            params |= {"dropout": draw.random() / 2, "batch_norm": draw.random() < 0.5, "batch_size": 32}
            job = TrialJob(number, 0, number, params, 3, None, Path(folder) / "model.keras")
            trainer.train(job, lambda event: None, lambda: None)
            seen[number] = resident()
            if number in {1, 10, 30} or number == options.trials:
                print(f"after {number:>3} trials: {seen[number]:.0f} MiB", flush=True)
    print(f"growth from 10 to {options.trials}: {100 * (seen[options.trials] / seen[10] - 1):.1f} %")


if __name__ == "__main__":
    main()
