"""Compare the trials per hour of tuner, KerasTuner and plain Optuna + Keras, side by side in one run.

TUNER_DATA=FOLDER python benchmarks/throughput.py [--rounds 2] [--workers 2]
TUNER_DATA=FOLDER python benchmarks/throughput.py --only tuner --precision float32 bfloat16 --rounds 3

Twelve configurations of two hidden layers with equal widths, four epochs each, MNIST 48000/12000, no pruning. Prints
the median over the rounds for each contestant, and writes all figures with versions and machine as JSON. `--small`
trains one configuration of the embedded digits for one epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import contestants
from contestants import Task
from machine import data_folder, versions
from rich.console import Console

from tuner.report.tables import new_table

CONTESTANTS = ("tuner", "keras-tuner", "optuna")
PRECISIONS = ("auto", "float32", "bfloat16")
PACKAGES = ("tensorflow", "keras", "optuna", "keras-tuner", "optuna-integration", "numpy")
DIGITS = {"search": 1, "whole": 1, "per_hour": 0, "accuracy": 4}  # decimals of the columns


def main(script: str = __file__, description: str | None = __doc__, whole: Task = contestants.MNIST) -> None:
    """Run the chosen contestants in turn; with ``--child``, run one of them in this process.

    Args:
        script: The script that was started.
        description: What it does.
        whole: What it measures without ``--small``.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1, help="[1]")
    parser.add_argument("--workers", type=int, default=None, help="of tuner [one per core]")
    parser.add_argument(
        "--precision", choices=PRECISIONS, nargs="*", default=["auto"], help="of tuner, one after the other [auto]"
    )
    parser.add_argument("--only", choices=CONTESTANTS, nargs="*", default=CONTESTANTS)
    parser.add_argument("--output", type=Path, default=None, help="[the name of the script].json")
    parser.add_argument("--small", action="store_true", help="only show that this script works")
    parser.add_argument("--child", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    task = contestants.SMALL if options.small else whole
    if options.child:
        print(json.dumps(asdict(run_one(options.child, task, options.workers, options.precision[0]))))
        return
    arguments = [*(["--workers", str(options.workers)] if options.workers else []), *["--small"] * options.small]
    rounds = []
    for _ in range(options.rounds):
        runs = [run for name in options.only for run in _runs(name, options.precision)]
        rounds.append({label: measure(script, name, task, [*arguments, *more]) for label, name, more in runs})
        rounds[-1]["products"] = {"search": contestants.products_alone(task)}
        print("round done", file=sys.stderr)
    report = summarise(rounds)
    output = options.output or Path(Path(script).stem).with_suffix(".json")
    output.write_text(json.dumps(report, indent=2), encoding="utf-8")
    show(report["medians"], task)


def _runs(name: str, precisions: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Return the runs of a contestant in one round: the name of each, the contestant, and its further arguments."""
    if name != "tuner":
        return [(name, name, [])]
    labels = ["tuner", *(f"tuner, {precision}" for precision in precisions[1:])]  # ratios are to the first one
    return [(label, name, ["--precision", precision]) for label, precision in zip(labels, precisions, strict=True)]


def run_one(name: str, task: Task, workers: int | None, precision: Any) -> contestants.Outcome:
    """Run one contestant in this process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if name == "tuner":
        return contestants.run_tuner(task, data_folder(), workers, precision=precision)
    run = contestants.run_keras_tuner if name == "keras-tuner" else contestants.run_optuna
    return run(task, data_folder())


def measure(script: str, name: str, task: Task, arguments: Sequence[str]) -> dict[str, float]:
    """Run one contestant in a process of its own; return its seconds with and without imports, and its accuracy."""
    command = [sys.executable, script, "--child", name, *arguments]
    began = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    whole = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{name} failed:\n{process.stderr[-2000:]}")
    outcome = json.loads(process.stdout.splitlines()[-1])
    trials = len(outcome["accuracies"])
    if trials != len(task.grid()):
        raise SystemExit(f"{name} ran {trials} trials instead of the {len(task.grid())} of the grid")
    return {
        "search": outcome["seconds"],
        "whole": whole,
        "per_hour": 3600 * trials / outcome["seconds"],
        "accuracy": statistics.mean(outcome["accuracies"]),
    }


def summarise(rounds: Sequence[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Return the medians over the rounds with the rounds, versions and machine that they come from."""
    medians = {
        name: {key: statistics.median(figures[name][key] for figures in rounds) for key in rounds[0][name]}
        for name in rounds[0]
    }
    return {
        "medians": medians,
        "rounds": rounds,
        "versions": versions(*PACKAGES),
        "machine": {
            "python": platform.python_version(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def show(medians: dict[str, dict[str, float]], task: Task) -> None:
    """Print the table with ratios to ours."""
    ours = medians.get("tuner")
    table = new_table(
        f"{len(task.grid())} configurations x {task.epochs} epochs, "
        f"{task.title} {task.training_rows}/{task.validation_rows}"
    )
    for column in ("", "search s", "whole s", "trials/hour", "accuracy", "search ratio", "whole ratio"):
        table.add_column(column, justify="right" if column else "left")
    for name, row in medians.items():
        cells = [f"{row[key]:.{digits}f}" if key in row else "" for key, digits in DIGITS.items()]
        ratios = [f"{row[key] / ours[key]:.2f}" if ours and key in row else "" for key in ("search", "whole")]
        table.add_row(name, *cells, *ratios)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
