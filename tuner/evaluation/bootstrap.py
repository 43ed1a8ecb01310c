"""95 % intervals by the percentile bootstrap over rows.

Two models are compared on the same resamples, as paired data.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from tuner.config.tables import Table
from tuner.evaluation.scores import Counts, Floats, Score, once

RESAMPLES = 1000
COVERAGE = 0.95
_CELLS = 2**20  # counts in memory at a time


class Estimate(Table):
    """A value with its interval.

    Attributes:
        value: The value on all rows; ``None`` if the rows do not define it.
        low: The lower end of the interval; ``None`` if none was asked for, or most resamples do not define the value.
        high: The upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends of the interval, if there is one."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def estimates(
    scores: Mapping[str, Score], rows: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Estimate]:
    """Return the value and the interval of each score.

    Args:
        scores: Scores by name, of the same rows.
        rows: Number of rows.
        resamples: Number of resamples; 0 computes no intervals.
        seed: Seed of the resamples. The same seed draws the same rows.
    """
    drawn: dict[str, list[Floats]] = {name: [] for name in scores}
    for counts in _resample(rows, resamples, seed):
        for name, score in scores.items():
            drawn[name].append(score(counts))
    return {name: _estimate(once(score, rows), drawn[name]) for name, score in scores.items()}


def difference(a: Score, b: Score, rows: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Return the score ``a`` minus the score ``b`` of the same rows, with the interval of the paired bootstrap."""
    return estimates({"": lambda counts: a(counts) - b(counts)}, rows, resamples=resamples, seed=seed)[""]


def verdict(difference: Estimate, *, larger_is_better: bool) -> Literal["better", "worse", "level"]:
    """Say whether the first of two models is better; ``level`` if the interval of the difference holds 0."""
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return "level"
    return "better" if (difference.low > 0) == larger_is_better else "worse"


def _resample(rows: int, resamples: int, seed: int) -> Iterator[Counts]:
    """Yield how often each row is drawn, shape ``(resamples, rows)``, in parts."""
    random = np.random.default_rng(seed)
    part = max(1, _CELLS // rows)
    for start in range(0, resamples, part):
        size = min(part, resamples - start)
        picks = random.integers(0, rows, (size, rows)) + rows * np.arange(size)[:, None]
        yield np.bincount(picks.reshape(-1), minlength=size * rows).reshape(size, rows).astype(np.float64)


def _estimate(value: float, drawn: list[Floats]) -> Estimate:
    values = np.concatenate(drawn) if drawn else np.empty(0)
    defined = values[np.isfinite(values)]
    if not np.isfinite(value):
        return Estimate(value=None)
    if 2 * len(defined) <= len(values):
        return Estimate(value=value)
    low, high = np.quantile(defined, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]).tolist()
    return Estimate(value=value, low=low, high=high)
