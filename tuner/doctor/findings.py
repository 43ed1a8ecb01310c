"""What an examination leaves behind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: a line for people, each case of it, and what to do."""

    name: str
    status: Status
    message: str
    hint: str | None = None
    cases: tuple[str, ...] = ()


@dataclass(slots=True)
class Examination:
    """Every check in order, and what was removed."""

    checks: list[Check] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    @property
    def problems(self) -> int:
        """How many checks found something that has to be mended."""
        return sum(check.status == "problem" for check in self.checks)

    def add(self, name: str, status: Status, message: str, hint: str | None = None, cases: Iterable[str] = ()) -> None:
        """Note one check."""
        self.checks.append(Check(name, status, message, hint, tuple(cases)))

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "problems": self.problems,
            "checks": [asdict(check) for check in self.checks],
            "removed": self.removed,
        }


def count(number: int, what: str) -> str:
    """Return ``1 file`` or ``2 files``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
