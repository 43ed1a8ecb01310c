"""Trials in memory are those of the database, whatever is written through them."""

from __future__ import annotations

import optuna
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from tuner.search.trial_cache import TrialCache

STEPS = st.lists(st.sampled_from(["new", "param", "attribute", "report", "wait", "end", "look"]), max_size=30)


@given(STEPS)
def test_whatever_is_written_is_seen_in_the_order_of_the_trials(steps: list[str]) -> None:
    """As a study without memory would show it."""
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    storage = study._storage
    remembered = TrialCache(storage, study._study_id)
    rows: list[int] = []
    distribution = optuna.distributions.FloatDistribution(0.0, 1.0)
    for step in steps:
        if step == "new" or not rows:
            rows.append(remembered.create_new_trial(study._study_id))
        elif step == "param":
            remembered.set_trial_param(rows[-1], "x", 0.5, distribution)
        elif step == "attribute":
            remembered.set_trial_user_attr(rows[0], "seen", len(rows))
        elif step == "report":
            remembered.set_trial_intermediate_value(rows[-1], 0, 0.5)
        elif step == "wait":
            remembered.set_trial_state_values(rows[-1], TrialState.WAITING)
        elif step == "end":
            remembered.set_trial_state_values(rows.pop(), TrialState.COMPLETE, [1.0])
        else:
            remembered.get_all_trials(study._study_id)

    assert remembered.get_all_trials(study._study_id) == storage.get_all_trials(study._study_id)
    waiting = remembered.get_all_trials(study._study_id, deepcopy=False, states=(TrialState.WAITING,))
    assert waiting == storage.get_all_trials(study._study_id, states=(TrialState.WAITING,))
