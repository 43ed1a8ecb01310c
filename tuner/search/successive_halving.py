"""Rungs decide which trials continue, pause and are promoted. Pure: no Optuna, no storage."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice

REDUCTION = 3  # eta: one in so many trials of a rung is promoted
HALVINGS = 2  # number of rungs: the first one comes after a ninth of the epochs
_CYCLE_ENDS = (1 / 15, 3 / 15)  # of the schedule coslog, as shares of its steps


def rung_levels(epochs: int, *, cyclic: bool = False) -> tuple[int, ...]:
    """Return the rungs: the numbers of epochs after which a trial is compared with others. The last epoch is no rung.

    A trial is compared after a ninth and a third of its epochs. Earlier ranks are mostly noise. If the learning rate
    is ``cyclic``, it falls to 0 after a 15th, a fifth and 7/15 of the epochs, where a trial is as good as it can be by
    then: the first two of these are the rungs.

    >>> rung_levels(27), rung_levels(10), rung_levels(2), rung_levels(1)
    ((3, 9), (1, 3), (1,), ())
    >>> rung_levels(256, cyclic=True)
    (17, 51)

    Args:
        epochs: How many epochs a trial trains at most.
        cyclic: Whether every trial has the schedule ``coslog``: see :mod:`tuner.training.schedules`.
    """
    shares = _CYCLE_ENDS if cyclic else [REDUCTION**-k for k in range(1, HALVINGS + 1)]
    levels = {round(epochs * share) for share in shares}
    return tuple(sorted(level for level in levels if 1 <= level < epochs))


Key = tuple[float, int]  # orders the trials of a rung, the best first; of equals, the earlier one comes first


@dataclass(slots=True)
class _Rung:
    """One rung: the values of the trials that reached it (larger is better), and the trials that are paused at it.

    Both are kept in order: to sort 50,000 trials after each epoch would take longer than to train a small network.
    """

    level: int  # epochs
    values: dict[int, float] = field(default_factory=dict)
    order: list[Key] = field(default_factory=list)
    paused: list[Key] = field(default_factory=list)

    def key(self, number: int) -> Key:
        return -self.values[number], number

    def add(self, number: int, value: float) -> None:
        self.remove(number)
        self.values[number] = value
        insort(self.order, self.key(number))

    def remove(self, number: int) -> None:
        if number in self.values:
            _remove(self.order, self.key(number))
            del self.values[number]

    def place(self, key: Key) -> int:
        """Return the place of a trial, from 0."""
        return bisect_left(self.order, key)

    @property
    def promoted(self) -> int:
        """How many of the trials are promoted: the best 1/eta."""
        return len(self.order) // REDUCTION

    def clear(self) -> None:
        for known in (self.values, self.order, self.paused):
            known.clear()


class Rungs:
    """Asynchronous successive halving in which losing trials pause instead of ending.

    A trial that reaches a rung is compared with all trials that reached it before. If it is among the best 1/eta, it
    continues; otherwise it pauses. It is promoted when it enters the best 1/eta later, because worse trials followed.
    No trial ever waits for a rung to fill.

    With several brackets, as in Hyperband, each trial belongs to one of them. Bracket ``s`` skips the first ``s``
    rungs, so that some trials are not judged early. Trials compete only within their bracket.

    Args:
        epochs: How many epochs a trial trains at most.
        limit: How many trials there will be.
        maximize: Whether larger values are better.
        brackets: ``False`` for one bracket (ASHA); ``True`` for one per rung and one without rungs (Hyperband).
        finalists: How many trials should be complete in the end, however few trials there are.
        cyclic: Whether the rungs are at the ends of cycles: see :func:`rung_levels`.

    Source: Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, algorithm 2; the number of trials
    per bracket: Li et al. 2018, Hyperband, algorithm 1.
    """

    def __init__(
        self,
        epochs: int,
        *,
        limit: int,
        maximize: bool,
        brackets: bool = False,
        finalists: int = 1,
        cyclic: bool = False,
    ) -> None:
        levels = rung_levels(epochs, cyclic=cyclic)
        self._sign = 1.0 if maximize else -1.0
        self._brackets = [
            [_Rung(level) for level in levels[skip:]] for skip in range(len(levels) + 1 if brackets else 1)
        ]
        self._bracket_order = _bracket_order(len(levels)) if brackets else [0]
        self._limit = limit
        self._finalists = finalists
        self._exempt: set[int] = set()
        self._paused_at: dict[int, _Rung] = {}

    def clear(self) -> None:
        """Remove all trials."""
        self._exempt.clear()
        self._paused_at.clear()
        for rung in self._all():
            rung.clear()

    @property
    def paused(self) -> AbstractSet[int]:
        """The trials that wait to be promoted."""
        return self._paused_at.keys()

    def exempt(self, number: int) -> None:
        """Let a trial train without rungs."""
        self._exempt.add(number)

    def ahead(self, number: int) -> tuple[int, ...]:
        """Return the rungs that a trial has not reached yet, in epochs."""
        return tuple(rung.level for rung in self._rungs(number) if number not in rung.values)

    def restore(self, number: int, values: Sequence[float], *, paused: bool, complete: bool) -> None:
        """Add a trial of an earlier run.

        Args:
            number: The trial.
            values: Its objective after each epoch.
            paused: Whether it is paused at the highest rung that it has reached.
            complete: Whether it is complete. Then it counts in every rung, even if it stopped before its last epoch.
        """
        reached = [rung for rung in self._rungs(number) if rung.level <= len(values) or (complete and values)]
        for rung in reached:
            rung.add(number, self._best(values[: rung.level]))
        if paused:
            self.pause(number)

    def complete(self, number: int, values: Sequence[float]) -> None:
        """Count a complete trial in every rung, even in those that it did not reach because it stopped early."""
        self.forget(number)
        self.restore(number, values, paused=False, complete=True)

    def reach(self, number: int, values: Sequence[float], *, start: bool = False) -> bool | None:
        """Return whether a trial continues (``True``) or pauses (``False``); ``None`` if this epoch is no rung.

        Args:
            number: The trial.
            values: Its objective after each epoch.
            start: Whether it trains a start configuration. Somebody chose it because it is good. So it also continues
                if it is the best so far of fewer than eta trials, and a study soon has a complete trial.
        """
        rung = next((rung for rung in self._rungs(number) if rung.level == len(values)), None)
        if rung is None:
            return None
        rung.add(number, self._best(values))
        return rung.place(rung.key(number)) < (max(1, rung.promoted) if start else rung.promoted)

    def pause(self, number: int) -> None:
        """Pause a trial at the highest rung that it has reached."""
        reached = [rung for rung in self._rungs(number) if number in rung.values]
        if reached and number not in self._paused_at:
            self._paused_at[number] = reached[-1]
            insort(reached[-1].paused, reached[-1].key(number))

    def highest_rung(self, number: int) -> tuple[int, float] | None:
        """Return the highest rung that a trial has reached, in epochs, and the trial's best value up to it."""
        reached = [rung for rung in self._rungs(number) if number in rung.values]
        return (reached[-1].level, self._sign * reached[-1].values[number]) if reached else None

    def promotable(self) -> int | None:
        """Return the trial to promote next, from the highest rung that has one, or ``None``."""
        rungs = (rung for rung in self._with_paused() if rung.place(rung.paused[0]) < rung.promoted)
        return next((rung.paused[0][1] for rung in rungs), None)

    def best_paused(self) -> int | None:
        """Return the best paused trial of the highest rung that has one, or ``None``, even outside the top 1/eta."""
        return next((rung.paused[0][1] for rung in self._with_paused()), None)

    def promote(self, number: int) -> int:
        """Continue a paused trial; returns the rung where it was paused, in epochs."""
        level = self._paused_at[number].level
        self.give_up(number)
        return level

    def closest_to_promotion(self, count: int) -> list[int]:
        """Return at most ``count`` paused trials, those first that need the fewest further trials to be promoted.

        The trial at place ``i`` (from 0) of a rung with ``n`` trials is promoted once ``n // eta`` is above ``i``. That
        takes ``eta * (i + 1) - n`` further trials, if all of them are worse. Of equals, the one with more epochs is
        first.
        """

        def needed(rung: _Rung) -> Iterator[tuple[int, int, int]]:
            for key in rung.paused:
                yield REDUCTION * (rung.place(key) + 1) - len(rung.order), -rung.level, key[1]

        return [number for *_, number in islice(merge(*map(needed, self._all())), count)]

    def unpromotable(self) -> list[int]:
        """Return the paused trials that can never be promoted, even if all further trials are worse."""
        unpromotable: list[int] = []
        for rung in self._all():
            places = max(self._finalists, max(self._limit, len(rung.order)) // REDUCTION)
            if places < len(rung.order):
                first = bisect_left(rung.paused, rung.order[places])
                unpromotable += [number for _, number in rung.paused[first:]]
        return unpromotable

    def give_up(self, number: int) -> None:
        """End the pause of a trial that ends as it is. Other trials are still compared with it."""
        rung = self._paused_at.pop(number, None)
        if rung is not None:
            _remove(rung.paused, rung.key(number))

    def forget(self, number: int) -> None:
        """Remove a trial that failed or starts again from its first epoch."""
        self.give_up(number)
        for rung in self._rungs(number):
            rung.remove(number)

    def _rungs(self, number: int) -> list[_Rung]:
        return [] if number in self._exempt else self._brackets[self._bracket_order[number % len(self._bracket_order)]]

    def _all(self) -> list[_Rung]:
        return [rung for bracket in self._brackets for rung in bracket]

    def _with_paused(self) -> list[_Rung]:
        """Return the rungs with paused trials, the highest first."""
        return sorted((rung for rung in self._all() if rung.paused), key=lambda rung: -rung.level)

    def _best(self, values: Sequence[float]) -> float:
        return max(self._sign * value for value in values)


def _remove(keys: list[Key], key: Key) -> None:
    """Remove a key from a sorted list."""
    del keys[bisect_left(keys, key)]


def _bracket_order(rungs: int) -> list[int]:
    """Return the brackets of consecutive trials, mixed so that no bracket has to wait.

    Bracket ``s`` gets a share of ``eta**(rungs - s) / (rungs - s + 1)``.
    """
    shares = [REDUCTION ** (rungs - skip) / (rungs - skip + 1) for skip in range(rungs + 1)]
    length = round(sum(shares) / min(shares))
    order: list[int] = []
    for turn in range(1, length + 1):  # next is the bracket that is furthest behind its share
        behind: Callable[[int], float] = lambda s: shares[s] / sum(shares) * turn - order.count(s)  # noqa: B023, E731
        order.append(max(range(rungs + 1), key=behind))
    return order
