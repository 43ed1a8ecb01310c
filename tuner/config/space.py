"""A search space: its dimensions, their conditions, and the grid of all configurations."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from tuner.config.dimensions import AnyDimension, Choice, Int, contains
from tuner.errors import RecipeError
from tuner.records import ParamValue

MAX_GRID = 100_000  # configurations
SMALLER_GRID = "use larger steps, or --sampler tpe"
_MOST_CASES = 10_000  # of the values that conditions name
Draw = Callable[[str, AnyDimension], ParamValue]


class SearchSpace:
    """Named dimensions in the order in which they are drawn, and values that are fixed.

    Args:
        dimensions: The dimensions by name, in any order.
        fixed: Values that are the same in all configurations.
        defaults: Values that conditions and ``per`` use for parameters that are neither drawn nor fixed.
        per: Dimensions that are drawn several times, mapped to the parameter that says how often. With
            ``per={"units": "layers"}`` and 2 layers, ``units_0`` and ``units_1`` are drawn.

    Attributes:
        fixed: The fixed values.
        base: The fixed values, and the defaults of the parameters that are not fixed.
        dimensions: The dimensions, each after those that it depends on.

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
        self.base = {**(defaults or {}), **self.fixed}
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

    def is_per_layer(self, name: str) -> bool:
        """Return whether a dimension is drawn several times, so that no parameter has its name."""
        return name in self.dimensions and name in self._per

    def possible(self, name: str) -> list[ParamValue]:
        """Return the ends of a range, or all choices; also the fixed value or the default if that can apply."""
        dimension = self.dimensions.get(name)
        values: list[ParamValue] = [] if dimension is None else [*dimension.ends()]
        return [*values, self.base[name]] if dimension is None or dimension.when else values

    def unreachable(self) -> list[str]:
        """Return the parameters whose condition never holds, whatever is drawn.

        A condition compares values for equality. So of each dimension, only the values that conditions name have to be
        tried, and one other.

        Raises:
            RecipeError: If the conditions name so many values that their combinations would fill the memory.
        """
        named: dict[str, set[ParamValue]] = {}
        for dimension in self.dimensions.values():
            for other, allowed in dimension.when.items():
                named.setdefault(other, set()).update(allowed if isinstance(allowed, tuple) else (allowed,))
        reached: set[str] = set()
        draws: list[dict[str, ParamValue]] = [{}]
        for name, dimension in self.dimensions.items():
            for params in list(draws):
                if not dimension.applies({**self.base, **params}):
                    continue
                reached.add(name)
                if name in named and name not in self._per:
                    draws.remove(params)
                    draws += [{**params, name: value} for value in _representatives(dimension, named[name])]
                    if len(draws) > _MOST_CASES:
                        raise RecipeError(
                            f"the conditions in [space] distinguish more than {_MOST_CASES:,} cases, '{name}' included",
                            hint="let `when` name fewer parameters, or fewer values of them",
                        )
        return [name for name in self.dimensions if name not in reached]

    def fits(self, limit: int) -> bool:
        """Return whether the grid has at most ``limit`` configurations and contains all that can be drawn."""
        for dimension in self.dimensions.values():
            size = dimension.size()
            if size is None or size > limit or size != dimension.grid_size():
                return False
        return sum(1 for _ in itertools.islice(self.grid(), limit + 1)) <= limit

    def grid(self) -> Iterator[dict[str, ParamValue]]:
        """Yield every configuration once. A conditional parameter is only in those in which it exists.

        Raises:
            RecipeError: If a dimension has infinitely many values, or more than ``MAX_GRID``.
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
        so_far = {**self.base, **params}
        if not self.dimensions[name].applies(so_far):
            return []
        if name not in self._per:
            return [name]
        return [f"{name}_{i}" for i in range(int(so_far[self._per[name]]))]

    def _max_count(self, name: str) -> int:
        """Return how often a dimension in ``per`` can be drawn at most."""
        return max(int(count) for count in self.possible(self._per[name]))

    def _ordered(self, waiting: dict[str, AnyDimension]) -> dict[str, AnyDimension]:
        """Sort the dimensions so that each one comes after those that it depends on."""
        available = set(self.base) - set(waiting)
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


def _representatives(dimension: AnyDimension, named: AbstractSet[ParamValue]) -> list[ParamValue]:
    """Return the values of a dimension that conditions name, and another one if there is any."""
    count = len(named) + 1
    candidates: Iterable[ParamValue]
    if isinstance(dimension, Choice):
        candidates = dimension.choices
    elif isinstance(dimension, Int):
        candidates = range(dimension.low, dimension.high + 1, dimension.step)[:count]
    else:
        candidates = [dimension.at(i / count) for i in range(count)]
    others = (value for value in candidates if value not in named)
    return [*(value for value in named if contains(dimension, value)), *itertools.islice(others, 1)]


def _points(name: str, dimension: AnyDimension) -> tuple[ParamValue, ...]:
    size = dimension.grid_size()
    if size is not None and size > MAX_GRID:  # compared before the values are made, which could fill the memory
        raise RecipeError(
            f"a grid has at most {MAX_GRID:,} configurations, but '{name}' alone has {size:,} values", hint=SMALLER_GRID
        )
    points = dimension.points()
    if points is None:
        low, *_, high = dimension.ends()
        raise RecipeError(
            f"a grid needs a finite number of values, but '{name}' is any number from {low} to {high}",
            hint="give it a `step`, or make it a choice, or use --sampler tpe",
        )
    return points
