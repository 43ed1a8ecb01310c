"""The weights of a model are counted without building it."""

from __future__ import annotations

from typing import Any

import pytest

from tuner.config.hyperparameters import Hyperparameters


@pytest.mark.parametrize(
    "params",
    [
        {"layers": 0},
        {"layers": 0, "batch_norm": True, "input_dropout": 0.1},
        {"layers": 1, "units": 16},
        {"layers": 1, "units": 16, "batch_norm": True},
        {"layers": 3, "units": (7, 33, 5), "dropout": 0.2, "input_dropout": 0.1, "optimizer": "adamw"},
        {"layers": 3, "units": (64, 1, 20), "batch_norm": True, "dropout": 0.2, "optimizer": "sgd", "momentum": 0.9},
    ],
)
@pytest.mark.parametrize(("shape", "classes"), [((4,), 2), ((8, 8, 1), 10)])
def test_the_weights_are_those_that_keras_counts(params: dict[str, Any], shape: tuple[int, ...], classes: int) -> None:
    """The count includes the weights that are not trained, for all layers, dropout rates and optimizers."""
    from math import prod

    from tuner.training.model import build, compile_model

    hp = Hyperparameters(**params)
    model, predictor = build(hp, input_shape=shape, dtype="float32", scale=1.0, classes=classes, seed=1)
    compile_model(model, hp, classes=classes, steps=10)

    assert hp.weights(prod(shape), classes) == predictor.count_params()
