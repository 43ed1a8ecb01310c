"""Rungs: who goes on, who pauses, who is promoted. Pure: no Optuna, no storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

REDUCTION = 3  # eta: one in so many trials of a rung is promoted
HALVINGS = 2  # so the first rung comes after a ninth of the epochs


def rung_levels(epochs: int) -> tuple[int, ...]:
    """Return after how many epochs a trial is compared with others, in order; the last epoch is no rung.

    A trial is compared after a ninth and a third of its epochs: ranks of less are mostly noise.

    >>> rung_levels(27), rung_levels(10), rung_levels(2), rung_levels(1)
    ((3, 9), (1, 3), (1,), ())
    """
    levels = {round(epochs / REDUCTION**k) for k in range(1, HALVINGS + 1)}
    return tuple(sorted(level for level in levels if 1 <= level < epochs))


@dataclass(slots=True)
class _Rung:
    """The trials that have trained so many epochs: their values (larger is better), and who may go no further yet."""

    level: int  # epochs
    values: dict[int, float] = field(default_factory=dict)
    paused: set[int] = field(default_factory=set)

    def ranking(self) -> list[int]:
        """Return the trials, the best first; the earlier of equals."""
        return sorted(self.values, key=lambda number: (-self.values[number], number))

    def top(self) -> list[int]:
        """Return the best 1/eta."""
        return self.ranking()[: len(self.values) // REDUCTION]


class Rungs:
    """Asynchronous successive halving whose losers pause instead of ending.

    A trial that has trained as many epochs as a rung asks for is compared with all that were there before it. If it is
    among the best 1/eta it goes on, else it pauses, and is promoted when it has become one of the best 1/eta because
    worse ones came after it. Nobody ever waits for a rung to fill.

    With several brackets, as in Hyperband, trials are dealt out to them: bracket ``s`` leaves out the first ``s``
    rungs, so that some trials are not judged early. Trials compete within their bracket alone.

    Args:
        epochs: What a trial trains at most.
        limit: How many trials there will be.
        maximize: Whether larger values are better.
        brackets: Whether there is one bracket (ASHA), or one for each rung and one without (Hyperband).
        finalists: How many trials shall be complete in the end, however few there are.

    Source: Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, algorithm 2; the number of trials
    per bracket: Li et al. 2018, Hyperband, algorithm 1.
    """

    def __init__(self, epochs: int, *, limit: int, maximize: bool, brackets: bool = False, finalists: int = 1) -> None:
        levels = rung_levels(epochs)
        self._sign = 1.0 if maximize else -1.0
        self._brackets = [
            [_Rung(level) for level in levels[skip:]] for skip in range(len(levels) + 1 if brackets else 1)
        ]
        self._deal = _deal(len(levels)) if brackets else [0]
        self._limit = limit
        self._finalists = finalists
        self._free: set[int] = set()  # of rungs: trials with epochs of their own

    @property
    def paused(self) -> set[int]:
        """The trials that wait to be promoted."""
        return {number for bracket in self._brackets for rung in bracket for number in rung.paused}

    def exempt(self, number: int) -> None:
        """Let a trial train without rungs."""
        self._free.add(number)

    def ahead(self, number: int) -> tuple[int, ...]:
        """Return the rungs that a trial still comes to, in epochs."""
        return tuple(rung.level for rung in self._rungs(number) if number not in rung.values)

    def restore(self, number: int, values: Sequence[float], *, paused: bool, complete: bool) -> None:
        """Take a trial up as an earlier run left it.

        Args:
            number: The trial.
            values: Its objective after each epoch.
            paused: Whether it waits at the highest rung that it has reached.
            complete: Whether it is complete, be it before its last epoch: then it counts in every rung.
        """
        reached = [rung for rung in self._rungs(number) if rung.level <= len(values) or (complete and values)]
        for rung in reached:
            rung.values[number] = self._best(values[: rung.level])
        if paused:
            self.pause(number)

    def complete(self, number: int, values: Sequence[float]) -> None:
        """Count a trial that is complete in every rung, also where it stopped before."""
        self.forget(number)
        self.restore(number, values, paused=False, complete=True)

    def reach(self, number: int, values: Sequence[float]) -> bool | None:
        """Tell whether a trial goes on (True) or pauses (False) after an epoch; ``None`` where there is no rung."""
        rung = next((rung for rung in self._rungs(number) if rung.level == len(values)), None)
        if rung is None:
            return None
        rung.values[number] = self._best(values)
        return number in rung.top()

    def pause(self, number: int) -> None:
        """Let a trial wait at the highest rung that it has reached."""
        reached = [rung for rung in self._rungs(number) if number in rung.values]
        if reached:
            reached[-1].paused.add(number)

    def standing(self, number: int) -> tuple[int, float] | None:
        """Return the epochs of the highest rung that a trial has reached and its value there, its best so far."""
        reached = [rung for rung in self._rungs(number) if number in rung.values]
        return (reached[-1].level, self._sign * reached[-1].values[number]) if reached else None

    def promotable(self) -> int | None:
        """Return the trial to promote next, of the highest rung that has one; ``None`` where there is none."""
        return self._first_paused(_Rung.top)

    def best_paused(self) -> int | None:
        """Return the best paused trial of the highest rung that has one, however many are better; ``None`` without."""
        return self._first_paused(_Rung.ranking)

    def promote(self, number: int) -> int:
        """Let a paused trial go on; returns the epochs of the rung where it was."""
        rung = next(rung for rung in self._rungs(number) if number in rung.paused)
        rung.paused.remove(number)
        return rung.level

    def hopeless(self) -> list[int]:
        """Return the paused trials that will never be promoted, even if every trial to come is worse than they are."""
        found = []
        for rung in self._all():
            places = max(self._finalists, max(self._limit, len(rung.values)) // REDUCTION)
            found += [number for number in rung.ranking()[places:] if number in rung.paused]
        return found

    def give_up(self, number: int) -> None:
        """Pause no more: the trial has ended as it is. Others are still compared with it."""
        for rung in self._rungs(number):
            rung.paused.discard(number)

    def forget(self, number: int) -> None:
        """Forget a trial: it failed, or begins anew."""
        for rung in self._rungs(number):
            rung.values.pop(number, None)
            rung.paused.discard(number)

    def _rungs(self, number: int) -> list[_Rung]:
        return [] if number in self._free else self._brackets[self._deal[number % len(self._deal)]]

    def _all(self) -> list[_Rung]:
        return [rung for bracket in self._brackets for rung in bracket]

    def _first_paused(self, of: Callable[[_Rung], list[int]]) -> int | None:
        """Return the first paused trial of what ``of`` names of each rung, the highest rung first."""
        rungs = sorted(self._all(), key=lambda rung: -rung.level)
        return next((number for rung in rungs for number in of(rung) if number in rung.paused), None)

    def _best(self, values: Sequence[float]) -> float:
        return max(self._sign * value for value in values)


def _deal(rungs: int) -> list[int]:
    """Return the bracket of each trial of a round, mixed so that no bracket waits for another.

    Bracket ``s`` gets a share of ``eta**(rungs - s) / (rungs - s + 1)``.
    """
    shares = [REDUCTION ** (rungs - skip) / (rungs - skip + 1) for skip in range(rungs + 1)]
    length = round(sum(shares) / min(shares))
    order: list[int] = []
    for turn in range(1, length + 1):  # whoever has had least of its share is next
        behind: Callable[[int], float] = lambda s: shares[s] / sum(shares) * turn - order.count(s)  # noqa: B023, E731
        order.append(max(range(rungs + 1), key=behind))
    return order
