"""The checks of an examination and their results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its result in one line, a hint on what to do, and the single cases."""

    name: str
    status: Status
    message: str
    hint: str | None = None
    cases: tuple[str, ...] = ()


@dataclass(slots=True)
class Examination:
    """The checks in order, and the files and rows that were removed."""

    checks: list[Check] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    @property
    def problems(self) -> int:
        """How many checks found a problem."""
        return sum(check.status == "problem" for check in self.checks)

    def add(self, name: str, status: Status, message: str, hint: str | None = None, cases: Iterable[str] = ()) -> None:
        """Add one check."""
        self.checks.append(Check(name, status, message, hint, tuple(cases)))

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "problems": self.problems,
            "checks": [asdict(check) for check in self.checks],
            "removed": self.removed,
        }
