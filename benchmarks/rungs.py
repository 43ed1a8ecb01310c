"""Pause and promote against stopping for good, on recorded learning curves: the same epochs, the same configurations.

python benchmarks/rungs.py [--epochs 200 400 800 1600] [--orders 200]
python benchmarks/rungs.py --record [--trials 300]      trains the curves anew: about ten minutes

Both rules see the configurations in the same random order and compare them at the same rungs with `tuner.scheduling`;
they differ in one thing: a trial that is not among the best third of its rung waits, or has ended. Printed is the
validation accuracy of the best complete trial when so many epochs were spent, on the mean over the orders, and the
difference with its standard error: each order is a pair. The curves are of the digits: 27 epochs of random
configurations, in `benchmarks/digits_curves.csv`.
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
from tuner.scheduling import Rungs
from tuner.study import open_study

CURVES = Path(__file__).with_name("digits_curves.csv")
EPOCHS = 27

Curves = Sequence[Sequence[float]]


def search(curves: Curves, order: Sequence[int], budget: int, *, promote: bool) -> float:
    """Return the value of the best complete trial when ``budget`` epochs were spent; 0 where none is complete.

    Args:
        curves: Validation accuracy after each epoch, shape ``(configurations, epochs)``.
        order: In which order configurations are proposed.
        budget: Epochs in all.
        promote: Whether trials that are not among the best of their rung wait; else they have ended.
    """
    rungs = Rungs(EPOCHS, limit=10**9, maximize=True)
    trained = dict.fromkeys(order, 0)
    waiting = iter(order)
    best, spent = 0.0, 0
    while spent < budget:
        number = rungs.promotable() if promote else None
        if number is not None:
            rungs.promote(number)
        else:
            number = next(waiting)
        goes_on: bool | None = True
        while goes_on and trained[number] < EPOCHS and spent < budget:
            step = min([*rungs.ahead(number), EPOCHS]) - trained[number]
            spent += step
            trained[number] += step
            goes_on = rungs.reach(number, curves[number][: trained[number]])
            if goes_on is False and promote:
                rungs.pause(number)
        if trained[number] == EPOCHS and spent <= budget:
            best = max(best, *curves[number])
    return best


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
    parser.add_argument("--epochs", type=int, nargs="+", default=[200, 400, 800, 1600])
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
            paused, stopped = (search(curves, order, budget, promote=promote) for promote in (True, False))
            pairs.append((paused, stopped))
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
