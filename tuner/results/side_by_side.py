"""Compares studies: what differed, whether the comparison is fair, and who won by how much against the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tuner.config.kept import KEPT
from tuner.config.recipe import Recipe
from tuner.results.trials import TrialResult
from tuner.search.confirmation import Standing

SIGNIFICANT = 2.0  # standard errors
# Settings that say how trials are judged. If they differ, values cannot be compared.
_JUDGED_BY = ("validation", "split_seed", "objective", "task")
_MISSING = "-"


@dataclass(frozen=True, slots=True)
class Side:
    """One study of a comparison.

    Attributes:
        name: Its name.
        recipe: What it ran with.
        fingerprint: The fingerprint of its data.
        environment: Versions and machine when it began.
        best: Its winner, or ``None`` if no trial is complete.
        standing: The winner's standing, if it was confirmed with further seeds.
        test: The metrics of the winner on the test rows; empty if unknown.
        complete: Number of complete trials.
        seconds: How long its runs took.
    """

    name: str
    recipe: Recipe
    fingerprint: str
    environment: Mapping[str, Any]
    best: TrialResult | None
    standing: Standing | None
    test: Mapping[str, float]
    complete: int
    seconds: float

    @property
    def value(self) -> float | None:
        """The mean of the winner's further seeds; if there are none, its value."""
        if self.standing is not None:
            return self.standing.mean
        return None if self.best is None else self.best.value


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in which studies differ, with the value in each of them, in their order."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best of several studies.

    Attributes:
        winner: Its name.
        second: The name of the next one.
        difference: By how much it is better in the objective.
        error: The standard error of the difference between the means over seeds; ``None`` if a study has no such mean.
    """

    winner: str
    second: str
    difference: float
    error: float | None

    @property
    def real(self) -> bool | None:
        """Whether the lead is more than the noise between seeds; ``None`` if that is unknown."""
        return None if self.error is None else self.difference >= SIGNIFICANT * self.error and self.difference > 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several studies, side by side.

    Attributes:
        sides: The studies.
        differences: What differed between their recipes, data, versions and machines.
        unfair: Why their values cannot be compared; empty if they can.
        verdict: Who won; ``None`` if the comparison is unfair or a study has no complete trial.
    """

    sides: tuple[Side, ...]
    differences: tuple[Difference, ...]
    unfair: tuple[str, ...]
    verdict: Verdict | None

    def as_json(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return {
            "studies": [
                {
                    "study": side.name,
                    "objective": side.recipe.objective.metric,
                    "trial": None if side.best is None else side.best.number,
                    "value": side.value,
                    "seeds": 0 if side.standing is None else len(side.standing.seeds),
                    "standard_error": None if side.standing is None else side.standing.error,
                    "test": dict(side.test) or None,
                    "complete": side.complete,
                    "seconds": side.seconds,
                    "fingerprint": side.fingerprint,
                }
                for side in self.sides
            ],
            "differences": {each.name: list(each.values) for each in self.differences},
            "fair": not self.unfair,
            "unfair": list(self.unfair),
            "verdict": None if self.verdict is None else {**asdict(self.verdict), "real": self.verdict.real},
        }


def compare_sides(sides: Sequence[Side]) -> Comparison:
    """Compare two or more studies."""
    unfair = tuple(_unfair(sides))
    known = all(side.value is not None for side in sides)
    return Comparison(
        tuple(sides), tuple(_differences(sides)), unfair, _verdict(sides) if known and not unfair else None
    )


def _differences(sides: Sequence[Side]) -> list[Difference]:
    rows: dict[str, list[str]] = {"data": [side.recipe.data for side in sides]}
    rows["data fingerprint"] = [side.fingerprint[:12] for side in sides]
    for setting in KEPT:
        if setting.name != "space":
            rows[setting.name] = [setting.shown(side.recipe) for side in sides]
    for name in dict.fromkeys(name for side in sides for name in side.recipe.space):
        rows[f"space: {name}"] = [_dimension(side.recipe, name) for side in sides]
    for name in dict.fromkeys(name for side in sides for name in side.environment):
        rows[name] = [str(side.environment.get(name, _MISSING)) for side in sides]
    return [Difference(name, tuple(values)) for name, values in rows.items() if len(set(values)) > 1]


def _dimension(recipe: Recipe, name: str) -> str:
    """Return what a recipe says of a parameter, in one line."""
    entry = recipe.model_dump(mode="json")["space"].get(name, _MISSING)
    if not isinstance(entry, dict):
        return str(entry)
    if "choices" in entry:
        return ", ".join(map(str, entry["choices"]))
    log = ", log" if entry.get("log") else ""
    return f"{entry.get('low')} to {entry.get('high')}{log}"


def _unfair(sides: Sequence[Side]) -> list[str]:
    reasons = []
    if len({side.fingerprint for side in sides}) > 1:
        reasons.append("the data differ")
    for name in _JUDGED_BY:
        shown = {str(getattr(side.recipe, name)) for side in sides}
        if len(shown) > 1:
            words = {"validation": "the validation rows differ", "split_seed": "the validation rows differ"}
            reasons.append(words.get(name, f"the {name} differs"))
    return list(dict.fromkeys(reasons))


def _verdict(sides: Sequence[Side]) -> Verdict | None:
    sign = -1 if sides[0].recipe.objective.maximize else 1
    first, second = sorted(sides, key=lambda side: sign * (side.value or 0.0))[:2]
    errors = [None if side.standing is None else side.standing.error for side in (first, second)]
    error = None if errors[0] is None or errors[1] is None else math.hypot(errors[0], errors[1])
    return Verdict(first.name, second.name, abs((first.value or 0.0) - (second.value or 0.0)), error)
