"""The cached trials equal those of the database, whatever is written through the cache."""

from __future__ import annotations

import optuna
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from tuner.search.trial_cache import TrialCache

STEPS = st.lists(st.sampled_from(["new", "param", "attribute", "report", "wait", "end", "look"]), max_size=30)


@given(STEPS)
def test_the_cache_returns_what_was_written_through_it_in_the_order_of_the_trials(steps: list[str]) -> None:
    """After any sequence of writes and reads, it returns the same trials as the storage itself."""
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    storage = study._storage
    cache = TrialCache(storage, study._study_id)
    rows: list[int] = []
    distribution = optuna.distributions.FloatDistribution(0.0, 1.0)
    for step in steps:
        if step == "new" or not rows:
            rows.append(cache.create_new_trial(study._study_id))
        elif step == "param":
            cache.set_trial_param(rows[-1], "x", 0.5, distribution)
        elif step == "attribute":
            cache.set_trial_user_attr(rows[0], "seen", len(rows))
        elif step == "report":
            cache.set_trial_intermediate_value(rows[-1], 0, 0.5)
        elif step == "wait":
            cache.set_trial_state_values(rows[-1], TrialState.WAITING)
        elif step == "end":
            cache.set_trial_state_values(rows.pop(), TrialState.COMPLETE, [1.0])
        else:
            cache.get_all_trials(study._study_id)

    assert cache.get_all_trials(study._study_id) == storage.get_all_trials(study._study_id)
    waiting = cache.get_all_trials(study._study_id, deepcopy=False, states=(TrialState.WAITING,))
    assert waiting == storage.get_all_trials(study._study_id, states=(TrialState.WAITING,))
