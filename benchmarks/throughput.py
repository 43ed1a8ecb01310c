"""Trials per hour of tuner, KerasTuner and plain Optuna + Keras, side by side in one run.

TUNER_DATA=FOLDER python benchmarks/throughput.py [--rounds 2] [--workers 2]

Twelve configurations of two equal hidden layers, four epochs each, MNIST 48000/12000, no pruning. Prints
the median over the rounds for each contestant, and writes everything with versions and machine as JSON.
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
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import contestants
from rich.console import Console

from tuner.report.tables import new_table

CONTESTANTS = ("tuner", "keras-tuner", "optuna")
PACKAGES = ("tensorflow", "keras", "optuna", "keras-tuner", "optuna-integration", "numpy")


def main() -> None:
    """Run all contestants in turn, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--only", choices=CONTESTANTS, nargs="*", default=CONTESTANTS)
    parser.add_argument("--output", type=Path, default=Path("throughput.json"))
    parser.add_argument("--child", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = Path(os.environ["TUNER_DATA"])
    if options.child:
        print(json.dumps(asdict(run_one(options.child, folder, options.workers))))
        return
    rounds = []
    for _ in range(options.rounds):
        rounds.append({name: measure(name, options.workers) for name in options.only})
        rounds[-1]["products"] = {"search": contestants.products_alone()}
        print("round done", file=sys.stderr)
    report = summarise(rounds, options.only)
    options.output.write_text(json.dumps(report, indent=2), encoding="utf-8")
    show(report)


def run_one(name: str, folder: Path, workers: int | None) -> contestants.Outcome:
    """Run one contestant in this process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if name == "tuner":
        return contestants.run_tuner(folder, workers)
    return contestants.run_keras_tuner(folder) if name == "keras-tuner" else contestants.run_optuna(folder)


def measure(name: str, workers: int | None) -> dict[str, float]:
    """Run one contestant in a process of its own; returns its seconds with and without imports, and its accuracy."""
    command = [sys.executable, __file__, "--child", name, *(["--workers", str(workers)] if workers else [])]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    whole = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    trials = len(found["accuracies"])
    if trials != len(list(contestants.grid())):
        raise SystemExit(f"{name} ran {trials} trials instead of the grid")
    return {
        "search": found["seconds"],
        "whole": whole,
        "per_hour": 3600 * trials / found["seconds"],
        "accuracy": statistics.mean(found["accuracies"]),
    }


def summarise(rounds: list[dict[str, dict[str, float]]], names: tuple[str, ...]) -> dict[str, object]:
    """Return medians over the rounds, ratios to ours, and what is needed to judge them."""
    medians = {
        name: {key: statistics.median(each[name][key] for each in rounds) for key in rounds[0][name]}
        for name in (*names, "products")
    }
    return {
        "medians": medians,
        "rounds": rounds,
        "versions": {package: version(package) for package in PACKAGES},
        "machine": {
            "python": platform.python_version(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def show(report: dict[str, object]) -> None:
    """Print the table and the ratios."""
    medians: dict[str, dict[str, float]] = report["medians"]  # type: ignore[assignment]
    ours = medians.get("tuner")
    table = new_table("12 configurations x 4 epochs, MNIST 48000/12000")
    for column in ("", "search s", "whole s", "trials/hour", "accuracy", "search ratio", "whole ratio"):
        table.add_column(column, justify="right" if column else "left")
    for name, row in medians.items():
        cells = [f"{row[key]:.{digits}f}" if key in row else "" for key, digits in
                 (("search", 1), ("whole", 1), ("per_hour", 0), ("accuracy", 4))]  # fmt: skip
        ratios = [f"{row[key] / ours[key]:.2f}" if ours and key in row else "" for key in ("search", "whole")]
        table.add_row(name, *cells, *ratios)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
