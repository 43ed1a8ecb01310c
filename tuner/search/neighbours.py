"""Neighbours of a configuration: all as it is, but for one choice. Pure: a space and values."""

from __future__ import annotations

import random
from collections.abc import Container, Hashable, Iterator, Mapping

from tuner.config.space import AnyDimension, Choice, Int, SearchSpace
from tuner.records import ParamValue

FEW = 5  # values that a whole number may have to be a choice too, such as the number of layers


def neighbours(space: SearchSpace, params: Mapping[str, ParamValue], seed: int) -> Iterator[dict[str, ParamValue]]:
    """Yield each configuration that differs from ``params`` in one choice, every parameter once before any again.

    A parameter that exists only with the new choice (``momentum``, the width of a further layer) is drawn at random;
    one that does not exist with it is gone.

    Args:
        space: What is searched.
        params: A configuration of it; fixed values are not among its parameters.
        seed: Of the order, and of what is drawn.

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
    """Return the first neighbour that was not tried yet, where there is one.

    Args:
        space: What is searched.
        params: Whose neighbour.
        seed: Of the order.
        tried: What :func:`identity` says of those that were.
    """
    return next((each for each in neighbours(space, params, seed) if identity(each) not in tried), None)


def identity(params: Mapping[str, ParamValue]) -> Hashable:
    """Return what two configurations with just the same searched parameters have in common."""
    return tuple(sorted(params.items()))


def _others(dim: AnyDimension, value: ParamValue) -> list[ParamValue]:
    """Return the other values of a parameter that is a choice; none of one that is not."""
    if isinstance(dim, Choice) or (isinstance(dim, Int) and not dim.log and dim.size() <= FEW):
        return [each for each in dim.points() or () if each != value]
    return []


def _filled(space: SearchSpace, known: Mapping[str, ParamValue], rng: random.Random) -> dict[str, ParamValue]:
    """Return a configuration with the known values, as far as they exist, and random ones where they do not."""
    return space.draw(lambda name, dim: known[name] if name in known else dim.at(rng.random()))
