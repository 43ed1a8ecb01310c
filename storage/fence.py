"""The fence: a run that has lost its lease cannot commit, for example after it was asleep for hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, event, select

from storage.tables import LeaseRow
from tuner.errors import RunError


def install_fence(
    engines: Sequence[Engine], study_id: int, owner: str, lost: Callable[[], RunError]
) -> Callable[[], None]:
    """Make transactions of ``engines`` fail at their commit if ``owner`` does not hold the lease.

    The lease is read inside the transaction itself, also in Optuna's. So no other run can take the lease between this
    check and the commit.

    Args:
        engines: All engines through which this process writes the study.
        study_id: Our row of the study.
        owner: The owner that must hold the lease.
        lost: Makes the error to raise at the commit if another owner holds it.

    Returns:
        A function that removes the fence.
    """
    query = select(LeaseRow.owner).where(LeaseRow.study_id == study_id).with_for_update(read=True)

    def check(connection: Connection) -> None:
        if connection.scalar(query) != owner:
            raise lost()

    for engine in engines:
        event.listen(engine, "commit", check)

    def remove() -> None:
        for engine in engines:
            event.remove(engine, "commit", check)

    return remove
