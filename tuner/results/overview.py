"""Summaries of all studies. Reads them without importing Optuna, so that `tuner study list` is fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from tuner_storage import Location, Store, open_store
from tuner_storage.opening import has_database
from tuner_storage.overview import StudyLine, read_lines
from tuner_storage.owner import describe_owners

from tuner.config.recipe import parse_recipe
from tuner.records import Counts
from tuner.times import iso


@dataclass(frozen=True, slots=True)
class StudySummary:
    """One study, as `tuner study list` shows it.

    Attributes:
        name: The study's name.
        data: Its data set.
        objective: The first objective. It decides which trial is the best.
        direction: ``maximize`` or ``minimize``.
        counts: Its trials by state.
        limit: The maximum number of trials.
        best: Number and value of the best trial, or ``None`` if no trial is complete.
        created: When the study was created, in UTC.
        running: The process that holds the lease, or ``None``.
        objectives: All objectives, the first one included.
        artifact_bytes: Size of its models and checkpoints on disk.
    """

    name: str
    data: str
    objective: str
    direction: str
    counts: Counts
    limit: int
    best: tuple[int, float] | None
    created: datetime
    running: str | None
    objectives: tuple[str, ...]
    artifact_bytes: int

    def as_json(self) -> dict[str, object]:
        """Return plain data for JSON."""
        return {
            "study": self.name,
            "data": self.data,
            "objective": self.objective,
            **({"objectives": list(self.objectives)} if len(self.objectives) > 1 else {}),
            "direction": self.direction,
            "best": None if self.best is None else {"trial": self.best[0], "value": self.best[1]},
            "trials": trials_json(self.counts, self.limit),
            "created": iso(self.created),
            "running": self.running,
            "artifact_bytes": self.artifact_bytes,
        }


def trials_json(counts: Counts, limit: int) -> dict[str, int]:
    """Return the number of trials by state. ``total`` counts all that exist, ``budget`` is the maximum."""
    return {**asdict(counts), "total": counts.total, "budget": limit}


def list_studies(location: Location) -> list[StudySummary]:
    """Return all studies, sorted by name; an empty list if there is no database. Creates nothing.

    Raises:
        StorageError: If the database cannot be used.
    """
    if not has_database(location):
        return []
    store = open_store(location)
    try:
        return summarise(store)
    finally:
        store.close()


def summarise(store: Store, name: str | None = None) -> list[StudySummary]:
    """Return all studies of an open store, or only the study ``name``."""
    return [_summary(store, line) for line in read_lines(store.database, name)]


def _summary(store: Store, line: StudyLine) -> StudySummary:
    recipe = parse_recipe(line.recipe, f"the snapshot of '{line.name}'")
    return StudySummary(
        name=line.name,
        data=recipe.data,
        objective=recipe.objective.metric,
        direction=recipe.objective.direction,
        counts=_counts(line.states),
        limit=recipe.trial_limit(line.states["REFUSED"]),
        best=line.highest if recipe.objective.maximize else line.lowest,
        created=line.created,
        running=describe_owners([holding.owner for holding in store.holdings(line.id)]),
        objectives=recipe.objective.names,
        artifact_bytes=line.artifact_bytes,
    )


def _counts(states: Mapping[str, int]) -> Counts:
    states = {**states, "FAILED": states.get("FAIL", 0)}
    return Counts(**{field.name: states.get(field.name.upper(), 0) for field in fields(Counts)})
