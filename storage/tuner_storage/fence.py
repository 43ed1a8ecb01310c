"""The fence: a run that has lost its lease or its study cannot commit, for example after it was asleep for hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, event, select

from tuner.errors import RunError
from tuner_storage.identity import LINKS
from tuner_storage.tables import LeaseRow


def install_fence(
    engines: Sequence[Engine], study_id: int, optuna_id: int, owner: str, lost: Callable[[Connection], RunError]
) -> Callable[[], None]:
    """Make transactions of ``engines`` fail at their commit if ``owner`` does not hold the lease, or the study is gone.

    The lease is read inside the transaction itself, also in Optuna's. So no other run can take the lease between this
    check and the commit. The study is checked too, because SQLite may give the ids of its trials to another study.

    Args:
        engines: All engines through which this process writes the study.
        study_id: Our row of the study.
        optuna_id: Optuna's row of the study.
        owner: The owner that must hold the lease.
        lost: Makes the error to raise at the commit, given the connection.

    Returns:
        A function that removes the fence.
    """
    query = (
        select(LeaseRow.owner)
        .join(LINKS, LINKS.c.row_id == LeaseRow.study_id)
        .where(LeaseRow.study_id == study_id, LeaseRow.owner == owner, LINKS.c.study_id == optuna_id)
        .with_for_update(read=True, of=LeaseRow)
    )

    def check(connection: Connection) -> None:
        if connection.scalar(query) is None:
            raise lost(connection)

    for engine in engines:
        event.listen(engine, "commit", check)

    def remove() -> None:
        for engine in engines:
            event.remove(engine, "commit", check)

    return remove
