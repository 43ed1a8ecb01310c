"""What was measured of a study, at most one row per study, written and read within a transaction of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from tuner_storage.tables import AssessmentRow


def replace_assessment(session: Session, study_id: int, facts: Mapping[str, Any]) -> None:
    """Record an assessment in place of an earlier one."""
    earlier = session.get(AssessmentRow, study_id)
    if earlier is not None:
        session.delete(earlier)
        session.flush()
    session.add(AssessmentRow(study_id=study_id, facts=dict(facts)))


def read_assessment(session: Session, study_id: int) -> dict[str, Any] | None:
    """Return the assessment of a study, or ``None`` if it has none."""
    row = session.get(AssessmentRow, study_id)
    return None if row is None else dict(row.facts)
