"""Turns: on a server, several coordinators share a study, and one at a time changes the states of its trials.

A turn is one transaction. On SQLite, where a study has one coordinator, that is all. On a server, whoever takes a turn
locks a row of the study, reads which trials the others have changed since its last turn, decides, and writes.
Everything that is written in a turn, by us and by Optuna, is in this transaction: if it fails, nothing of it was
written, and the turn can be taken again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from tuner_storage.engine import storage_errors
from tuner_storage.owner import is_alive
from tuner_storage.store import Store
from tuner_storage.tables import ChangeRow, LeaseRow, TurnRow

FINISHES, LEAVES = "finishes", "leaves"  # roles of a coordinator at the end of a study


@dataclass(slots=True)
class Turn:
    """One turn.

    Attributes:
        changed: The trials that other coordinators have changed since the last turn, in order.
        touched: The trials whose state changes in this turn. The caller adds to it.
    """

    changed: Sequence[int]
    touched: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Leases:
    """The owners of the leases of a study, the first one first: those that live, and those that have died."""

    live: Sequence[str]
    dead: Sequence[str]


class OwnTurns:
    """The turns of the only coordinator of a study: each is one transaction.

    Args:
        store: The store of the study.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        store.share()

    @contextmanager
    def take(self, *, everything: bool = False) -> Iterator[Turn]:  # noqa: ARG002 - nobody else changes anything
        """Write all that the block writes at its end. Arguments and errors are those of :meth:`Turns.take`."""
        with storage_errors(self._store.database.location), self._store.joined():
            yield Turn([])


class Turns:
    """The turns of one of several coordinators.

    Args:
        store: The store of the study, on a server.
        study_id: Our row of the study.
        owner: The coordinator, which holds a shared lease.
    """

    def __init__(self, store: Store, study_id: int, owner: str) -> None:
        self._store = store
        self._study_id = study_id
        self._owner = owner
        self._connection: Connection | None = None  # of the turn at the moment
        self._seen = 0
        store.share()
        store.database.retry(self._begin)

    @contextmanager
    def take(self, *, everything: bool = False) -> Iterator[Turn]:
        """Take a turn as soon as no other coordinator has it, and write all that the block writes at its end.

        Args:
            everything: The caller reads all trials in the block, so no changes are listed.

        Raises:
            StorageError: If the database cannot be used. Then nothing was written.
        """
        database = self._store.database
        with storage_errors(database.location), self._store.joined() as connection:
            self._connection = connection
            query = select(TurnRow.number).where(TurnRow.study_id == self._study_id).with_for_update()
            number = connection.execute(query).scalar_one()
            turn = Turn([] if everything else self._changed(connection))
            yield turn
            if turn.touched:
                number += 1
                self._write(connection, number, turn.touched)
        self._connection, self._seen = None, number

    def leases(self) -> Leases:
        """Return the leases of the study."""
        with self._store.database.read() as session:
            return self._read_leases(session.connection())

    def abandoned(self, running: Collection[int]) -> list[int]:
        """Remove the leases of coordinators that have died, and return those of the running trials that were theirs.

        A coordinator that was only asleep can write nothing from then on. Called within a turn.
        """
        connection = self._in_turn()
        leases = self._read_leases(connection)
        if leases.dead:
            of_study = LeaseRow.study_id == self._study_id
            connection.execute(delete(LeaseRow).where(of_study, LeaseRow.owner.in_(leases.dead)))
        query = select(ChangeRow.trial_number).where(
            ChangeRow.study_id == self._study_id,
            ChangeRow.trial_number.in_(running),
            ChangeRow.owner.in_(leases.live),
        )
        return sorted(set(running).difference(connection.scalars(query)))

    def may_finish(self) -> bool:
        """Return whether this coordinator refits and tests the winner: the first that asks does. Within a turn."""
        connection = self._in_turn()
        finisher = select(LeaseRow.owner).where(LeaseRow.study_id == self._study_id, LeaseRow.role == FINISHES)
        if connection.scalar(finisher) not in {None, self._owner}:
            return False
        self._set_role(connection, FINISHES)
        return True

    def may_leave(self) -> bool:
        """Return whether another coordinator goes on, so that this one may leave the end to it. Within a turn."""
        connection = self._in_turn()
        others = set(self._read_leases(connection).live) - {self._owner}
        leaving = connection.scalars(
            select(LeaseRow.owner).where(LeaseRow.study_id == self._study_id, LeaseRow.role == LEAVES)
        )
        if not others.difference(leaving):
            return False
        self._set_role(connection, LEAVES)
        return True

    def _set_role(self, connection: Connection, role: str) -> None:
        own = (LeaseRow.study_id == self._study_id, LeaseRow.owner == self._owner)
        connection.execute(update(LeaseRow).where(*own).values(role=role))

    def _read_leases(self, connection: Connection) -> Leases:
        now = self._store.database.server_time(connection)
        query = select(LeaseRow.owner, LeaseRow.expires).where(LeaseRow.study_id == self._study_id)
        rows = connection.execute(query.order_by(LeaseRow.since, LeaseRow.owner)).all()
        live = [owner for owner, expires in rows if owner == self._owner or (expires > now and is_alive(owner))]
        return Leases(live, [owner for owner, _ in rows if owner not in live])

    def _begin(self) -> None:
        """Read the number of the last turn; a study that was never shared gets its row."""
        new = insert(TurnRow).values(study_id=self._study_id, number=0).on_conflict_do_nothing()
        with self._store.database.write() as session:
            session.execute(new)
            self._seen = session.scalars(select(TurnRow.number).where(TurnRow.study_id == self._study_id)).one()

    def _changed(self, connection: Connection) -> Sequence[int]:
        changes = select(ChangeRow.trial_number).where(
            ChangeRow.study_id == self._study_id, ChangeRow.turn > self._seen, ChangeRow.owner != self._owner
        )
        return connection.scalars(changes.order_by(ChangeRow.trial_number)).all()

    def _write(self, connection: Connection, number: int, touched: Iterable[int]) -> None:
        values = {"turn": number, "owner": self._owner}
        rows = [{"study_id": self._study_id, "trial_number": trial, **values} for trial in sorted(touched)]
        key = [ChangeRow.study_id, ChangeRow.trial_number]
        connection.execute(insert(ChangeRow).values(rows).on_conflict_do_update(index_elements=key, set_=values))
        connection.execute(update(TurnRow).where(TurnRow.study_id == self._study_id).values(number=number))

    def _in_turn(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("this is done within a turn")
        return self._connection
