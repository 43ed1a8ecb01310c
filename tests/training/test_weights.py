"""The weights of a model are counted without building it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schemas import numbers, pixels, table
from tuner.config.hyperparameters import Hyperparameters, InputSize, NumericEmbedding
from tuner.data.schema import DataSchema
from tuner.search.size_limit import weights_for


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
    model, predictor = build(hp, numbers(shape, classes), seed=1)
    compile_model(model, hp, steps=10)

    assert hp.weights(InputSize(prod(shape)), classes) == predictor.count_params()


@settings(max_examples=25)
@given(
    params=st.fixed_dictionaries(
        {
            "layers": st.integers(0, 3),
            "units": st.integers(1, 20),
            "batch_norm": st.booleans(),
            "parametric_activation": st.booleans(),
            "input_scale": st.booleans(),
            "numeric_embedding": st.sampled_from(get_args(NumericEmbedding)),
            "periodic_frequencies": st.integers(1, 5),
            "embedding_width": st.integers(2, 5),
            "category_width": st.integers(1, 5),
        }
    ),
    schema=st.sampled_from([numbers((5,), 3), pixels((2, 2), 4), table(), table(classes=2), table(embedded=False)]),
)
@pytest.mark.slow
def test_the_weights_of_any_configuration_are_counted(params: dict[str, Any], schema: DataSchema) -> None:
    """Also those of embeddings, learned scales and parametric activations; only tables have embeddings."""
    from tuner.training.model import build

    hp = Hyperparameters(**params)
    assert weights_for(schema)(hp) == build(hp, schema, seed=1)[1].count_params()
