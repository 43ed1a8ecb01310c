"""A search space: its dimensions, their conditions, and the grid of all configurations."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

from tuner.config.dimensions import AnyDimension
from tuner.errors import RecipeError
from tuner.records import ParamValue

Draw = Callable[[str, AnyDimension], ParamValue]


class SearchSpace:
    """Named dimensions in the order in which they are drawn, and values that are fixed.

    Args:
        dimensions: The dimensions by name, in any order.
        fixed: Values that are the same in all configurations.
        defaults: Values that conditions and ``per`` use for parameters that are neither drawn nor fixed.
        per: Dimensions that are drawn several times, mapped to the parameter that says how often. With
            ``per={"units": "layers"}`` and 2 layers, ``units_0`` and ``units_1`` are drawn.

    Raises:
        RecipeError: If a condition names an unknown parameter, or conditions form a circle.
    """

    def __init__(
        self,
        dimensions: Mapping[str, AnyDimension],
        *,
        fixed: Mapping[str, ParamValue] | None = None,
        defaults: Mapping[str, ParamValue] | None = None,
        per: Mapping[str, str] | None = None,
    ) -> None:
        self.fixed = dict(fixed or {})
        self._base = {**(defaults or {}), **self.fixed}
        self._per = dict(per or {})
        self.dimensions = self._ordered(dict(dimensions))

    def draw(self, draw: Draw) -> dict[str, ParamValue]:
        """Draw one configuration. ``draw(name, dimension)`` is called once for each parameter that exists in it.

        Returns:
            The drawn values, without the fixed ones.
        """
        params: dict[str, ParamValue] = {}
        for name, dimension in self.dimensions.items():
            params.update({instance: draw(instance, dimension) for instance in self._instances(name, params)})
        return params

    def names(self) -> list[str]:
        """Return all names that a configuration can contain, sorted. Conditional parameters are included."""
        names: list[str] = []
        for name in self.dimensions:
            names += [f"{name}_{i}" for i in range(self._max_count(name))] if name in self._per else [name]
        return sorted(names)

    def fits(self, limit: int) -> bool:
        """Return whether the grid has at most ``limit`` configurations and contains all that can be drawn."""
        for dimension in self.dimensions.values():
            size = dimension.size()
            if size is None or size > limit or size != len(dimension.points() or ()):
                return False
        return sum(1 for _ in itertools.islice(self.grid(), limit + 1)) <= limit

    def grid(self) -> Iterator[dict[str, ParamValue]]:
        """Yield every configuration once. A conditional parameter is only in those in which it exists.

        Raises:
            RecipeError: If a dimension has infinitely many values.
        """
        return self._expand(list(self.dimensions), {})

    def _expand(self, names: list[str], params: dict[str, ParamValue]) -> Iterator[dict[str, ParamValue]]:
        if not names:
            yield params
            return
        name, *rest = names
        instances = self._instances(name, params)
        points = _points(name, self.dimensions[name]) if instances else ()
        for values in itertools.product(points, repeat=len(instances)):
            yield from self._expand(rest, {**params, **dict(zip(instances, values, strict=True))})

    def _instances(self, name: str, params: Mapping[str, ParamValue]) -> list[str]:
        """Return the names under which a dimension is drawn if ``params`` are drawn already. There may be none."""
        so_far = {**self._base, **params}
        if not self.dimensions[name].applies(so_far):
            return []
        if name not in self._per:
            return [name]
        return [f"{name}_{i}" for i in range(int(so_far[self._per[name]]))]

    def _max_count(self, name: str) -> int:
        """Return how often a dimension in ``per`` can be drawn at most."""
        parameter = self._per[name]
        dimension = self.dimensions.get(parameter)
        counts: list[ParamValue] = [] if dimension is None else [*dimension.ends()]
        if dimension is None or dimension.when:  # then the fixed value or the default can apply
            counts.append(self._base[parameter])
        return max(int(count) for count in counts)

    def _ordered(self, waiting: dict[str, AnyDimension]) -> dict[str, AnyDimension]:
        """Sort the dimensions so that each one comes after those that it depends on."""
        available = set(self._base) - set(waiting)
        ordered: dict[str, AnyDimension] = {}
        while waiting:
            ready = [name for name, dimension in waiting.items() if self._needs(name, dimension) <= available]
            if not ready:
                name, dimension = next(iter(waiting.items()))
                missing = min(self._needs(name, dimension) - available)
                raise RecipeError(
                    f"'{name}' in [space] depends on '{missing}', which cannot be drawn before it",
                    hint="`when` must name other parameters of [space], and conditions must not form a circle",
                )
            ordered.update((name, waiting.pop(name)) for name in ready)
            available.update(ready)
        return ordered

    def _needs(self, name: str, dimension: AnyDimension) -> set[str]:
        return set(dimension.when) | ({self._per[name]} if name in self._per else set())


def _points(name: str, dimension: AnyDimension) -> tuple[ParamValue, ...]:
    points = dimension.points()
    if points is None:
        low, *_, high = dimension.ends()
        raise RecipeError(
            f"a grid needs a finite number of values, but '{name}' is any number from {low} to {high}",
            hint="give it a `step`, or make it a choice, or use --sampler tpe",
        )
    return points
