"""A search space as plain data: ranges, choices and conditions, without Optuna."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tuner.errors import RecipeError
from tuner.records import ParamValue

Draw = Callable[[str, "AnyDimension"], ParamValue]


class _Dimension(BaseModel):
    """What every dimension has: ``when`` names the parameters, and their values, under which it exists."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    when: dict[str, ParamValue | tuple[ParamValue, ...]] = Field(default_factory=dict)

    def applies(self, params: Mapping[str, ParamValue]) -> bool:
        """Tell whether the condition holds for ``params``, the values drawn so far."""
        return all(
            name in params and params[name] in (allowed if isinstance(allowed, tuple) else (allowed,))
            for name, allowed in self.when.items()
        )


class Float(_Dimension):
    """A real number in ``[low, high]``; ``log`` draws its logarithm uniformly, ``step`` makes it a grid."""

    type: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False
    step: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _range(self) -> Self:
        _check_range(self.low, self.high, log=self.log, step=self.step)
        return self

    def ends(self) -> tuple[float, ...]:
        """Return the extreme values, which must both be possible."""
        return (self.low, self.high)

    def size(self) -> int | None:
        """Return how many values can be drawn, or ``None`` where there are infinitely many."""
        if self.step is None:
            return 1 if self.low == self.high else None
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def points(self) -> tuple[float, ...] | None:
        """Return every value in order, or ``None`` where there are infinitely many."""
        size = self.size()
        return None if size is None else tuple(self._point(i) for i in range(size))

    def at(self, u: float) -> float:
        """Return the value at ``u`` in [0, 1) of the way from ``low`` to ``high``; each step takes an equal share."""
        size = self.size()
        if size is not None:
            return self._point(_share(u, size))
        if not self.log:
            return min(self.low + u * (self.high - self.low), self.high)
        return min(max(_between_logs(u, self.low, self.high), self.low), self.high)

    def _point(self, i: int) -> float:
        return self.low if self.step is None else min(max(round(self.low + i * self.step, 12), self.low), self.high)


class Int(_Dimension):
    """A whole number in ``[low, high]``."""

    type: Literal["int"] = "int"
    low: int
    high: int
    log: bool = False
    step: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _range(self) -> Self:
        _check_range(self.low, self.high, log=self.log, step=self.step if self.step > 1 else None)
        return self

    def ends(self) -> tuple[int, ...]:
        """Return the extreme values, which must both be possible."""
        return (self.low, self.high)

    def size(self) -> int:
        """Return how many values can be drawn."""
        return (self.high - self.low) // self.step + 1

    def points(self) -> tuple[int, ...] | None:
        """Return every value in order; powers of two times ``low`` for a logarithmic range."""
        if self.log:
            return tuple(itertools.takewhile(lambda v: v <= self.high, (self.low * 2**i for i in itertools.count())))
        return tuple(range(self.low, self.high + 1, self.step))

    def at(self, u: float) -> int:
        """Return the value at ``u`` in [0, 1) of the way from ``low`` to ``high``; each step takes an equal share."""
        if not self.log:
            return self.low + self.step * _share(u, self.size())
        # Half a unit more at each end: the ends are as likely as their neighbours.
        return min(max(round(_between_logs(u, self.low - 0.5, self.high + 0.5)), self.low), self.high)


class Choice(_Dimension):
    """One of a list of values without an order."""

    type: Literal["choice"] = "choice"
    choices: tuple[ParamValue, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({(type(c), c) for c in self.choices}) < len(self.choices):
            raise ValueError(f"choices must differ, got {list(self.choices)}")
        return self

    def ends(self) -> tuple[ParamValue, ...]:
        """Return every value: each must be possible."""
        return self.choices

    def size(self) -> int:
        """Return how many values can be drawn."""
        return len(self.choices)

    def points(self) -> tuple[ParamValue, ...] | None:
        """Return every value in order."""
        return self.choices

    def at(self, u: float) -> ParamValue:
        """Return the choice at ``u`` in [0, 1) of the way through the list; each takes an equal share."""
        return self.choices[_share(u, len(self.choices))]


AnyDimension = Float | Int | Choice


def _share(u: float, count: int) -> int:
    """Return which of ``count`` equal parts of [0, 1) holds ``u``."""
    return min(int(u * count), count - 1)


def _between_logs(u: float, low: float, high: float) -> float:
    return low * math.pow(high / low, u)


def _check_range(low: float, high: float, *, log: bool, step: float | None) -> None:
    if low > high:
        raise ValueError(f"low <= high must hold, got low={low}, high={high}")
    if log and low <= 0:
        raise ValueError(f"a log range must not touch 0, got low={low}")
    if log and step is not None:
        raise ValueError(f"log and step exclude each other, got step={step}")


class SearchSpace:
    """Named dimensions in the order in which they are drawn, plus the values that are fixed.

    ``defaults`` is what a parameter that is neither drawn nor fixed is taken to be by conditions and repeats.

    A dimension named in ``per`` is drawn once for each unit of the parameter it maps to: with
    ``per={"units": "layers"}`` and 2 layers, ``units_0`` and ``units_1`` are drawn.

    Raises:
        RecipeError: If a condition names an unknown parameter, or conditions go round in a circle.
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
        """Draw one configuration; ``draw(name, dimension)`` is called once per parameter that exists in it.

        Returns:
            The drawn values alone; fixed ones are in ``self.fixed``.
        """
        params: dict[str, ParamValue] = {}
        for name, dim in self.dimensions.items():
            params.update({each: draw(each, dim) for each in self._instances(name, params)})
        return params

    def names(self) -> list[str]:
        """Return every name that a configuration can hold, sorted: conditional ones, and those of the last unit too."""
        return sorted(
            each
            for name in self.dimensions
            for each in ([name] if name not in self._per else [f"{name}_{i}" for i in range(self._most(name))])
        )

    def fits(self, limit: int) -> bool:
        """Tell whether the grid has at most ``limit`` configurations and they are all that can be drawn."""
        for dim in self.dimensions.values():
            size = dim.size()
            if size is None or size > limit or size != len(dim.points() or ()):
                return False
        return sum(1 for _ in itertools.islice(self.grid(), limit + 1)) <= limit

    def grid(self) -> Iterator[dict[str, ParamValue]]:
        """Yield every configuration once; conditional parameters only where they exist.

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
        """Return the names under which dimension ``name`` is drawn once ``params`` are known; often one or none."""
        so_far = {**self._base, **params}
        if not self.dimensions[name].applies(so_far):
            return []
        if name not in self._per:
            return [name]
        return [f"{name}_{i}" for i in range(int(so_far[self._per[name]]))]

    def _most(self, name: str) -> int:
        """Return how often a dimension in ``per`` is drawn at most."""
        count = self._per[name]
        dim = self.dimensions.get(count)
        possible: list[ParamValue] = [] if dim is None else [*dim.ends()]
        if dim is None or dim.when:  # then what is fixed or the default holds, at least at times
            possible.append(self._base[count])
        return max(int(each) for each in possible)

    def _ordered(self, waiting: dict[str, AnyDimension]) -> dict[str, AnyDimension]:
        """Sort so that whatever a dimension depends on is drawn before it."""
        known = set(self._base) - set(waiting)
        ordered: dict[str, AnyDimension] = {}
        while waiting:
            ready = [name for name, dim in waiting.items() if self._needs(name, dim) <= known]
            if not ready:
                name, dim = next(iter(waiting.items()))
                missing = min(self._needs(name, dim) - known)
                raise RecipeError(
                    f"'{name}' in [space] depends on '{missing}', which cannot be drawn before it",
                    hint="`when` names another parameter of [space], and conditions must not go round in a circle",
                )
            ordered.update((name, waiting.pop(name)) for name in ready)
            known.update(ready)
        return ordered

    def _needs(self, name: str, dim: AnyDimension) -> set[str]:
        return set(dim.when) | ({self._per[name]} if name in self._per else set())


def _points(name: str, dim: AnyDimension) -> tuple[ParamValue, ...]:
    points = dim.points()
    if points is None:
        raise RecipeError(
            f"a grid needs finitely many values, but '{name}' is any number from {dim.ends()[0]} to {dim.ends()[-1]}",
            hint="give it a `step`, or make it a choice, or use --sampler tpe",
        )
    return points
