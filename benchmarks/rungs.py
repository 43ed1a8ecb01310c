"""Pause and promote against stopping for good, on recorded learning curves: the same epochs, the same configurations.

python benchmarks/rungs.py [--epochs 100 200 400 800] [--orders 200]
python benchmarks/rungs.py --record [--trials 300]      trains the curves anew: about ten minutes

Both rules see the configurations in the same random order and compare them at the same rungs: a trial that is not
among the best third of its rung waits (`tuner.search.successive_halving`), or has ended. While fewer than three have
come to a rung, the best of them goes on where trials end for good, as with Optuna's SuccessiveHalvingPruner: it could
not come back.

Printed is the validation accuracy of the best complete trial when so many epochs were spent (of the best value so far
where none is complete), on the mean over the orders, and the difference with its standard error: each order is a pair.
The curves are of the digits: 27 epochs of random configurations, in `benchmarks/digits_curves.csv`.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tuner.report.tables import new_table
from tuner.search.successive_halving import REDUCTION, Rungs, rung_levels
from tuner.study import open_study

CURVES = Path(__file__).with_name("digits_curves.csv")
EPOCHS = 27

Curves = Sequence[Sequence[float]]


def pausing(curves: Curves, order: Sequence[int], budget: int) -> float:
    """Return the value of the best complete trial when ``budget`` epochs were spent and losers wait.

    Args:
        curves: Validation accuracy after each epoch, shape ``(configurations, epochs)``.
        order: In which order configurations are proposed.
        budget: Epochs in all.
    """
    rungs = Rungs(EPOCHS, limit=len(order), maximize=True)
    found = Found(curves)
    new = list(reversed(order))
    while found.spent < budget and (new or rungs.promotable() is not None):
        number = rungs.promotable()
        if number is None:
            number = new.pop()
        else:
            rungs.promote(number)
        goes_on: bool | None = True
        while goes_on and found.spent < budget:
            values = found.train(number, min([*rungs.ahead(number), EPOCHS]))
            goes_on = rungs.reach(number, values)
            if goes_on is False:
                rungs.pause(number)
    return found.best()


def stopping(curves: Curves, order: Sequence[int], budget: int) -> float:
    """Return the same where losers end for good; arguments as for :func:`pausing`."""
    seen: dict[int, list[float]] = {level: [] for level in rung_levels(EPOCHS)}
    found = Found(curves)
    for number in order:
        for level in (*seen, EPOCHS):
            if found.spent >= budget:
                return found.best()
            value = max(found.train(number, level))
            if level < EPOCHS:
                seen[level].append(value)
                places = max(1, len(seen[level]) // REDUCTION)
                if value < sorted(seen[level], reverse=True)[places - 1]:
                    break
    return found.best()


class Found:
    """What a search has seen, and how many epochs it has spent."""

    def __init__(self, curves: Curves) -> None:
        self._curves = curves
        self._trained: dict[int, int] = {}
        self.spent = 0

    def train(self, number: int, epochs: int) -> Sequence[float]:
        """Train a configuration up to so many epochs; returns its curve so far."""
        self.spent += epochs - self._trained.get(number, 0)
        self._trained[number] = epochs
        return self._curves[number][:epochs]

    def best(self) -> float:
        """Return the best value of the complete trials, of all where none is complete."""
        complete = {number: epochs for number, epochs in self._trained.items() if epochs == EPOCHS}
        return max(max(self._curves[number][:epochs]) for number, epochs in (complete or self._trained).items())


def record(trials: int) -> None:
    """Train random configurations of the digits, and write the validation accuracy after each epoch."""
    with tempfile.TemporaryDirectory() as home:
        study = open_study("digits", home=Path(home))
        recipe = study.recipe.model_dump(mode="json")
        recipe["budget"] |= {"patience": 0, "timeout": None}
        study.recipe = type(study.recipe).model_validate(recipe)
        study.run(trials=trials, epochs=EPOCHS, sampler="random", pruner="none")
        curves = study.curves()
    with CURVES.open("w", newline="") as file:
        writer = csv.writer(file)
        for number in sorted(curves):
            if len(curves[number]) == EPOCHS:
                writer.writerow(f"{epoch['val_accuracy']:.4f}" for epoch in curves[number])


def read() -> list[list[float]]:
    """Return the recorded curves, shape ``(configurations, epochs)``."""
    with CURVES.open(newline="") as file:
        return [[float(value) for value in row] for row in csv.reader(file)]


def main() -> None:
    """Print a row per number of epochs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, nargs="+", default=[100, 200, 400, 800])
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--trials", type=int, default=300)
    asked = parser.parse_args()
    if asked.record:
        record(asked.trials)
    curves = read()
    table = new_table(f"Best complete trial, mean over {asked.orders} orders of {len(curves)} configurations")
    for name in (
        "epochs in all",
        "pause and promote",
        "stop for good",
        "difference",
        "± standard error",
        "won",
        "lost",
    ):
        table.add_column(name, justify="right")
    for budget in asked.epochs:
        pairs = []
        for seed in range(asked.orders):
            order = list(range(len(curves)))
            random.Random(seed).shuffle(order)  # noqa: S311 - no secret
            pairs.append((pausing(curves, order, budget), stopping(curves, order, budget)))
        gains = [paused - stopped for paused, stopped in pairs]
        error = statistics.stdev(gains) / math.sqrt(len(gains))
        means = [statistics.fmean(values) for values in zip(*pairs, strict=True)]
        table.add_row(
            str(budget),
            *(f"{mean:.4f}" for mean in means),
            f"{means[0] - means[1]:+.4f}",
            f"{error:.4f}",
            str(sum(gain > 0 for gain in gains)),
            str(sum(gain < 0 for gain in gains)),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
