"""Compare the search for tables with other learners, on the same splits of the same tables.

python benchmarks/tables.py --data FOLDER [--tables cars,telco_churn] [--minutes 5] [--out tables]
python benchmarks/tables.py --data FOLDER --peers-only
python benchmarks/tables.py --data FOLDER --peers realmlp --python realmlp=/other/venv/bin/python --peers-only
python benchmarks/tables.py --data FOLDER --peers '' --without embedding

Ours are the real commands: `tuner study start FILE --target y --test FILE --timeout 5m`, then `tuner export` and
`tuner predict`.
The peers have their defaults, one process each, and the same number of threads. Their rows are prepared as far as they
need it; see `tables_split.py` and `tables_peers.py`.

The folder of --out keeps the predictions of each run, so that the runs can be made one by one; what is there is not run
again. A verdict is that of the paired bootstrap over the test rows, 95 %: better, worse or level.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import data_folder, versions
from numpy.typing import NDArray
from rich.console import Console
from tables_ours import ours
from tables_peers import PEERS
from tables_split import SOURCES, Split, prepare, split

from tuner.evaluation.bootstrap import difference, verdict
from tuner.evaluation.scores import Score, once, scores
from tuner.report.tables import new_table

OURS = "tuner"
SMALLER = frozenset({"rmse"})
PACKAGES = ("tensorflow", "keras", "optuna", "scikit-learn", "lightgbm", "catboost", "pytabkit", "torch")


@dataclass(frozen=True, slots=True)
class Result:
    """What one learner reached on the test rows of a table.

    Attributes:
        name: ``tuner``, also with what it went without, or a peer.
        scores: The scores by name, the one that counts first.
        seconds: Training and predicting; for ours, the search.
        rows: Number of test rows.
    """

    name: str
    scores: Mapping[str, Score]
    seconds: float
    rows: int

    def value(self, metric: str) -> float:
        """Return a metric."""
        return once(self.scores[metric], self.rows)


def main() -> None:
    """Run what is not there yet, then print one table per metric and write `results.json`."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    folder = options.data or data_folder()
    if folder is None:
        raise SystemExit("name the folder of the tables with --data or TUNER_DATA")
    results = {name: _results(name, split(folder, name), options) for name in options.tables}
    report = [row for name, found in results.items() for row in _compare(name, found)]
    document = {"versions": versions(*PACKAGES), "seed": options.seed, "minutes": options.minutes, "results": report}
    (options.out / "results.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    _print(report)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the tables [TUNER_DATA]")
    parser.add_argument("--tables", type=_list, default=list(SOURCES), help=f"[{','.join(SOURCES)}]")
    parser.add_argument("--peers", type=_list, default=list(PEERS), help=f"[{','.join(PEERS)}]")
    parser.add_argument("--peers-only", action="store_true", help="do not run ours")
    parser.add_argument("--python", type=_pair, action="append", default=[], metavar="PEER=FILE",
                        help="Python of a peer that needs one of its own; can be repeated")  # fmt: skip
    parser.add_argument("--minutes", type=float, default=5.0, help="time of each search [5]")
    parser.add_argument("--without", type=_list, default=[], help="hyperparameters to switch off")
    parser.add_argument("--threads", type=int, default=2, help="threads of a peer, workers of ours [2]")
    parser.add_argument("--seed", type=int, default=0, help="[0]")
    parser.add_argument("--out", type=Path, default=Path("tables"), help="folder of the predictions [tables]")
    options = parser.parse_args()
    for chosen, known in ((options.tables, SOURCES), (options.peers, PEERS)):
        if unknown := [name for name in chosen if name not in known]:
            parser.error(f"there is no {unknown[0]!r}: choose of {', '.join(known)}")
    return options


def _list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _pair(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    return name, path


def _results(table: str, data: Split, options: argparse.Namespace) -> list[Result]:
    """Return the results of one table, ours first."""
    y = data.y(data.test)
    results = []
    for name in (*([] if options.peers_only else [_our_name(options)]), *options.peers):
        kept: Path = options.out / f"{table}-{name}-seed{options.seed}.npz"
        if not kept.exists() and not _learn(name, data, kept, options):
            continue
        with np.load(kept, allow_pickle=False) as arrays:
            found = scores("binary" if data.classes else "regression", y, arrays["predictions"])
            names = ("accuracy", "auc") if data.classes else ("rmse",)
            results.append(Result(name, {n: found[n] for n in names}, float(arrays["seconds"]), len(y)))
    return results


def _our_name(options: argparse.Namespace) -> str:
    return "-without-".join([OURS, *options.without])


def _learn(name: str, data: Split, kept: Path, options: argparse.Namespace) -> bool:
    """Run ours or a peer, and keep its predictions; returns whether it could be run."""
    print(f"{kept.stem} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if name.startswith(OURS):
            predictions, seconds = ours(
                Path(folder), data, minutes=options.minutes, workers=options.threads, seed=options.seed,
                without=options.without,
            )  # fmt: skip
            _keep(kept, predictions, seconds)
            return True
        prepared = Path(folder, "prepared.npz")
        prepare(prepared, data)
        python = dict(options.python).get(name, sys.executable)
        command = [python, str(Path(__file__).parent / "tables_peers.py"), name, str(prepared), str(kept.absolute())]
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
        environment = {**os.environ, **limits}
        environment.pop("PYTHONPATH", None)  # of this Python, not of the peer's
        done = subprocess.run(  # noqa: S603 - our own script
            [*command, str(options.threads), str(options.seed)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode and "ModuleNotFoundError" in done.stderr:
        print(f"{name} is left out: {PEERS[name][1]} is not installed in {python}", file=sys.stderr)
    elif done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return not done.returncode


def _keep(path: Path, predictions: NDArray[Any], seconds: float) -> None:
    part = path.with_suffix(".part.npz")
    np.savez(part, predictions=predictions, seconds=seconds)
    part.rename(path)


def _compare(table: str, results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return a row for each learner and metric; beside ours, the ratio and the verdict of ours against it."""
    mine = next((result for result in results if result.name.startswith(OURS)), None)
    rows = []
    for result in results:
        for metric in result.scores:
            value = result.value(metric)
            row: dict[str, Any] = {
                "table": table, "metric": metric, "learner": result.name,
                "value": value, "seconds": result.seconds,
            }  # fmt: skip
            if mine is not None and mine is not result:
                gap = difference(mine.scores[metric], result.scores[metric], result.rows)
                row |= {
                    "ours_over_it": mine.value(metric) / value,
                    "ours_minus_it": [gap.value, gap.low, gap.high],
                    "ours": verdict(gap, larger_is_better=metric not in SMALLER),
                }
            rows.append(row)
    return rows


def _print(report: Sequence[Mapping[str, Any]]) -> None:
    """Print a row for each table and metric; below a value, how ours compares with it."""
    learners = list(dict.fromkeys(row["learner"] for row in report))
    table = new_table()
    for column in ("table", "metric"):
        table.add_column(column)
    for learner in learners:
        table.add_column(learner.replace("_", " "), justify="right")
    for name, metric in dict.fromkeys((row["table"], row["metric"]) for row in report):
        cells = {row["learner"]: _cell(row) for row in report if (row["table"], row["metric"]) == (name, metric)}
        table.add_row(name, metric, *(cells.get(learner, "") for learner in learners))
    Console(width=40 + 16 * len(learners)).print(table)


def _cell(row: Mapping[str, Any]) -> str:
    value = (
        f"{row['value']:.4f}"
        if row["value"] < 10
        else f"{row['value']:.4g}"
        if row["value"] < 1000
        else f"{row['value']:.0f}"
    )
    first = f"{value}, {row['seconds']:.0f} s"
    return f"{first}\n{row['ours']} {row['ours_over_it']:.3f}" if "ours" in row else first


if __name__ == "__main__":
    main()
