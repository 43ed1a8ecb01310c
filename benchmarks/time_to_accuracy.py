"""Measure the best accuracy and loss over time of tuner, KerasTuner's Hyperband and Optuna's TPE + HyperbandPruner.

TUNER_DATA=FOLDER python benchmarks/time_to_accuracy.py --minutes 5 --seeds 0,1,2 --out DIR

All search the space of the built-in search `mnist` with the same 55000 rows of MNIST for training and 5000 for
validation. Each search has a process of its own and the same budget of wall-clock seconds. The budget begins with the
start of the process, so imports count. At its end the process is ended, and all epochs until then count.

The peers train one trial at a time with TensorFlow's own threads, which is their default. They get the rows as arrays
that need no further preparation, and record the exact end of each epoch. `tuner` is the real command, which reads and
splits the data itself and has a worker per core. Its epochs are read from its database, at most 0.25 seconds late.

DIR gets a file for each search and a plot of all. `--plot-only DIR` prints the table and draws the plot from these
files, so the searches can also be run one at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import contestants
import curves_svg
import numpy as np
from curves import METRICS, Point, Run, summarise
from machine import data_folder, versions
from rich.console import Console
from searches import Watch, running, tuner_command, wait

from tuner.report.tables import new_table

SEARCH, VALIDATION = "mnist", 5000
OURS = "tuner"
NAMES = {OURS: "tuner", "keras_tuner": "KerasTuner Hyperband", "optuna": "Optuna TPE + Hyperband"}
SHORT = {OURS: "tuner", "keras_tuner": "KerasTuner", "optuna": "Optuna"}
PACKAGES = ("tensorflow", "keras", "optuna", "keras-tuner", "optuna-integration", "numpy")
NO_END = 1_000_000  # trials: only the budget of seconds ends a search


def main() -> None:
    """Run the chosen searches, then show all searches of the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="budget of each search [5]")
    parser.add_argument("--seeds", type=_list, default=["0"], help="comma-separated [0]")
    parser.add_argument("--contestants", type=_list, default=list(NAMES), help=f"[{','.join(NAMES)}]")
    parser.add_argument("--cores", type=int, default=2, help="CPU cores of each search [2]")
    parser.add_argument("--out", type=Path, default=Path("time_to_accuracy"), help="folder [time_to_accuracy]")
    parser.add_argument("--plot-only", type=Path, metavar="DIR", help="run no search, show those in DIR")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    options = parser.parse_args()
    folder: Path = options.plot_only or options.out
    if unknown := set(options.contestants) - set(NAMES):
        parser.error(f"there is no contestant {', '.join(sorted(unknown))}")
    if not options.plot_only:
        folder.mkdir(parents=True, exist_ok=True)
        measure_all(options, folder.absolute())
    show(folder, as_json=options.json)


def measure_all(options: argparse.Namespace, folder: Path) -> None:
    """Run the searches one after the other."""
    if hasattr(os, "sched_setaffinity"):  # the processes of the searches inherit these cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    arrays = contestants.read_rows("mnist", data_folder(), VALIDATION)
    rows = dict(zip(("x", "y", "x_val", "y_val"), arrays, strict=True))
    about = {
        "budget": 60 * options.minutes,
        "search": SEARCH,
        "rows": [len(rows["y"]), len(rows["y_val"])],
        "cores": options.cores,
        "machine": {"python": platform.python_version(), "processor": platform.processor() or platform.machine()},
        "versions": versions(*PACKAGES),
    }
    with tempfile.TemporaryDirectory() as work:
        archive = Path(work, "rows.npz")
        np.savez(archive, **rows)
        del arrays, rows
        for seed in map(int, options.seeds):
            for name in options.contestants:
                log = folder / f"{name}-{seed}.log"
                points = (
                    measure_tuner(seed, about, log) if name == OURS else measure_peer(name, seed, about, archive, log)
                )
                run = Run(name, seed, about, [point for point in points if point.seconds <= about["budget"]])
                (folder / f"{name}-{seed}.json").write_text(json.dumps(asdict(run)), encoding="utf-8")
                print(f"{name}, seed {seed}: {run.trials} trials, {len(run.points)} epochs", file=sys.stderr)


def measure_tuner(seed: int, about: Mapping[str, Any], log: Path) -> list[Point]:
    """Run the real command until the budget is spent; return the epochs that it had written to its database."""
    with tempfile.TemporaryDirectory() as work, log.open("w", encoding="utf-8") as output:
        home = Path(work, "home")
        command = tuner_command(
            SEARCH, data_folder(), "--validation", VALIDATION, "--seed", seed, "--workers", about["cores"],
            "--trials", NO_END, "--timeout", f"{about['budget']}s", "--home", home, "--quiet",
        )  # fmt: skip
        began = time.monotonic()
        watch = Watch(home, began)
        with running(command, Path(work), output, output) as process:
            wait(process, began + about["budget"], watch.look)
            if process.returncode:
                raise SystemExit(f"tuner failed: see {log}")
    return watch.points


def measure_peer(name: str, seed: int, about: Mapping[str, Any], rows: Path, log: Path) -> list[Point]:
    """Run a peer until the budget is spent; return the epochs that it had recorded."""
    with tempfile.TemporaryDirectory() as work, log.open("w", encoding="utf-8") as output:
        lines = Path(work, "lines")
        lines.touch()
        script = Path(__file__).with_name("peers_search.py").absolute()
        began = time.monotonic()
        command = [
            sys.executable, str(script), name, "--rows", str(rows), "--recipe", SEARCH, "--seed", str(seed),
            "--began", repr(began), "--output", str(lines),
        ]  # fmt: skip
        with running(command, Path(work), output, output) as process:
            wait(process, began + about["budget"])
            if process.returncode is not None:
                raise SystemExit(f"{name} ended before its budget was spent: see {log}")
        whole = [line for line in lines.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return [Point.read(json.loads(line)) for line in whole]


def show(folder: Path, *, as_json: bool) -> None:
    """Draw the curves of all searches in a folder and print their table."""
    runs = [_read(file) for file in sorted(folder.glob("*-*.json"))]
    runs.sort(key=lambda run: (run.seed, list(NAMES).index(run.contestant)))
    if not runs:
        raise SystemExit(f"there are no searches in {folder}")
    if len({json.dumps([run.about[key] for key in ("budget", "search", "rows", "cores")]) for run in runs}) > 1:
        raise SystemExit(f"the searches in {folder} had different budgets or cores: they cannot be compared")
    table = summarise(runs, OURS)
    plot = folder / "time_to_accuracy.svg"
    plot.write_text(_plot(runs), encoding="utf-8")
    if as_json:
        print(json.dumps({"about": runs[0].about, "rows": table}, indent=2))
    else:
        _print(table, runs[0].about["budget"])
    print(f"plot: {plot}", file=sys.stderr)


def _read(file: Path) -> Run:
    values = json.loads(file.read_text(encoding="utf-8"))
    return Run(**{**values, "points": [Point.read(point) for point in values["points"]]})


def _plot(runs: list[Run]) -> str:
    about = runs[0].about
    names = [name for name in NAMES if any(run.contestant == name for run in runs)]
    seeds = len({run.seed for run in runs})
    train, held = about["rows"]
    return curves_svg.draw(
        {
            metric: {SHORT[name]: [run.best(metric) for run in runs if run.contestant == name] for name in names}
            for metric in METRICS
        },
        budget=about["budget"],
        ours=SHORT[OURS],
        title=f"The same space, the same {about['budget'] / 60:g} minutes: MNIST, {about['cores']} cores",
        subtitle=(
            f"{train} rows train, {held} validate; "
            + "; ".join(NAMES[name] for name in names if name != OURS)
            + (f"; mean of {seeds} seeds, band from the worst to the best" if seeds > 1 else "; one seed")
        ),
    )


def _print(table: list[dict[str, Any]], budget: float) -> None:
    output = new_table(f"MNIST, {budget / 60:g} minutes each, imports included")
    for column in ("", "seed", "trials", "epochs", "val accuracy", "val loss", "reaches the peer", "of budget"):
        output.add_column(column, justify="right" if column else "left")
    for row in table:
        seconds, share = row["to_peer"], row["share"]
        output.add_row(
            NAMES[row["contestant"]],
            str(row["seed"]),
            f"{row['trials']:.0f}",
            f"{row['epochs']:.0f}",
            *("" if row[metric] is None else f"{row[metric]:.4f}" for metric in METRICS),
            ("" if row["peer"] is None else "never") if seconds is None else minutes(seconds),
            "" if share is None else f"{100 * share:.0f} %",
            end_section=row["contestant"] == table[-1]["contestant"],
        )
    Console(width=120).print(output)
    print("reaches the peer: time until it was as accurate as the better peer with the same seed was at the end")
    for row in table:
        if row["contestant"] == OURS and row["share"] is not None:
            which = "mean" if row["seed"] == "mean" else f"seed {row['seed']}"
            print(f"tuner, {which}: reaches the better peer after {row['share']:.3f} of the time")


def minutes(seconds: float) -> str:
    """Return a time like ``1:05 min``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    main()
