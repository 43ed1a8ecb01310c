"""Takes up what an earlier run left behind: trials that are still marked as running, checkpoints that are left over."""

from __future__ import annotations

from optuna.trial import TrialState

from tuner.run.incumbents import Incumbents
from tuner.run.trial_writer import TrialWriter
from tuner.search.ask_tell import AskTell


def recover(ask_tell: AskTell, writer: TrialWriter, incumbents: Incumbents) -> None:
    """Bring the trials of a study into a state from which a new run can continue, and rank the complete ones.

    A trial that a dead run left running is queued again. If its result was written and Optuna did not get it, the
    result counts.
    """
    state = ask_tell.state
    for number in writer.checkpointed():
        if state.trial_state(number).is_finished():  # the run died between the result and the removal
            writer.forget_checkpoints(number)
    for number in state.trials_in(TrialState.RUNNING):
        ask_tell.recover(number, writer.last_outcome(number))
    for number, values in ask_tell.values().items():
        incumbents.add(number, values, float(ask_tell.attributes(number).get("seconds", 0.0)))
