"""Compare pausing and promoting trials with stopping them for good, on recorded learning curves.

python benchmarks/rungs.py [--epochs 100 200 400 800] [--orders 200]
python benchmarks/rungs.py --record [--trials 300]      trains new curves, for about ten minutes

Both rules get the same number of epochs and the same configurations in the same random order. Both compare trials at
the same rungs. A trial that is not among the best third at its rung pauses (`tuner.search.successive_halving`), or ends
for good. A trial that ended cannot come back. So under the second rule, while fewer than three trials have reached a
rung, the best of them continues, as with Optuna's SuccessiveHalvingPruner.

The table has the validation accuracy of the best complete trial after so many epochs in all, as a mean over the orders.
If no trial is complete, the best value of any trial counts. The difference has a standard error, because each order
gives a pair of results. The curves are 27 epochs of random configurations of the digits, in
`benchmarks/digits_curves.csv`.
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
    """Return the value of the best complete trial after ``budget`` epochs, if losers pause and can be promoted.

    Args:
        curves: Validation accuracy after each epoch, shape ``(configurations, epochs)``.
        order: The order in which configurations are proposed.
        budget: Epochs in all.
    """
    rungs = Rungs(EPOCHS, limit=len(order), maximize=True)
    training = Training(curves)
    new = list(reversed(order))
    while training.epochs < budget and (new or rungs.promotable() is not None):
        number = rungs.promotable()
        if number is None:
            number = new.pop()
        else:
            rungs.promote(number)
        continues: bool | None = True
        while continues and training.epochs < budget:
            values = training.train(number, min([*rungs.ahead(number), EPOCHS]))
            continues = rungs.reach(number, values)
            if continues is False:
                rungs.pause(number)
    return training.best()


def stopping(curves: Curves, order: Sequence[int], budget: int) -> float:
    """Return the same value as :func:`pausing`, if losers end for good; the arguments are the same."""
    rungs: dict[int, list[float]] = {level: [] for level in rung_levels(EPOCHS)}
    training = Training(curves)
    for number in order:
        for level in (*rungs, EPOCHS):
            if training.epochs >= budget:
                return training.best()
            value = max(training.train(number, level))
            if level < EPOCHS:
                rungs[level].append(value)
                places = max(1, len(rungs[level]) // REDUCTION)
                if value < sorted(rungs[level], reverse=True)[places - 1]:
                    break
    return training.best()


class Training:
    """Replays recorded curves instead of training, and counts the epochs.

    Attributes:
        epochs: Epochs of all trials so far.
    """

    def __init__(self, curves: Curves) -> None:
        self._curves = curves
        self._trained: dict[int, int] = {}
        self.epochs = 0

    def train(self, number: int, epochs: int) -> Sequence[float]:
        """Train a configuration until it has ``epochs`` epochs; return its curve so far."""
        self.epochs += epochs - self._trained.get(number, 0)
        self._trained[number] = epochs
        return self._curves[number][:epochs]

    def best(self) -> float:
        """Return the best value of the complete trials; if no trial is complete, the best of all trials."""
        complete = {number: epochs for number, epochs in self._trained.items() if epochs == EPOCHS}
        return max(max(self._curves[number][:epochs]) for number, epochs in (complete or self._trained).items())


def record(path: Path, trials: int) -> None:
    """Train random configurations of the digits and write the validation accuracy after each epoch, a row per trial."""
    with tempfile.TemporaryDirectory() as home:
        study = open_study("digits", home=Path(home))
        recipe = study.recipe.model_dump(mode="json")
        recipe["budget"] |= {"patience": 0, "timeout": None}
        study.recipe = type(study.recipe).model_validate(recipe)
        study.run(trials=trials, epochs=EPOCHS, sampler="random", pruner="none")
        curves = study.curves()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        for number in sorted(curves):
            if len(curves[number]) == EPOCHS:
                writer.writerow(f"{epoch['val_accuracy']:.4f}" for epoch in curves[number])


def read(path: Path) -> list[list[float]]:
    """Return the recorded curves, shape ``(configurations, epochs)``."""
    with path.open(newline="") as file:
        return [[float(value) for value in row] for row in csv.reader(file)]


def main() -> None:
    """Print a row for each number of epochs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, nargs="+", default=[100, 200, 400, 800], help="in all")
    parser.add_argument("--orders", type=int, default=200, help="random orders of the configurations, at least 2 [200]")
    parser.add_argument("--curves", type=Path, default=CURVES, help=f"[{CURVES.name}]")
    parser.add_argument("--record", action="store_true", help="train new curves and overwrite the file")
    parser.add_argument("--trials", type=int, default=300, help="to record [300]")
    options = parser.parse_args()
    if options.record:
        record(options.curves, options.trials)
    curves = read(options.curves)
    table = new_table(f"Best complete trial, mean over {options.orders} orders of {len(curves)} configurations")
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
    for budget in options.epochs:
        pairs = []
        for seed in range(options.orders):
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
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
