"""Show where each second of a real study goes: the default search for MNIST, TPE and pruning, 40 trials, 2 workers.

TUNER_DATA=FOLDER python benchmarks/study.py [--search mnist] [--trials 40] [--workers 2] [--output study.json]

Prints the table of `tuner report --timing`, which the coordinator's events add up to, and writes it as JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from machine import data_folder, versions
from rich.console import Console

from tuner.report.tables import timing_table
from tuner.study import open_study


def main() -> None:
    """Run the search and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40, help="[40]")
    parser.add_argument("--workers", type=int, default=2, help="[2]")
    parser.add_argument("--search", default="mnist", help="a built-in search or a TOML file [mnist]")
    parser.add_argument("--output", type=Path, default=Path("study.json"), help="[study.json]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        study = open_study(options.search, home=Path(home), data_dir=data_folder())
        study.run(trials=options.trials, workers=options.workers, timeout="1h")
        timing, best = study.timing(), study.best()
    console = Console(width=110)
    console.print(timing_table(timing))
    programs = timing["programs"]
    used = programs["traced"] + programs["reused"]
    console.print(f"programs: {programs['traced']} traced, {programs['reused']} of {used} trials reused one")
    console.print(f"wall {timing['wall']:.1f} s, {3600 * options.trials / timing['wall']:.0f} trials per hour")
    console.print(
        f"best {best.value:.4f} on the validation rows, {best.test['accuracy'] if best.test else 0:.4f} on test"
    )
    report = {**timing, "versions": versions("tensorflow", "keras", "optuna", "numpy")}
    options.output.write_text(json.dumps(report, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
