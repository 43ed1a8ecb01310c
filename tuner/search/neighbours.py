"""Neighbours of a configuration: they differ from it in one choice. Pure: a space and values."""

from __future__ import annotations

import random
from collections.abc import Container, Hashable, Iterator, Mapping

from tuner.config.dimensions import AnyDimension, Choice, Int
from tuner.config.space import SearchSpace
from tuner.records import ParamValue

FEW = 5  # a whole number with at most so many values counts as a choice, such as the number of layers


def neighbours(space: SearchSpace, params: Mapping[str, ParamValue], seed: int) -> Iterator[dict[str, ParamValue]]:
    """Yield every configuration that differs from ``params`` in one choice.

    The parameters take turns: each is changed once before any is changed again. A parameter that exists only with the
    new choice (``momentum``, the width of a further layer) is drawn at random; one that does not exist with it is
    dropped.

    Args:
        space: The search space.
        params: A configuration of the space, without its fixed values.
        seed: Decides the order and the random draws.

    Source: the one-exchange neighbourhood of Hutter et al. 2011, Sequential model-based optimization for general
    algorithm configuration, section 4.3.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    others = {name: _others(dim, params[name]) for name, dim in space.dimensions.items() if name in params}
    for values in others.values():
        rng.shuffle(values)
    names = list(others)
    rng.shuffle(names)
    for turn in range(max(map(len, others.values()), default=0)):
        for name in names:
            if turn < len(others[name]):
                yield _filled(space, {**params, name: others[name][turn]}, rng)


def untried_neighbour(
    space: SearchSpace, params: Mapping[str, ParamValue], seed: int, *, tried: Container[Hashable]
) -> dict[str, ParamValue] | None:
    """Return the first neighbour that was not tried yet, or ``None``.

    Args:
        space: The search space.
        params: The configuration to start from.
        seed: Decides the order.
        tried: The :func:`identity` of every configuration that was tried.
    """
    candidates = neighbours(space, params, seed)
    return next((candidate for candidate in candidates if identity(candidate) not in tried), None)


def identity(params: Mapping[str, ParamValue]) -> Hashable:
    """Return a key that is equal for configurations with the same searched parameters."""
    return tuple(sorted(params.items()))


def _others(dim: AnyDimension, value: ParamValue) -> list[ParamValue]:
    """Return the other values of a parameter if it is a choice, else nothing."""
    if isinstance(dim, Choice) or (isinstance(dim, Int) and not dim.log and dim.size() <= FEW):
        return [point for point in dim.points() or () if point != value]
    return []


def _filled(space: SearchSpace, fixed: Mapping[str, ParamValue], rng: random.Random) -> dict[str, ParamValue]:
    """Return a configuration with the ``fixed`` values, and random values for the other parameters."""
    return space.draw(lambda name, dim: fixed[name] if name in fixed else dim.at(rng.random()))
