"""Factors of the learning rate and the weight decay for each variable of a model.

Source: Holzmüller et al. 2024, Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data, appendix A,
and their program, which multiplies the factor of a group into its decay twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Role = Literal["kernel", "bias", "scale", "activation", "input_scale", "vectors", "frequency", "number"]

_ALWAYS: dict[Role, float] = {"input_scale": 6.0}
_NTK: dict[Role, float] = {
    "bias": 0.1,
    "activation": 0.1,
    "number": 0.1,
    "frequency": 0.1,
}


def has_factors(roles: Sequence[Role], *, ntk: bool) -> bool:
    """Return whether any variable has a factor other than 1."""
    return ntk or any(role in _ALWAYS for role in roles)


def decays(role: Role, *, ntk: bool) -> bool:
    """Return whether a variable decays. As in Keras, all of them do, but no bias with the parametrization ``ntk``."""
    return not (ntk and role == "bias")


def rate_factors(roles: Sequence[Role], shapes: Sequence[Sequence[int]], *, ntk: bool) -> NDArray[np.float32]:
    """Return the factor of the learning rate of each variable, shape ``(variables,)``.

    The parametrization ``ntk`` computes ``W x / sqrt(inputs)``. With a product of both as the weight, an optimizer that
    divides gradients by their size makes the same steps if the rate is divided by ``sqrt(inputs)``. In the same way,
    frequencies include the factor ``2 pi``.
    """
    factors = [_group(role, ntk=ntk) for role in roles]
    if ntk:
        inner: dict[Role, float] = {"frequency": 2 * math.pi}
        for i, (role, shape) in enumerate(zip(roles, shapes, strict=True)):
            factors[i] *= 1 / math.sqrt(shape[0]) if role == "kernel" else inner.get(role, 1.0)
    return np.array(factors, np.float32)


def decay_factors(roles: Sequence[Role], *, ntk: bool) -> NDArray[np.float32]:
    """Return the factor of the weight decay of each variable, shape ``(variables,)``."""
    return np.array([_group(role, ntk=ntk) ** 2 * decays(role, ntk=ntk) for role in roles], np.float32)


def _group(role: Role, *, ntk: bool) -> float:
    return _ALWAYS.get(role, 1.0) * (_NTK.get(role, 1.0) if ntk else 1.0)
