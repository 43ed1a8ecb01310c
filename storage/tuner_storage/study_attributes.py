"""Optuna's attributes of a study, many of them in one transaction.

Optuna writes each in a transaction of its own: a figure of the dashboard, stored in hundreds of pieces, would take
seconds, and a browser could see half of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import column, delete, insert, select, table

from tuner_storage.engine import Database

_ATTRIBUTES = table("study_system_attributes", column("study_id"), column("key"), column("value_json"))


def read_attributes(database: Database, optuna_id: int) -> dict[str, Any]:
    """Return the system attributes of a study."""
    query = select(_ATTRIBUTES.c.key, _ATTRIBUTES.c.value_json).where(_ATTRIBUTES.c.study_id == optuna_id)
    with database.read() as session:
        return {key: json.loads(text) for key, text in session.execute(query)}


def write_attributes(database: Database, optuna_id: int, changed: Mapping[str, Any], unless: Mapping[str, Any]) -> bool:
    """Set system attributes of a study.

    Args:
        database: The database.
        optuna_id: Optuna's id of the study.
        changed: The new values by name.
        unless: Nothing is written if one of these has another value by now, ``None`` if it should be missing.

    Returns:
        Whether they were written.
    """
    of_study = _ATTRIBUTES.c.study_id == optuna_id
    with database.write() as session:
        read = select(_ATTRIBUTES.c.key, _ATTRIBUTES.c.value_json).where(of_study, _ATTRIBUTES.c.key.in_(list(unless)))
        now = {key: json.loads(text) for key, text in session.execute(read)}
        if any(now.get(key) != value for key, value in unless.items()):
            return False
        session.execute(delete(_ATTRIBUTES).where(of_study, _ATTRIBUTES.c.key.in_(list(changed))))
        rows = [{"study_id": optuna_id, "key": key, "value_json": json.dumps(value)} for key, value in changed.items()]
        if rows:
            session.execute(insert(_ATTRIBUTES), rows)
    return True
