"""Compare the seconds per epoch of the fused training with those of an ordinary Keras `fit`, on any device and backend.

TUNER_DATA=FOLDER python benchmarks/epochs.py [--device gpu] [--epochs 3] [--precision bfloat16]
KERAS_BACKEND=jax TUNER_DATA=FOLDER python benchmarks/epochs.py

For each configuration of the grid of `throughput.py`, the table has the first epoch, which traces and compiles, and the
fastest of the other epochs: ours, Keras', and their ratio. With `--augment`, epochs of 512-512 with and without
augmentation are compared instead, in turn and in CPU time. `--small` trains one configuration of the embedded digits.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import contestants
from machine import data_folder
from rich.console import Console

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.tables import Precision
from tuner.jobs import TrainerSetup, TrialJob
from tuner.records import ParamValue
from tuner.report.tables import new_table
from tuner.training.trainer import Trainer

AUGMENTATIONS: dict[str, dict[str, ParamValue]] = {
    "none": {},
    "shift": {"shift": 1},
    "affine": {"shift": 1, "rotation": 10.0, "zoom": 0.1},
    "elastic": {"shift": 1, "rotation": 10.0, "zoom": 0.1, "elastic": 1.0},
    "noise": {"noise": 0.1},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["auto", "cpu", "gpu"], default="auto", help="of our training [auto]")
    parser.add_argument("--epochs", type=int, default=3, help="of each configuration, at least 2 [3]")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of ours [float32]")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads of one operation")
    parser.add_argument("--augment", action="store_true", help="compare epochs with and without augmentation")
    parser.add_argument("--small", action="store_true", help="only show that this script works")
    options = parser.parse_args()
    if options.epochs < 2:
        parser.error(f"--epochs must be at least 2, got {options.epochs}: the first epoch is measured apart")
    task = contestants.SMALL if options.small else contestants.MNIST
    folder = data_folder()
    setup = TrainerSetup(
        task.data, folder, task.validation_rows, 0, "val_accuracy", maximize=True, device=options.device
    )
    trainer = Trainer(setup, threads=options.threads)
    if options.augment:
        compare_augmentations(trainer, 16 if options.small else 512, options.epochs)
        return
    rows = contestants.read_rows(task.data, folder, task.validation_rows)
    table = new_table(f"Seconds per epoch on {trainer.device}, {os.environ.get('KERAS_BACKEND', 'tensorflow')}")
    for column in ("units", "optimizer", "batch", "ours first", "ours", "keras first", "keras", "ratio"):
        table.add_column(column, justify="right")
    for units, optimizer, batch in task.grid():
        first, *rest = ours(trainer, units, optimizer, batch, options.epochs, precision=options.precision)
        keras_first, *keras_rest = plain(rows, units, optimizer, batch, options.epochs)
        cells = (first, min(rest), keras_first, min(keras_rest))
        ratio = f"{min(keras_rest) / min(rest):.1f}"
        table.add_row(str(units), optimizer, str(batch), *(f"{cell:.3f}" for cell in cells), ratio)
    Console(width=110).print(table)


def ours(trainer: Trainer, units: int, optimizer: str, batch: int, epochs: int, *, precision: Precision) -> list[float]:
    """Return the seconds of each epoch of a trial, validation included."""
    seconds: list[float] = []
    params: dict[str, ParamValue] = {"layers": 2, "units_0": units, "units_1": units, "dropout": contestants.DROPOUT}
    params |= {"optimizer": optimizer, "batch_size": batch, "learning_rate": contestants.LEARNING_RATE}
    with tempfile.TemporaryDirectory() as folder:
        hp, path = Hyperparameters.from_params(params), Path(folder) / "model.keras"
        job = TrialJob(0, 0, 0, hp, epochs, None, path, precision=precision)
        trainer.train(job, lambda event: seconds.append(event.seconds), lambda _at_rung: None)
    return seconds


def compare_augmentations(trainer: Trainer, units: int, rounds: int) -> None:
    """Print the CPU seconds of an epoch with each augmentation, and their ratio to an epoch without.

    All are trained in turn, so that other load on the machine slows them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in AUGMENTATIONS}
    for _ in range(rounds):
        for name, amounts in AUGMENTATIONS.items():
            seconds[name].append(cpu_seconds(trainer, units, amounts))
    table = new_table(f"CPU seconds per epoch of {units}-{units} on {trainer.device}, the fastest of {rounds}")
    for column in ("augmentation", "seconds", "ratio"):
        table.add_column(column, justify="right")
    for name, measured in seconds.items():
        table.add_row(name, f"{min(measured):.3f}", f"{min(measured) / min(seconds['none']):.2f}")
    Console(width=110).print(table)


def cpu_seconds(trainer: Trainer, units: int, amounts: dict[str, ParamValue]) -> float:
    """Return the CPU seconds of the second epoch of a trial and of its validation."""
    marks: list[float] = []
    params: dict[str, ParamValue] = {"layers": 2, "units_0": units, "units_1": units, "dropout": 0.1, **amounts}
    with tempfile.TemporaryDirectory() as folder:
        job = TrialJob(0, 0, 0, Hyperparameters.from_params(params), 2, None, Path(folder) / "model.keras")
        trainer.train(job, lambda _: marks.append(time.process_time()), lambda _at_rung: None)
    return marks[1] - marks[0]


def plain(rows: tuple[Any, Any, Any, Any], units: int, optimizer: str, batch: int, epochs: int) -> list[float]:
    """Return the seconds of each epoch of an ordinary fit, validation included."""
    import keras

    x, y, x_val, y_val = rows
    marks = [time.perf_counter()]
    model = contestants.plain_model(units, x.shape[1])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter()))
    model.fit(x, y, batch_size=batch, epochs=epochs, validation_data=(x_val, y_val), callbacks=[clock], verbose=0)
    keras.utils.clear_session()
    return [end - begin for begin, end in itertools.pairwise(marks)]


if __name__ == "__main__":
    main()
