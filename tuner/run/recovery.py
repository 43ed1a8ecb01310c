"""Takes up what an earlier run left behind: trials that are still marked as running, checkpoints that are left over."""

from __future__ import annotations

import logging

from optuna.trial import TrialState

from tuner.own_results import FOREIGN
from tuner.run.incumbents import Incumbents
from tuner.run.sharing import Sharing
from tuner.run.trial_writer import TrialWriter
from tuner.search.ask_tell import AskTell

_log = logging.getLogger(__name__)


def recover(ask_tell: AskTell, writer: TrialWriter, incumbents: Incumbents, sharing: Sharing) -> None:
    """Bring the trials of a study into a state from which a new run can continue, and rank the complete ones.

    Trials whose result another program wrote are named. Called within a turn.
    """
    state = ask_tell.state
    # The run may have died between a result and the removal of the trial's checkpoints.
    ended = state.trials_in(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    writer.drop_checkpoints([*ended, *ask_tell.queue.without_checkpoint()])
    take_over(ask_tell, writer, incumbents, sharing)
    for trial in ask_tell.trials():
        if trial.state == TrialState.FAIL and trial.user_attrs.get("reason") == FOREIGN:
            _log.warning("trial %d counts as failed: %s", trial.number, FOREIGN)
    incumbents.add_complete(ask_tell.trials())


def take_over(ask_tell: AskTell, writer: TrialWriter, incumbents: Incumbents, sharing: Sharing) -> None:
    """Queue the trials that a dead run left running again. Called within a turn.

    If the result of such a trial was written and Optuna did not get it, the result counts.
    """
    for number in sharing.abandoned(ask_tell.state.trials_in(TrialState.RUNNING)):
        values = ask_tell.recover(number, writer.last_outcome(number))
        if values is not None:
            incumbents.add(number, values, float(ask_tell.attributes(number).get("seconds", 0.0)))
