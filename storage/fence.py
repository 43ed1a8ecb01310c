"""A run that has lost its lease can write nothing more, however long it slept and in whatever it woke up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, event, select

from storage.tables import LeaseRow
from tuner.errors import RunError


def put_up(engines: Sequence[Engine], study_id: int, owner: str, lost: Callable[[], RunError]) -> Callable[[], None]:
    """Let transactions of ``engines`` commit only while ``owner`` has the lease.

    It is looked up inside the transaction that is about to be committed, Optuna's too: between looking and writing
    nobody else can take the lease.

    Args:
        engines: Through which this process writes the study.
        study_id: The study.
        owner: Who must have its lease.
        lost: Makes the error that a transaction ends with instead.

    Returns:
        What takes the fence down again.
    """
    query = select(LeaseRow.owner).where(LeaseRow.study_id == study_id).with_for_update(read=True)

    def check(connection: Connection) -> None:
        if connection.scalar(query) != owner:
            raise lost()

    for engine in engines:
        event.listen(engine, "commit", check)

    def take_down() -> None:
        for engine in engines:
            event.remove(engine, "commit", check)

    return take_down
