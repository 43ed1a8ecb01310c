"""Run the search of one peer for `time_to_accuracy.py`, over the space of our recipe.

It is written as an experienced user would write it. Without `--trials` it never ends by itself: `time_to_accuracy.py`
ends the process. Each finished epoch becomes a line of JSON in the output.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from peers_images import augmentation

from tuner.config.dimensions import AnyDimension, Choice, Float
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.parsing import flat
from tuner.config.recipe import Recipe
from tuner.config.recipe_files import load_recipe
from tuner.records import ParamValue
from tuner.training.optimizers import make_optimizer
from tuner.training.schedules import make_schedule

CLASSES = 10
FACTOR = 3  # of Hyperband: the default of KerasTuner and of Optuna
FOR_EVER = 1_000_000  # iterations of Hyperband


class Task:
    """The rows, the recipe and the file for the curve, which both peers share.

    Args:
        options: The command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        with np.load(options.rows) as rows:
            self.x, self.y, self.x_val, self.y_val = (rows[name] for name in ("x", "y", "x_val", "y_val"))
        self.recipe: Recipe = load_recipe(options.recipe)
        self.seed: int = options.seed
        self.trials: int | None = options.trials
        self._began: float = options.began
        self._output: Path = options.output
        self._recorded = 0  # trials

    @property
    def metric(self) -> str:
        """The objective: ``val_accuracy`` or ``val_loss``."""
        return self.recipe.objective.metric

    @property
    def epochs(self) -> int:
        """The largest number of epochs of a trial."""
        return self.recipe.budget.epochs

    @property
    def validation(self) -> tuple[Any, Any]:
        """Rows ``(rows, features)`` and one-hot labels ``(rows, 10)``."""
        return self.x_val, one_hot(self.y_val)

    def draw(self, draw: Callable[[str, AnyDimension], ParamValue]) -> Hyperparameters:
        """Return a configuration with values from ``draw``, and the fixed values and defaults of the recipe."""
        return self.recipe.hyperparameters(self.recipe.search_space.draw(draw))

    def build(self, hp: Hyperparameters, epochs: int) -> keras.Model:
        """Build and compile the network; a cosine schedule, if there is one, falls to 0 over ``epochs``."""
        model = keras.Sequential([keras.Input((self.x.shape[1],)), *augmentation(hp, self.x.shape[1])])
        if hp.input_dropout:
            model.add(keras.layers.Dropout(hp.input_dropout))
        for width in hp.hidden:
            model.add(keras.layers.Dense(width, use_bias=not hp.batch_norm))
            if hp.batch_norm:
                model.add(keras.layers.BatchNormalization())
            model.add(keras.layers.Activation(hp.activation))
            if hp.dropout:
                model.add(keras.layers.Dropout(hp.dropout))
        model.add(keras.layers.Dense(CLASSES, activation="softmax"))
        schedule = make_schedule(hp, math.ceil(len(self.x) / hp.batch_size) * epochs)
        model.compile(make_optimizer(hp, schedule), "categorical_crossentropy", metrics=["accuracy"])
        return model

    def smoothed(self, hp: Hyperparameters) -> Any:
        """Return the smoothed training labels ``(rows, 10)``.

        They are smoothed here and not by the loss, so the validation loss is that of hard labels.
        """
        return one_hot(self.y) * (1 - hp.label_smoothing) + np.float32(hp.label_smoothing / CLASSES)

    def early_stopping(self) -> keras.callbacks.Callback:
        """Return the callback that applies the recipe's patience."""
        mode = "max" if self.recipe.objective.maximize else "min"
        return keras.callbacks.EarlyStopping(
            self.metric, patience=self.recipe.budget.patience or self.epochs, mode=mode
        )

    def recorder(self) -> keras.callbacks.Callback:
        """Return the callback that writes the curve of the next trial."""
        trial, self._recorded = self._recorded, self._recorded + 1

        def write(epoch: int, logs: dict[str, float]) -> None:
            values = {name: float(logs[name]) for name in ("val_accuracy", "val_loss")}
            point = {"seconds": time.monotonic() - self._began, "trial": trial, "epoch": epoch, **values}
            with self._output.open("a", encoding="utf-8") as file:
                file.write(json.dumps(point) + "\n")

        return keras.callbacks.LambdaCallback(on_epoch_end=write)


def main() -> None:
    """Search until this process is ended, or for so many trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--rows", type=Path, required=True, help="NumPy archive with x, y, x_val, y_val")
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--began", type=float, required=True, help="time.monotonic() when this process was started")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--trials", type=int, help="end after so many trials [never]")
    options = parser.parse_args()
    keras.utils.set_random_seed(options.seed)
    PEERS[options.peer](Task(options))


def search_keras_tuner(task: Task) -> None:
    """Search with KerasTuner's Hyperband, in the current folder.

    KerasTuner continues a promoted trial from the weights of its last rung, but with a new optimizer. The cosine
    schedule spans the epochs of one rung, so that no rung ends with a high learning rate.
    """
    import keras_tuner

    def draw_from(hp: Any) -> Callable[[str, AnyDimension], ParamValue]:
        def draw(name: str, dim: AnyDimension) -> Any:
            if isinstance(dim, Choice):
                return hp.Choice(name, list(dim.choices))
            kind = hp.Float if isinstance(dim, Float) else hp.Int
            step = None if dim.log else dim.step
            return kind(name, dim.low, dim.high, step=step, sampling="log" if dim.log else "linear")

        return draw

    class Network(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> keras.Model:
            epochs = hp.values.get("tuner/epochs", task.epochs) - hp.values.get("tuner/initial_epoch", 0)
            return task.build(task.draw(draw_from(hp)), epochs)

        def fit(self, hp: Any, model: keras.Model, *args: Any, callbacks: Any, **settings: Any) -> Any:
            drawn = task.draw(draw_from(hp))
            settings |= {"batch_size": drawn.batch_size, "callbacks": [*callbacks, task.recorder()]}
            return model.fit(task.x, task.smoothed(drawn), **settings)

    search = keras_tuner.Hyperband(
        Network(),
        objective=task.metric,
        max_epochs=task.epochs,
        factor=FACTOR,
        hyperband_iterations=FOR_EVER,
        seed=task.seed,
        directory=".",
    )
    search.oracle.max_trials = task.trials  # Hyperband has no argument for it
    search.search(validation_data=task.validation, callbacks=[task.early_stopping()], verbose=0)


def search_optuna(task: Task) -> None:
    """Search with Optuna's TPE and Hyperband, the study in memory. The recipe's start configurations come first."""
    import optuna
    from optuna_integration import KerasPruningCallback

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def draw_from(trial: optuna.Trial) -> Callable[[str, AnyDimension], ParamValue]:
        def draw(name: str, dim: AnyDimension) -> Any:
            if isinstance(dim, Choice):
                return trial.suggest_categorical(name, dim.choices)
            suggest: Any = trial.suggest_float if isinstance(dim, Float) else trial.suggest_int
            return suggest(name, dim.low, dim.high, step=dim.step, log=dim.log)

        return draw

    def objective(trial: optuna.Trial) -> float:
        keras.backend.clear_session()
        drawn = task.draw(draw_from(trial))
        history = task.build(drawn, task.epochs).fit(
            task.x,
            task.smoothed(drawn),
            batch_size=drawn.batch_size,
            epochs=task.epochs,
            validation_data=task.validation,
            callbacks=[task.recorder(), task.early_stopping(), KerasPruningCallback(trial, task.metric)],
            verbose=0,
        )
        return float((max if task.recipe.objective.maximize else min)(history.history[task.metric]))

    study = optuna.create_study(
        direction=task.recipe.objective.direction,
        sampler=optuna.samplers.TPESampler(multivariate=True, group=True, seed=task.seed),
        pruner=optuna.pruners.HyperbandPruner(max_resource=task.epochs, reduction_factor=FACTOR),
    )
    for start in task.recipe.start:  # KerasTuner's Hyperband has no option for them
        study.enqueue_trial(flat(start.params))
    study.optimize(objective, n_trials=task.trials)


def one_hot(y: Any) -> Any:
    """Return labels ``(rows,)`` as ``(rows, 10)``."""
    return np.eye(CLASSES, dtype=np.float32)[y]


PEERS: dict[str, Callable[[Task], None]] = {"keras_tuner": search_keras_tuner, "optuna": search_optuna}


if __name__ == "__main__":
    main()
