"""How many minutes until the search of a book is beaten, with the book's own space, rows and learning rates?

TUNER_DATA=FOLDER python benchmarks/book.py [--target 0.0574] [--seed 0] [--timeout 1h] [--json]

Runs `tuner study start mnist_book --target 0.0574`: three layers of 512, 256 and 128, dropout 0.1 to 0.5, rmsprop, adam
or adadelta, batches of 5, 10 or 100, the last 5000 rows validate. Prints when the first epoch of any trial was below
the target, and when the command ended, which wants a complete trial and evaluates its model on the test images; both
from the start of the process, imports included.

The book: Bernico, Deep Learning Quick Reference, chapter 6. Its figures are those of the log that its code comes with.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from searches import Watch, running, tuner_command, wait

from tuner.report.tables import new_table

SEARCH = "mnist_book"
# On the author's GPU, 2017; the best of the 206 runs was the 158th.
BOOK = {"runs": 206, "epochs": 1902, "minutes": 684.6, "minutes_to_target": 157.8, "val_loss": 0.0574}
DAY = 86_400  # seconds: the study's own timeout ends it


def main() -> None:
    """Search, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=float, default=BOOK["val_loss"], help=f"validation loss [{BOOK['val_loss']}]")
    parser.add_argument("--seed", type=int, default=0, help="[0]")
    parser.add_argument("--timeout", default="1h", help="of the search [1h]")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    found = search(options.target, options.seed, options.timeout)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)
    if found["minutes_to_target"] is None:
        raise SystemExit(1)


def search(target: float, seed: int, timeout: str) -> dict[str, Any]:
    """Run the real command to its end and return what it found, and when."""
    data = Path(os.environ["TUNER_DATA"]).absolute()
    with tempfile.TemporaryDirectory() as work, Path(work, "result").open("w+", encoding="utf-8") as output:
        home = Path(work, "home")
        command = tuner_command(
            SEARCH, "--target", target, "--seed", seed, "--timeout", timeout,
            "--home", home, "--data-dir", data, "--json",
        )  # fmt: skip
        began = time.monotonic()
        watch = Watch(home, began)
        with running(command, Path(work), output) as process:
            wait(process, began + DAY, watch.look)
        seconds = time.monotonic() - began
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise SystemExit(f"the search failed with exit code {process.returncode}")
    best = json.loads(said)
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


def show(found: dict[str, Any]) -> None:
    """Print ours beside the book's."""
    table = new_table(f"until a validation loss below {found['target']:g}")
    for column in ("", "runs", "epochs", "minutes", "until there", "val loss"):
        table.add_column(column, justify="right" if column else "left")
    ours = {**found, "val_loss": found["best"]["value"]}
    for name, each in (("the book", found["book"]), ("tuner", ours)):
        minutes = ["" if each[key] is None else f"{each[key]:.1f}" for key in ("minutes", "minutes_to_target")]
        loss = "" if each["val_loss"] is None else f"{each['val_loss']:.4f}"
        table.add_row(name, str(each["runs"]), str(each["epochs"]), *minutes, loss)
    Console(width=100).print(table)
    print("until there: to the book's best run, and to our first epoch of any trial that was below")
    if ours["val_loss"] is not None:
        print(f"best: {found['best']['params']}")


if __name__ == "__main__":
    main()
