"""Which configuration is the best one, told by the mean of several seeds rather than by luck."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Standing:
    """A configuration that was trained again with further seeds.

    ``trial`` is the one that the search found; its own value does not count, because it was chosen for being high.
    ``seeds`` are the further trials, ``values`` their objectives. ``error`` is the standard error of ``mean``; it is
    unknown where every configuration has one further seed alone. ``representative`` is the trial, of all with this
    configuration, whose model is the best.
    """

    trial: int
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: float
    error: float | None
    representative: int


def chosen(
    values: Mapping[int, float], confirms: Mapping[int, int], identities: Mapping[int, Hashable], *, best: int,
    maximize: bool,
) -> list[int]:  # fmt: skip
    """Return the trials with the best different configurations that the search itself found, the best first.

    Args:
        values: The objective of each complete trial.
        confirms: The trial that each further seed confirms.
        identities: Equal for trials with the same configuration.
        best: How many configurations.
        maximize: Whether larger is better.
    """
    sign = -1 if maximize else 1
    found: dict[Hashable, int] = {}
    for number in sorted(values, key=lambda each: (sign * values[each], each)):
        if number not in confirms:
            found.setdefault(identities[number], number)
    return list(found.values())[:best]


def standings(values: Mapping[int, float], confirms: Mapping[int, int], *, maximize: bool) -> list[Standing]:
    """Return the configurations that were confirmed, the best mean first; those without a complete seed are left out.

    The standard error takes the spread between seeds to be the same for all of them: with two or three seeds each, a
    common estimate is the better one.

    Args:
        values: The objective of each complete trial.
        confirms: The trial that each further seed confirms.
        maximize: Whether larger is better.

    Source: the pooled variance, e.g. NIST/SEMATECH e-Handbook of Statistical Methods, section 7.3.1.
    """
    seeds: dict[int, list[int]] = {}
    for number, original in sorted(confirms.items()):
        if number in values and original in values:
            seeds.setdefault(original, []).append(number)
    means = {trial: fmean(values[seed] for seed in numbers) for trial, numbers in seeds.items()}
    squares = sum((values[seed] - means[trial]) ** 2 for trial, numbers in seeds.items() for seed in numbers)
    freedom = sum(len(numbers) - 1 for numbers in seeds.values())
    sign = -1 if maximize else 1
    found = [
        Standing(
            trial=trial,
            seeds=tuple(numbers),
            values=tuple(values[seed] for seed in numbers),
            mean=means[trial],
            error=math.sqrt(squares / freedom / len(numbers)) if freedom else None,
            representative=min((trial, *numbers), key=lambda each: (sign * values[each], each)),
        )
        for trial, numbers in seeds.items()
    ]
    return sorted(found, key=lambda each: (sign * each.mean, each.trial))


@dataclass(frozen=True, slots=True)
class Lead:
    """How far the first is ahead of the second; ``error`` is the standard error of the difference."""

    first: int
    second: int
    difference: float  # of the means, 0 or more
    error: float

    @property
    def within_noise(self) -> bool:
        """Whether it is less than two standard errors: other seeds might well turn it round."""
        return self.difference < 2 * self.error


def lead(found: list[Standing]) -> Lead | None:
    """Return the lead of the winner, or ``None`` where it cannot be judged."""
    if len(found) < 2 or found[0].error is None or found[1].error is None:  # noqa: PLR2004 - two to compare
        return None
    first, second = found[:2]
    error = math.hypot(found[0].error, found[1].error)
    return Lead(first.trial, second.trial, abs(first.mean - second.mean), error)
