"""The dimensions of a search space as plain data, without Optuna: ranges, choices and their conditions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tuner.config.numbers import Integer, Number
from tuner.records import ParamValue

_MOST_STEPS = 10**15  # a float has 15 exact digits, so more values could not be told apart


class _Dimension(BaseModel):
    """Base class of all dimensions. ``when`` maps other parameters to the values under which this one exists."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    when: dict[str, ParamValue | tuple[ParamValue, ...]] = Field(default_factory=dict)

    def applies(self, params: Mapping[str, ParamValue]) -> bool:
        """Return whether ``params``, the values that are drawn so far, meet the condition."""
        return all(
            name in params and params[name] in (allowed if isinstance(allowed, tuple) else (allowed,))
            for name, allowed in self.when.items()
        )


class Float(_Dimension):
    """A real number in ``[low, high]``.

    With ``log``, its logarithm is drawn uniformly. With ``step``, only ``low``, ``low + step`` … can be drawn.
    """

    type: Literal["float"] = "float"
    low: Number
    high: Number
    log: bool = Field(default=False, strict=True)
    step: Number | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _range(self) -> Self:
        _check_range(self.low, self.high, log=self.log, step=self.step)
        return self

    def ends(self) -> tuple[float, float]:
        """Return the lowest and the highest value that can be drawn."""
        size = self.size()
        return (self.low, self.high if size is None else self._point(size - 1))

    def size(self) -> int | None:
        """Return the number of values that can be drawn, or ``None`` if it is infinite."""
        if self.step is None:
            return 1 if self.low == self.high else None
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def grid_size(self) -> int | None:
        """Return how many :meth:`points` there are, without making them."""
        return self.size()

    def points(self) -> tuple[float, ...] | None:
        """Return all values of the grid in order, or ``None`` if there are infinitely many."""
        size = self.size()
        return None if size is None else tuple(self._point(i) for i in range(size))

    def at(self, u: float) -> float:
        """Map ``u`` in [0, 1) to a value, in increasing order from ``low``. All steps have an equal share of [0, 1)."""
        size = self.size()
        if size is not None:
            return self._point(_share(u, size))
        if not self.log:
            return min(self.low + u * (self.high - self.low), self.high)
        return min(max(_between_logs(u, self.low, self.high), self.low), self.high)

    def _point(self, i: int) -> float:
        return self.low if self.step is None else min(max(round(self.low + i * self.step, 12), self.low), self.high)


class Int(_Dimension):
    """A whole number in ``[low, high]``. ``log`` and ``step`` are as in :class:`Float`."""

    type: Literal["int"] = "int"
    low: Integer
    high: Integer
    log: bool = Field(default=False, strict=True)
    step: Integer = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _range(self) -> Self:
        _check_range(self.low, self.high, log=self.log, step=self.step if self.step > 1 else None)
        return self

    def ends(self) -> tuple[int, int]:
        """Return the lowest and the highest value that can be drawn."""
        return (self.low, self.low + self.step * (self.size() - 1))

    def size(self) -> int:
        """Return the number of values that can be drawn."""
        return (self.high - self.low) // self.step + 1

    def grid_size(self) -> int:
        """Return how many :meth:`points` there are, without making them."""
        return (self.high // self.low).bit_length() if self.log else self.size()

    def points(self) -> tuple[int, ...] | None:
        """Return all values of the grid in order. With ``log``, each value is twice the one before."""
        if self.log:
            return tuple(itertools.takewhile(lambda v: v <= self.high, (self.low * 2**i for i in itertools.count())))
        return tuple(range(self.low, self.high + 1, self.step))

    def at(self, u: float) -> int:
        """Map ``u`` in [0, 1) to a value, in increasing order from ``low``. All steps have an equal share of [0, 1)."""
        if not self.log:
            return self.low + self.step * _share(u, self.size())
        # The range is half a unit wider at both ends, so that the ends are as likely as their neighbours.
        return min(max(round(_between_logs(u, self.low - 0.5, self.high + 0.5)), self.low), self.high)


class Choice(_Dimension):
    """One of a list of values without an order."""

    type: Literal["choice"] = "choice"
    choices: tuple[ParamValue, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({(type(choice), choice) for choice in self.choices}) < len(self.choices):
            raise ValueError(f"choices must differ, got {list(self.choices)}")
        return self

    def ends(self) -> tuple[ParamValue, ...]:
        """Return all values: they have no order, so no two of them stand for the others."""
        return self.choices

    def size(self) -> int:
        """Return the number of values."""
        return len(self.choices)

    def grid_size(self) -> int:
        """Return how many :meth:`points` there are."""
        return self.size()

    def points(self) -> tuple[ParamValue, ...] | None:
        """Return all values in the order of the list."""
        return self.choices

    def at(self, u: float) -> ParamValue:
        """Map ``u`` in [0, 1) to a value. All values have an equal share of [0, 1), in the order of the list."""
        return self.choices[_share(u, len(self.choices))]


AnyDimension = Float | Int | Choice


def contains(dimension: AnyDimension, value: ParamValue) -> bool:
    """Return whether ``value`` can be drawn from ``dimension``."""
    if isinstance(dimension, Choice):
        return value in dimension.choices
    if isinstance(value, str) or not dimension.low <= value <= dimension.high:
        return False
    steps = (value - dimension.low) / (dimension.step or math.inf)
    return math.isclose(steps, round(steps), abs_tol=1e-9)


def _share(u: float, count: int) -> int:
    """Return which of ``count`` equal parts of [0, 1) contains ``u``."""
    return min(int(u * count), count - 1)


def _between_logs(u: float, low: float, high: float) -> float:
    return low * math.pow(high / low, u)


def _check_range(low: float, high: float, *, log: bool, step: float | None) -> None:
    if low > high:
        raise ValueError(f"low <= high must hold, got low={low}, high={high}")
    if log and low <= 0:
        raise ValueError(f"the low end of a log range must be above 0, got low={low}")
    if log and step is not None:
        raise ValueError(f"log and step cannot be combined, got step={step}")
    if step is not None and not (high - low) / step <= _MOST_STEPS:  # infinite, if the step is tiny
        raise ValueError(f"a range has at most {_MOST_STEPS:,} steps, got low={low}, high={high}, step={step}")
