"""Hyperparameters survive the conversion to flat parameters and back, and refuse impossible values."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuner.config.hyperparameters import (
    DEFAULTS,
    Activation,
    Hyperparameters,
    NumericEmbedding,
    OptimizerName,
    Parametrization,
    Schedule,
)

SHARES = st.floats(0, 1, exclude_max=True)
WIDTHS = st.lists(st.integers(1, 65_536), max_size=6)


@st.composite
def configurations(draw: st.DrawFn) -> Hyperparameters:
    """Generate any configuration, with one width per layer."""
    widths = draw(WIDTHS)
    return Hyperparameters(
        layers=len(widths),
        units=tuple(widths),
        dropout=draw(SHARES),
        input_dropout=draw(SHARES),
        activation=draw(st.sampled_from(get_args(Activation))),
        batch_norm=draw(st.booleans()),
        optimizer=draw(st.sampled_from(get_args(OptimizerName))),
        learning_rate=draw(st.floats(1e-9, 10)),
        momentum=draw(SHARES),
        schedule=draw(st.sampled_from(get_args(Schedule))),
        weight_decay=draw(st.floats(0, 1)),
        label_smoothing=draw(SHARES),
        batch_size=draw(st.integers(1, 4096)),
        beta_2=draw(st.floats(0.5, 0.9999)),
        parametric_activation=draw(st.booleans()),
        parametrization=draw(st.sampled_from(get_args(Parametrization))),
        numeric_embedding=draw(st.sampled_from(get_args(NumericEmbedding))),
        periodic_scale=draw(st.floats(1e-3, 10)),
        embedding_width=draw(st.integers(2, 64)),
    )


@given(configurations())
def test_flat_parameters_lead_back_to_the_same_configuration(hyperparameters: Hyperparameters) -> None:
    """No value is lost on the way to a trial's parameters and back. Zero layers have zero widths."""
    params = hyperparameters.as_params()
    again = Hyperparameters.from_params(params)

    assert again.hidden == hyperparameters.hidden
    assert again.as_params() == params
    assert all(isinstance(value, bool | int | float | str) for value in params.values())


def test_more_than_ten_widths_keep_their_order() -> None:
    """``units_10`` comes after ``units_9``, not after ``units_1``."""
    widths = tuple(range(1, 13))
    params = {f"units_{i}": width for i, width in reversed(list(enumerate(widths)))}

    assert Hyperparameters.from_params({"layers": 12, **params}).hidden == widths


def test_one_width_stands_for_all_layers() -> None:
    """``units = 64`` is the short form."""
    assert Hyperparameters.from_params({"layers": 3, "units": 64}).hidden == (64, 64, 64)


def test_a_list_of_widths_sets_the_number_of_layers() -> None:
    """``layers`` need not be given as well."""
    assert Hyperparameters.from_params({"units": [64, 32, 16]}).layers == 3


def test_defaults_name_every_hyperparameter_but_the_widths() -> None:
    """A condition on a parameter that is neither drawn nor fixed uses its default."""
    assert {"units", *DEFAULTS} == set(Hyperparameters.model_fields)
    assert Hyperparameters.model_validate(DEFAULTS) == Hyperparameters()


@pytest.mark.parametrize(
    ("params", "rate"),
    [({}, 1e-3), ({"optimizer": "adadelta"}, 1.0), ({"optimizer": "adadelta", "learning_rate": 0.3}, 0.3)],
)
def test_adadelta_has_a_learning_rate_of_its_own(params: dict[str, Any], rate: float) -> None:
    """The default rate of the other optimizers would be far too low for it."""
    assert Hyperparameters.from_params(params).learning_rate == rate


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"learning_rate": 0}, "greater than 0"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"dropout": 1}, "less than 1"),
        ({"momentum": -0.1}, "greater than or equal to 0"),
        ({"layers": -1}, "greater than or equal to 0"),
        ({"layers": 1, "units_0": 0}, "greater than or equal to 1"),
        ({"layers": 3, "units_0": 8, "units_1": 8}, "one width per layer, got 2 for 3 layers"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"optimizer": "adam "}, "'adam', 'adamw', 'rmsprop', 'adadelta' or 'sgd'"),
        ({"units_x": 3}, "Extra inputs"),
        ({"leraning_rate": 0.1}, "Extra inputs"),
    ],
)
def test_impossible_values_are_refused(params: dict[str, Any], message: str) -> None:
    """So no trial can start with them."""
    with pytest.raises(ValidationError, match=message):
        Hyperparameters.from_params(params)
