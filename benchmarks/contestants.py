"""The three contestants of `throughput.py`, each as its documentation teaches, over the same grid and the same rows."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

UNITS = (64, 128, 256)
OPTIMIZERS = ("adam", "rmsprop")
BATCHES = (64, 256)
EPOCHS = 4
DROPOUT = 0.2
LEARNING_RATE = 1e-3
TRAIN_ROWS, VALIDATION_ROWS = 48_000, 12_000


@dataclass
class Outcome:
    """Seconds of one contestant's search without imports, and the best validation accuracy of each trial."""

    seconds: float
    accuracies: list[float] = field(default_factory=list)


def grid() -> Iterator[tuple[int, str, int]]:
    """Yield units, optimizer and batch size of the 12 configurations."""
    return itertools.product(UNITS, OPTIMIZERS, BATCHES)


def read_mnist(folder: Path, validation: int = VALIDATION_ROWS) -> tuple[Any, Any, Any, Any]:
    """Return float32 rows in [0, 1], shape ``(rows, 784)``, and labels, split by our own stratified split."""
    from tuner.data.lookup import load_dataset
    from tuner.data.split import split_rows

    data = load_dataset("mnist", folder)
    train, held = split_rows(data.y_train, validation, 0)
    x = data.x_train.reshape(len(data.x_train), -1).astype("float32") / 255
    return x[train], data.y_train[train], x[held], data.y_train[held]


def run_tuner(folder: Path, workers: int | None) -> Outcome:
    """Run the grid by the public API with worker processes."""
    from storage import locate
    from tuner.config.recipe import parse_recipe
    from tuner.run.progress import Ended, Plan, RunView
    from tuner.study import Study

    class Clock:
        first = last = 0.0

        def planned(self, plan: Plan) -> None:
            pass

        def update(self, view: RunView) -> None:
            if not self.first and view.running:
                self.first = time.perf_counter()  # imports are over, the first trial is handed out

        def ended(self, end: Ended, view: RunView) -> None:
            self.last = time.perf_counter()  # of the last trial; the test of the best, which no peer does, comes after

    starts = [
        {
            "label": f"{units} {optimizer} {batch}",
            "params": {"units_0": units, "units_1": units, "optimizer": optimizer, "batch_size": batch},
        }
        for units, optimizer, batch in grid()
    ]
    recipe = parse_recipe(
        {
            "name": "throughput",
            "data": "mnist",
            "validation": VALIDATION_ROWS,
            "budget": {"trials": len(starts), "epochs": EPOCHS, "keep": 1},
            "search": {"sampler": "random", "pruner": "none"},
            "space": {
                "layers": 2,
                "units": {"type": "choice", "choices": list(UNITS)},
                "dropout": DROPOUT,
                "learning_rate": LEARNING_RATE,
                "optimizer": {"type": "choice", "choices": list(OPTIMIZERS)},
                "batch_size": {"type": "choice", "choices": list(BATCHES)},
            },
            "start": starts,
        },
        "benchmark",
    )
    clock = Clock()
    with tempfile.TemporaryDirectory() as home:
        study = Study("throughput", recipe, locate(home=Path(home)), folder)
        study.run(workers=workers, progress=clock)
        return Outcome(clock.last - clock.first, [trial.metrics["val_accuracy"] for trial in study.trials()])


def run_keras_tuner(folder: Path) -> Outcome:
    """Run the grid as KerasTuner's guide shows it: a HyperModel with the batch size in ``fit``."""
    import keras
    import keras_tuner

    x, y, x_val, y_val = read_mnist(folder)

    class Model(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            units = hp.Choice("units", list(UNITS))
            model = plain_model(units)
            model.compile(
                hp.Choice("optimizer", list(OPTIMIZERS)), "sparse_categorical_crossentropy", metrics=["accuracy"]
            )
            return model

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            return model.fit(*args, batch_size=hp.Choice("batch_size", list(BATCHES)), **kwargs)

    keras.utils.set_random_seed(0)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as project:
        search = keras_tuner.GridSearch(Model(), objective="val_accuracy", directory=project)
        search.search(x, y, epochs=EPOCHS, validation_data=(x_val, y_val), verbose=0)
        seconds = time.perf_counter() - began
        return Outcome(seconds, [float(trial.score) for trial in search.oracle.trials.values()])


def run_optuna(folder: Path) -> Outcome:
    """Run the grid as Optuna's Keras example shows it: ``study.optimize``, SQLite, ``KerasPruningCallback``."""
    import keras
    import optuna
    from optuna_integration import KerasPruningCallback

    x, y, x_val, y_val = read_mnist(folder)
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        keras.backend.clear_session()
        model = plain_model(trial.suggest_categorical("units", UNITS))
        optimizer = trial.suggest_categorical("optimizer", OPTIMIZERS)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(
            x,
            y,
            batch_size=trial.suggest_categorical("batch_size", BATCHES),
            epochs=EPOCHS,
            validation_data=(x_val, y_val),
            callbacks=[KerasPruningCallback(trial, "val_accuracy")],
            verbose=0,
        )
        return float(max(history.history["val_accuracy"]))

    keras.utils.set_random_seed(0)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        study = optuna.create_study(
            storage=f"sqlite:///{home}/study.db",
            direction="maximize",
            sampler=optuna.samplers.GridSampler({"units": UNITS, "optimizer": OPTIMIZERS, "batch_size": BATCHES}),
            pruner=optuna.pruners.NopPruner(),
        )
        study.optimize(objective)
        seconds = time.perf_counter() - began
        return Outcome(seconds, [trial.value or 0.0 for trial in study.trials])


def plain_model(units: int) -> Any:
    """Build the network as everybody does; both names of optimizers stand for a learning rate of 1e-3."""
    import keras

    return keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def products_alone() -> float:
    """Return the seconds that NumPy needs for the matrix products of the whole grid, forward, backward and validation.

    Per step and layer of shape ``(a, b)``: one product forward, one for the weights' gradient, and one for the inputs'
    gradient except in the first layer.
    """
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    for units, _, batch in grid():
        shapes = [(784, units), (units, units), (units, 10)]
        weights = [rng.random(shape, dtype=np.float32) for shape in shapes]
        rows = [rng.random((batch, a), dtype=np.float32) for a, _ in shapes]
        errors = [rng.random((batch, b), dtype=np.float32) for _, b in shapes]
        for _ in range(EPOCHS * (TRAIN_ROWS // batch)):
            for layer in range(3):
                rows[layer] @ weights[layer]
                rows[layer].T @ errors[layer]
                if layer:
                    errors[layer] @ weights[layer].T
        for _ in range(EPOCHS * (VALIDATION_ROWS // batch)):
            for layer in range(3):
                rows[layer] @ weights[layer]
    return time.perf_counter() - began
