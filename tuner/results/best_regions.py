"""Where in the searched ranges the best trials of a study lie."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.recipe import Recipe
from tuner.config.space import AnyDimension, Choice, Float, Int
from tuner.records import ParamValue
from tuner.results.trials import TrialResult, ranked

REGION_TOP = 3  # the best trials that a region is drawn from, unless 10 % of the complete ones are more
MIN_FOR_REGIONS = 2 * REGION_TOP  # complete and pruned trials
_NEAR = 0.05  # of the searched range, from its end


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a number lies in the best trials; ``searched`` is the range it was drawn from.

    ``end`` is ``"lower"`` or ``"upper"`` where the best trials press against that end: they reach it, and all lie in
    that half. ``limit`` tells that nothing beyond that end is possible. Of the ``top`` best, ``trials`` have the
    parameter.
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
        """``low`` and ``high`` as shares of the searched range, on the scale on which it was searched."""
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
    """How often the best trials have each value of a choice, the most frequent first; ``searched`` is every value."""

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
    """Return where each searched parameter lies in the best tenth of the complete trials, in the order of the space.

    The best tenth is never fewer than ``REGION_TOP`` trials; if these are more than half of all that were judged, the
    pruned ones included, there is no region.
    """
    done = [trial for trial in ranked(list(trials), recipe) if trial.value is not None and math.isfinite(trial.value)]
    judged = len(done) + sum(trial.state == "pruned" for trial in trials)
    if len(done) < REGION_TOP or judged < MIN_FOR_REGIONS:
        return ()
    top = done[: max(REGION_TOP, math.ceil(len(done) / 10))]
    names = {name for trial in top for name in trial.params}
    found = []
    for base, dimension in recipe.search_space.dimensions.items():
        ours = [name for name in names if re.fullmatch(rf"{base}(_\d+)?", name)]
        for name in sorted(ours, key=lambda each: (len(each), each)):
            values = [trial.params[name] for trial in top if name in trial.params]
            found.append(_region(name, base, dimension, values, len(top)))
    return tuple(region for region in found if region is not None)


def _region(name: str, base: str, dimension: AnyDimension, values: Sequence[ParamValue], top: int) -> Region | None:
    """Return where the ``values`` of the ``top`` best trials lie; ``None`` where nothing was searched."""
    if isinstance(dimension, Choice):
        counts = tuple(Counter(values).most_common())
        return Counted(name, counts, dimension.choices, len(values), top) if len(dimension.choices) > 1 else None
    if dimension.low == dimension.high:
        return None
    numbers = [float(value) if isinstance(dimension, Float) else int(value) for value in values]
    searched = (dimension.low, dimension.high)
    inner = Interval(name, min(numbers), max(numbers), searched, dimension.log, len(values), top)
    end = _end(inner)
    if end is None or len(values) < REGION_TOP:
        return inner
    return replace(inner, end=end, limit=_is_limit(base, dimension, end))


def _end(region: Interval) -> str | None:
    """Return the end against which the best trials press. That a few reach it while others are far is chance."""
    first, last = region.extent
    if last >= 1 - _NEAR and first > 1 / 2:
        return "upper"
    return "lower" if first <= _NEAR and last < 1 / 2 else None


def _is_limit(base: str, dimension: Float | Int, end: str) -> bool:
    """Tell whether a parameter can be no lower, or no higher, than that end of its range."""
    rule, value = ("ge", dimension.low) if end == "lower" else ("le", dimension.high)
    return any(getattr(each, rule, None) == value for each in Hyperparameters.model_fields[base].metadata)
