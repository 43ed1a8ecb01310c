"""Finds the region of the search space in which the best trials of a study lie."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from tuner.config.dimensions import AnyDimension, Choice, Float, Int
from tuner.config.hyperparameters import Hyperparameters
from tuner.config.recipe import Recipe
from tuner.records import ParamValue
from tuner.results.trials import TrialResult, ranked

REGION_TOP = 3  # least number of best trials that a region is computed from
MIN_FOR_REGIONS = 2 * REGION_TOP  # least number of complete and pruned trials
_NEAR = 0.05  # a value is at an end if it is closer than this share of the searched range


@dataclass(frozen=True, slots=True)
class Interval:
    """The range of a numeric parameter in the best trials.

    Attributes:
        name: The parameter.
        low: Its lowest value in the best trials.
        high: Its highest value in the best trials.
        searched: The range that the study searched.
        log: Whether the range was searched on a logarithmic scale.
        trials: How many of the best trials have the parameter.
        top: Number of best trials.
        end: ``"lower"`` or ``"upper"`` if the best trials lie at that end of the searched range: at least one of them
            reaches it, and all lie in that half. This suggests searching beyond it.
        limit: Whether values beyond ``end`` are impossible.
    """

    name: str
    low: float
    high: float
    searched: tuple[float, float]
    log: bool
    trials: int
    top: int
    end: str | None = None
    limit: bool = False

    @property
    def extent(self) -> tuple[float, float]:
        """``low`` and ``high`` as shares of the searched range, from 0 to 1, on the scale of the search."""
        return self._position(self.low), self._position(self.high)

    def _position(self, value: float) -> float:
        scale = math.log if self.log else float
        low, high = (scale(end) for end in self.searched)
        return (scale(value) - low) / (high - low)

    def as_json(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "name"}


@dataclass(frozen=True, slots=True)
class Counted:
    """The values of a choice in the best trials.

    Attributes:
        name: The parameter.
        values: Each value with the number of best trials that have it, the most frequent first.
        searched: All values that the study searched.
        trials: How many of the best trials have the parameter.
        top: Number of best trials.
    """

    name: str
    values: tuple[tuple[ParamValue, int], ...]
    searched: tuple[ParamValue, ...]
    trials: int
    top: int

    def as_json(self) -> dict[str, object]:
        """Return plain data for JSON."""
        counts = [{"value": value, "trials": count} for value, count in self.values]
        return {"values": counts, "searched": list(self.searched), "trials": self.trials, "top": self.top}


Region = Interval | Counted


def regions(trials: Sequence[TrialResult], recipe: Recipe) -> tuple[Region, ...]:
    """Return the region of each searched parameter, in the order of the search space.

    Regions are computed from the best tenth of the complete trials, and from at least ``REGION_TOP``. If there are
    fewer complete trials than that, or fewer than ``MIN_FOR_REGIONS`` complete and pruned ones, there are no regions.
    """
    ranking = ranked(list(trials), recipe)
    complete = [trial for trial in ranking if trial.value is not None and math.isfinite(trial.value)]
    compared = len(complete) + sum(trial.state == "pruned" for trial in trials)
    if len(complete) < REGION_TOP or compared < MIN_FOR_REGIONS:
        return ()
    top = complete[: max(REGION_TOP, math.ceil(len(complete) / 10))]
    names = {name for trial in top for name in trial.params}
    result = []
    for base, dimension in recipe.search_space.dimensions.items():
        instances = [name for name in names if re.fullmatch(rf"{base}(_\d+)?", name)]
        for name in sorted(instances, key=lambda name: (len(name), name)):
            values = [trial.params[name] for trial in top if name in trial.params]
            result.append(_region(name, base, dimension, values, len(top)))
    return tuple(region for region in result if region is not None)


def _region(name: str, base: str, dimension: AnyDimension, values: Sequence[ParamValue], top: int) -> Region | None:
    """Return the region of ``values``; ``None`` if the dimension has only one value."""
    if isinstance(dimension, Choice):
        counts = tuple(Counter(values).most_common())
        return Counted(name, counts, dimension.choices, len(values), top) if len(dimension.choices) > 1 else None
    low, high = dimension.ends()
    if low == high:
        return None
    numbers = [float(value) if isinstance(dimension, Float) else int(value) for value in values]
    searched = (low, high)
    interval = Interval(name, min(numbers), max(numbers), searched, dimension.log, len(values), top)
    end = _end(interval)
    if end is None or len(values) < REGION_TOP:
        return interval
    return replace(interval, end=end, limit=_is_limit(base, dimension, end))


def _end(interval: Interval) -> str | None:
    """Return the end at which the best trials lie. If some of them lie far from it, the others are there by chance."""
    first, last = interval.extent
    if last >= 1 - _NEAR and first > 1 / 2:
        return "upper"
    return "lower" if first <= _NEAR and last < 1 / 2 else None


def _is_limit(base: str, dimension: Float | Int, end: str) -> bool:
    """Return whether values beyond that end of the range are impossible."""
    rule, value = ("ge", dimension.low) if end == "lower" else ("le", dimension.high)
    return any(getattr(constraint, rule, None) == value for constraint in Hyperparameters.model_fields[base].metadata)
