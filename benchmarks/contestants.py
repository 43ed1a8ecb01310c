"""The three contestants of `throughput.py`, written as their documentation teaches, on the same grid and rows."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

DROPOUT = 0.2
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Task:
    """A data set with ten classes, and the grid of configurations that a contestant trains on it."""

    title: str
    data: str
    training_rows: int
    validation_rows: int
    features: int
    epochs: int
    units: tuple[int, ...]
    optimizers: tuple[str, ...]
    batches: tuple[int, ...]

    def grid(self) -> list[tuple[int, str, int]]:
        """Return units, optimizer and batch size of each configuration."""
        return list(itertools.product(self.units, self.optimizers, self.batches))


MNIST = Task(
    title="MNIST",
    data="mnist",
    training_rows=48_000,
    validation_rows=12_000,
    features=784,
    epochs=4,
    units=(64, 128, 256),
    optimizers=("adam", "rmsprop"),
    batches=(64, 256),
)
DIGITS = Task(
    title="digits",
    data="digits",
    training_rows=1137,
    validation_rows=300,
    features=64,
    epochs=20,
    units=(16, 32, 64, 128),
    optimizers=("adam", "rmsprop"),
    batches=(16, 32, 64),
)
SMALL = Task(  # only shows that a script works
    title="digits",
    data="digits",
    training_rows=1137,
    validation_rows=300,
    features=64,
    epochs=1,
    units=(16,),
    optimizers=("adam",),
    batches=(256,),
)


@dataclass
class Outcome:
    """Seconds of one contestant's search without imports, and the best validation accuracy of each trial."""

    seconds: float
    accuracies: list[float] = field(default_factory=list)


def read_rows(data: str, folder: Path | None, validation: int) -> tuple[Any, Any, Any, Any]:
    """Return float32 rows in [0, 1], shape ``(rows, features)``, and labels, split by our own stratified split."""
    from tuner.data.lookup import load_dataset
    from tuner.data.split import split_rows

    dataset = load_dataset(data, folder)
    train, held = split_rows(dataset.y_train, validation, 0)
    x = dataset.x_train.reshape(len(dataset.x_train), -1).astype("float32") / dataset.x_train.max()
    return x[train], dataset.y_train[train], x[held], dataset.y_train[held]


def run_tuner(
    task: Task, folder: Path | None, workers: int | None, executor: str = "local", precision: Any = "auto"
) -> Outcome:
    """Run the grid through the public API with an executor, in a precision."""
    from tuner_storage import locate

    from tuner.config.recipe import parse_recipe
    from tuner.run.progress import Ended, Plan, RunView
    from tuner.study import Study

    class Clock:
        """Measures from the start of the first trial to the end of the last one.

        So imports do not count, nor does the test of the best model, which no peer does.
        """

        first = last = 0.0

        def planned(self, plan: Plan) -> None:
            pass

        def update(self, view: RunView) -> None:
            if not self.first and view.running:
                self.first = time.perf_counter()

        def ended(self, end: Ended, view: RunView) -> None:
            self.last = time.perf_counter()

    starts = [
        {
            "label": f"{units} {optimizer} {batch}",
            "params": {"units_0": units, "units_1": units, "optimizer": optimizer, "batch_size": batch},
        }
        for units, optimizer, batch in task.grid()
    ]
    recipe = parse_recipe(
        {
            "name": "throughput",
            "data": task.data,
            "validation": task.validation_rows,
            "budget": {"trials": len(starts), "epochs": task.epochs, "keep": 1},
            "search": {"sampler": "random", "pruner": "none"},
            "space": {
                "layers": 2,
                "units": {"type": "choice", "choices": list(task.units)},
                "dropout": DROPOUT,
                "learning_rate": LEARNING_RATE,
                "optimizer": {"type": "choice", "choices": list(task.optimizers)},
                "batch_size": {"type": "choice", "choices": list(task.batches)},
            },
            "start": starts,
        },
        "benchmark",
    )
    clock = Clock()
    with tempfile.TemporaryDirectory() as home:
        study = Study("throughput", recipe, locate(home=Path(home)), folder)
        study.run(workers=workers, progress=clock, executor=executor, precision=precision)
        return Outcome(clock.last - clock.first, [trial.metrics["val_accuracy"] for trial in study.trials()])


def run_keras_tuner(task: Task, folder: Path | None) -> Outcome:
    """Run the grid as KerasTuner's guide does: a HyperModel with the batch size in ``fit``."""
    import keras
    import keras_tuner

    x, y, x_val, y_val = read_rows(task.data, folder, task.validation_rows)

    class Model(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            model = plain_model(hp.Choice("units", list(task.units)), task.features)
            optimizer = hp.Choice("optimizer", list(task.optimizers))
            model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
            return model

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            return model.fit(*args, batch_size=hp.Choice("batch_size", list(task.batches)), **kwargs)

    keras.utils.set_random_seed(0)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as project:
        search = keras_tuner.GridSearch(Model(), objective="val_accuracy", directory=project)
        search.search(x, y, epochs=task.epochs, validation_data=(x_val, y_val), verbose=0)
        seconds = time.perf_counter() - began
        return Outcome(seconds, [float(trial.score) for trial in search.oracle.trials.values()])


def run_optuna(task: Task, folder: Path | None) -> Outcome:
    """Run the grid as Optuna's Keras example does: ``study.optimize``, SQLite, ``KerasPruningCallback``."""
    import keras
    import optuna
    from optuna_integration import KerasPruningCallback

    x, y, x_val, y_val = read_rows(task.data, folder, task.validation_rows)
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        keras.backend.clear_session()
        model = plain_model(trial.suggest_categorical("units", task.units), task.features)
        optimizer = trial.suggest_categorical("optimizer", task.optimizers)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(
            x,
            y,
            batch_size=trial.suggest_categorical("batch_size", task.batches),
            epochs=task.epochs,
            validation_data=(x_val, y_val),
            callbacks=[KerasPruningCallback(trial, "val_accuracy")],
            verbose=0,
        )
        return float(max(history.history["val_accuracy"]))

    keras.utils.set_random_seed(0)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        grid: dict[str, Sequence[Any]] = {"units": task.units, "optimizer": task.optimizers, "batch_size": task.batches}
        study = optuna.create_study(
            storage=f"sqlite:///{home}/study.db",
            direction="maximize",
            sampler=optuna.samplers.GridSampler(grid),
            pruner=optuna.pruners.NopPruner(),
        )
        study.optimize(objective)
        seconds = time.perf_counter() - began
        return Outcome(seconds, [trial.value or 0.0 for trial in study.trials])


def plain_model(units: int, features: int) -> Any:
    """Build the network from Keras' own layers; the optimizers, given by name, have a learning rate of 1e-3."""
    import keras

    return keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def products_alone(task: Task) -> float:
    """Return the seconds that NumPy needs for the matrix products of the whole grid, forward, backward and validation.

    Each step has per layer of shape ``(a, b)`` one product forward, one for the gradient of the weights and, except in
    the first layer, one for the gradient of the inputs.
    """
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    for units, _, batch in task.grid():
        shapes = [(task.features, units), (units, units), (units, 10)]
        weights = [rng.random(shape, dtype=np.float32) for shape in shapes]
        rows = [rng.random((batch, a), dtype=np.float32) for a, _ in shapes]
        errors = [rng.random((batch, b), dtype=np.float32) for _, b in shapes]
        for _ in range(task.epochs * (task.training_rows // batch)):
            for layer in range(3):
                rows[layer] @ weights[layer]
                rows[layer].T @ errors[layer]
                if layer:
                    errors[layer] @ weights[layer].T
        for _ in range(task.epochs * (task.validation_rows // batch)):
            for layer in range(3):
                rows[layer] @ weights[layer]
    return time.perf_counter() - began
