"""Where each second of a real study goes: the default search for MNIST, TPE and pruning, 40 trials, 2 workers.

TUNER_DATA=FOLDER python benchmarks/study.py [--trials 40] [--workers 2] [--output study.json]

Prints what `tuner report --timing` prints for any study, from the events that the coordinator records.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from tuner.report.tables import timing_table
from tuner.study import open_study


def main() -> None:
    """Search, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--search", default="mnist")
    parser.add_argument("--output", type=Path, default=Path("study.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        study = open_study(options.search, home=Path(home), data_dir=Path(os.environ["TUNER_DATA"]))
        study.run(trials=options.trials, workers=options.workers, timeout="1h")
        timing, best = study.timing(), study.best()
    console = Console(width=110)
    console.print(timing_table(timing))
    programs = timing["programs"]
    used = programs["traced"] + programs["reused"]
    console.print(f"programs: {programs['traced']} traced, {programs['reused']} of {used} trials used one again")
    console.print(f"wall {timing['wall']:.1f} s, {3600 * options.trials / timing['wall']:.0f} trials per hour")
    console.print(
        f"best {best.value:.4f} on the validation rows, {best.test['accuracy'] if best.test else 0:.4f} on test"
    )
    versions = {name: version(name) for name in ("tensorflow", "keras", "optuna", "numpy")}
    options.output.write_text(json.dumps({**timing, "versions": versions}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
