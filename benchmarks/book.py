"""Measure the minutes until a book's search is beaten, with the book's own space, rows and learning rates.

TUNER_DATA=FOLDER python benchmarks/book.py [--target 0.0574] [--seed 0] [--timeout 1h] [--json]

Runs `tuner study start mnist_book --stop-at 0.0574`: three layers of 512, 256 and 128, dropout 0.1 to 0.5, rmsprop,
adam or adadelta, batches of 5, 10 or 100; the last 5000 rows validate. Prints the minutes until the first epoch of any
trial was below the target, and until the command ended. The command ends after a complete trial below the target, whose
model it evaluates on the test images. Both times begin with the start of the process, so they include imports.

The book: Bernico, Deep Learning Quick Reference, chapter 6. Its figures are from the log that comes with its code.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import data_folder
from rich.console import Console
from searches import Watch, running, tuner_command, wait

from tuner.report.tables import new_table

SEARCH = "mnist_book"
# Measured on the author's GPU in 2017. The best of the 206 runs was the 158th.
BOOK = {"runs": 206, "epochs": 1902, "minutes": 684.6, "minutes_to_target": 157.8, "val_loss": 0.0574}
DAY = 86_400  # seconds: longer than any search, which its own timeout ends


def main() -> None:
    """Search, then print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=float, default=BOOK["val_loss"], help=f"validation loss [{BOOK['val_loss']}]")
    parser.add_argument("--search", default=SEARCH, help=f"a built-in search or a TOML file [{SEARCH}]")
    parser.add_argument("--seed", type=int, default=0, help="[0]")
    parser.add_argument("--timeout", default="1h", help="of the search [1h]")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    result = search(options.search, options.target, options.seed, options.timeout)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    if result["minutes_to_target"] is None:
        raise SystemExit(1)


def search(name: str, target: float, seed: int, timeout: str) -> dict[str, Any]:
    """Run the real command to its end and return its result and its times."""
    with tempfile.TemporaryDirectory() as work, Path(work, "result").open("w+", encoding="utf-8") as output:
        home = Path(work, "home")
        command = tuner_command(
            name, data_folder(), "--stop-at", target, "--seed", seed, "--timeout", timeout, "--home", home, "--json",
        )  # fmt: skip
        began = time.monotonic()
        watch = Watch(home, began)
        with running(command, Path(work), output) as process:
            wait(process, began + DAY, watch.look)
        seconds = time.monotonic() - began
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise SystemExit(f"the search failed with exit code {process.returncode}")
    best = json.loads(text)
    below = next((point.seconds for point in watch.points if point.val_loss < target), None)
    return {
        "target": target,
        "minutes_to_target": None if below is None else below / 60,
        "minutes": seconds / 60,
        "runs": len({point.trial for point in watch.points}),
        "epochs": len(watch.points),
        "best": best,
        "book": BOOK,
    }


def show(result: dict[str, Any]) -> None:
    """Print our figures below the book's."""
    table = new_table(f"until a validation loss below {result['target']:g}")
    for column in ("", "runs", "epochs", "minutes", "to target", "val loss"):
        table.add_column(column, justify="right" if column else "left")
    ours = {**result, "val_loss": result["best"]["value"]}
    for name, figures in (("the book", result["book"]), ("tuner", ours)):
        minutes = ["" if figures[key] is None else f"{figures[key]:.1f}" for key in ("minutes", "minutes_to_target")]
        loss = "" if figures["val_loss"] is None else f"{figures['val_loss']:.4f}"
        table.add_row(name, str(figures["runs"]), str(figures["epochs"]), *minutes, loss)
    Console(width=100).print(table)
    print("to target: the book's minutes until its best run, ours until the first epoch of any trial below the target")
    if ours["val_loss"] is not None:
        print(f"best: {result['best']['params']}")


if __name__ == "__main__":
    main()
