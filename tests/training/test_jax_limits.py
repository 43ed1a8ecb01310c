"""What JAX cannot train is refused with one line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.schemas import pixels, table
from tuner.config.hyperparameters import Hyperparameters
from tuner.errors import RunError


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"parametrization": "ntk"}, "parametrization = 'ntk'"),
        ({"input_scale": True}, "input_scale"),
        ({"weight_decay_schedule": "flat_cos"}, "weight_decay_schedule"),
        ({"use_ema": True}, "use_ema"),
        ({"max_norm": 1.0}, "max_norm"),
        ({"class_weight": "balanced"}, "class_weight"),
    ],
)
def test_settings_that_only_the_program_has_are_refused(params: dict[str, Any], named: str) -> None:
    """The message names the setting, and the hint the way out."""
    from tuner.training.fused_jax import refuse_on_jax

    with pytest.raises(RunError, match=f"^{named} cannot be trained with JAX") as error:
        refuse_on_jax(Hyperparameters(**params), pixels((2, 2), 3))
    assert "unset KERAS_BACKEND" in str(error.value.hint)


def test_tables_are_refused_and_images_are_not() -> None:
    """Images with the defaults, and with what Keras itself can do, are trained with JAX as before."""
    from tuner.training.fused_jax import refuse_on_jax

    refuse_on_jax(Hyperparameters(activation="mish", parametric_activation=True, beta_2=0.9), pixels((2, 2), 3))
    with pytest.raises(RunError, match="a table cannot be trained with JAX"):
        refuse_on_jax(Hyperparameters(), table())
