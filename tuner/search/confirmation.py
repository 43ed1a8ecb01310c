"""Finds the best configuration by the mean of several seeds, because a single seed may be lucky."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Standing:
    """A configuration that was trained again with further seeds.

    ``trial`` is the trial of the search. Its own value does not count, because it was chosen for being high. ``seeds``
    are the confirming trials, ``values`` their objectives. ``error`` is the standard error of ``mean``; it is ``None``
    if every configuration has only one further seed. ``representative`` is the trial with the best model of all trials
    with this configuration.
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
    """Return the trials to confirm: those with the best configurations of the search, all different, best first.

    Args:
        values: The objective of each complete trial.
        confirms: The original trial of each confirming trial. Confirming trials are not part of the search.
        identities: A key per trial that is equal for trials with the same configuration.
        best: How many configurations.
        maximize: Whether larger is better.
    """
    sign = -1 if maximize else 1
    trials: dict[Hashable, int] = {}
    for number in sorted(values, key=lambda number: (sign * values[number], number)):
        if number not in confirms:
            trials.setdefault(identities[number], number)
    return list(trials.values())[:best]


def standings(values: Mapping[int, float], confirms: Mapping[int, int], *, maximize: bool) -> list[Standing]:
    """Return the confirmed configurations, best mean first. Those without a complete further seed are left out.

    The standard error assumes the same spread between seeds for all configurations: with two or three seeds each, a
    common estimate is better than separate ones.

    Args:
        values: The objective of each complete trial.
        confirms: The original trial of each confirming trial.
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
    ranking = [
        Standing(
            trial=trial,
            seeds=tuple(numbers),
            values=tuple(values[seed] for seed in numbers),
            mean=means[trial],
            error=math.sqrt(squares / freedom / len(numbers)) if freedom else None,
            representative=min((trial, *numbers), key=lambda number: (sign * values[number], number)),
        )
        for trial, numbers in seeds.items()
    ]
    return sorted(ranking, key=lambda standing: (sign * standing.mean, standing.trial))


@dataclass(frozen=True, slots=True)
class Lead:
    """The lead of the first configuration over the second; ``error`` is the standard error of the difference."""

    first: int
    second: int
    difference: float  # of the means, 0 or more
    error: float

    @property
    def within_noise(self) -> bool:
        """Whether the lead is less than two standard errors. Then other seeds might well reverse it."""
        return self.difference < 2 * self.error


def lead(ranking: list[Standing]) -> Lead | None:
    """Return the lead of the winner, or ``None`` if there is no second configuration or no standard error."""
    if len(ranking) < 2 or ranking[0].error is None or ranking[1].error is None:  # noqa: PLR2004 - two to compare
        return None
    first, second = ranking[:2]
    error = math.hypot(ranking[0].error, ranking[1].error)
    return Lead(first.trial, second.trial, abs(first.mean - second.mean), error)
