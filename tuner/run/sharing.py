"""Lets several coordinators work on one study: what is common is read and changed in turns.

On a server, each coordinator has trials of its own, and all have the same rungs, incumbents and number of trials. A
step that changes the state of a trial is taken in a turn: see :mod:`tuner_storage.turns`. Before the step, the memory
is brought up to date with what the others have changed. If the turn fails, for example because the server was
restarted, nothing of the step was written; the memory is read again, and the step is repeated.

On SQLite there is one coordinator, and a turn is only a transaction: the fewer there are, the faster is a short trial.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

from tuner_storage import Store
from tuner_storage.turns import OwnTurns, Turns

from tuner.run.epoch_batch import EpochBatch
from tuner.run.incumbents import Incumbents
from tuner.search.ask_tell import AskTell

Result = TypeVar("Result")

LOOK = 5.0  # seconds between two looks at the other coordinators


class Sharing(Protocol):
    """How a coordinator changes the study."""

    leads: bool
    """Whether this coordinator does what is to be done only once: it has been there for longest."""
    epochs: EpochBatch | None
    """Epochs to be written with the next turn."""

    def turn(self, step: Callable[[], Result]) -> Result:
        """Take a step that changes the states of trials, and return its result. It may be called again if it fails."""

    def look(self) -> bool:
        """Look at the other coordinators now and then; return whether one of them has died."""

    def abandoned(self, running: Collection[int]) -> Iterable[int]:
        """Return those of the running trials that no coordinator trains any more. Called within a turn."""

    def may_finish(self) -> bool:
        """Return whether this coordinator refits and tests the winner. Called within a turn."""

    def may_leave(self) -> bool:
        """Return whether another coordinator goes on with the study. Called within a turn."""


class _InTurns:
    """Takes steps in turns.

    Args:
        store: The store of the study.
        turns: The turns of this coordinator.
        ask_tell: The trials in memory.
        incumbents: The complete trials in memory.
    """

    def __init__(self, store: Store, turns: OwnTurns | Turns, ask_tell: AskTell, incumbents: Incumbents) -> None:
        self._retry = store.database.retry
        self._take_turn = turns.take
        self._ask_tell = ask_tell
        self._state = ask_tell.state
        self._incumbents = incumbents
        self._in_turn = False
        self._stale = False  # whether the memory may differ from what was written
        self.epochs: EpochBatch | None = None

    def turn(self, step: Callable[[], Result]) -> Result:
        """Take the step in a turn, or as a part of the turn that it is called in."""
        if self._in_turn:
            return step()
        return self._retry(lambda: self._take(step))

    def _take(self, step: Callable[[], Result]) -> Result:
        busy = self._state.busy_with()
        self._in_turn = True
        try:
            with self._keep_epochs(), self._take_turn(everything=self._stale) as turn:
                if self.epochs:
                    self.epochs.write()
                if self._stale:
                    self._reload()
                else:
                    self._incumbents.add_complete(self._ask_tell.refresh(turn.changed))
                self._state.touched.clear()
                result = step()
                turn.touched |= self._state.touched
        except BaseException:
            self._stale = True
            self._state.restore(busy)
            raise
        finally:
            self._in_turn = False
        self._stale = False
        return result

    def _keep_epochs(self) -> AbstractContextManager[None]:
        return self.epochs.kept() if self.epochs else nullcontext()

    def _reload(self) -> None:
        self._ask_tell.reload()
        self._incumbents.clear()
        self._incumbents.add_complete(self._ask_tell.trials())


class Alone(_InTurns):
    """The only coordinator of a study. The arguments are those of :class:`Shared`."""

    leads = True

    def __init__(self, store: Store, ask_tell: AskTell, incumbents: Incumbents) -> None:
        super().__init__(store, OwnTurns(store), ask_tell, incumbents)

    def look(self) -> bool:
        """See nobody."""
        return False

    def abandoned(self, running: Collection[int]) -> Iterable[int]:
        """Return all of them: they are those of a run that has died."""
        return running

    def may_finish(self) -> bool:
        """Return ``True``."""
        return True

    def may_leave(self) -> bool:
        """Return ``False``."""
        return False


class Shared(_InTurns):
    """One of several coordinators of a study.

    Args:
        store: The store of the study, on a server.
        turns: The turns of this coordinator.
        ask_tell: The trials in memory.
        incumbents: The complete trials in memory.
        owner: This coordinator.
    """

    def __init__(self, store: Store, turns: Turns, ask_tell: AskTell, incumbents: Incumbents, owner: str) -> None:
        super().__init__(store, turns, ask_tell, incumbents)
        self._turns = turns
        self._owner = owner
        self._next_look = 0.0
        self.leads = True

    def look(self) -> bool:
        """Read the leases every few seconds. If there are others, take over what they have changed."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK
        leases = self._retry(self._turns.leases)
        self.leads = leases.live[0] == self._owner
        if any(owner != self._owner for owner in leases.live):
            self.turn(lambda: None)
        return bool(leases.dead)

    def abandoned(self, running: Collection[int]) -> Iterable[int]:
        """Return the trials of coordinators that have died."""
        return self._turns.abandoned([number for number in running if number not in self._state.running])

    def may_finish(self) -> bool:
        """Return whether no other live coordinator does it."""
        return self._turns.may_finish()

    def may_leave(self) -> bool:
        """Return whether there is another one that does not leave, too."""
        return self._turns.may_leave()
