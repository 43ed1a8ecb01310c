"""All trials of a study are read with plain queries, and are what Optuna reads."""

from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial
from tuner_storage import Location, locate, open_store

DISTRIBUTIONS = {
    "x": FloatDistribution(0.1, 1.0, log=True),
    "n": IntDistribution(1, 9),
    "c": CategoricalDistribution(("a", None, True, 2)),
}
REPORTS = {0: 0.5, 1: math.inf, 2: -math.inf, 5: 0.25}


def test_trials_are_those_that_optuna_reads(any_location: Location) -> None:
    """Every state, infinite values, several objectives, attributes, and trials of another study beside them."""
    store = open_store(any_location, create=True)
    study = optuna.create_study(storage=store.optuna, study_name="a", directions=["minimize", "maximize"])
    other = optuna.create_study(storage=store.optuna, study_name="b")
    study.ask()
    params = {"x": 0.3, "n": 4, "c": None}
    for state, values in ((TrialState.COMPLETE, [math.inf, 1.0]), (TrialState.FAIL, None), (TrialState.PRUNED, None),
                          (TrialState.WAITING, None)):  # fmt: skip
        study.add_trial(
            create_trial(state=state, values=values, params=params, distributions=DISTRIBUTIONS,
                         intermediate_values=REPORTS, user_attrs={"u": [1, {"v": None}]}, system_attrs={"s": "t"})
        )  # fmt: skip
        other.add_trial(create_trial(value=1.0))
    store.close()

    again = open_store(any_location)
    some = again.trials(study._study_id, [3, 1])
    ours = again.optuna.get_all_trials(study._study_id)
    optunas = RDBStorage._get_trials(again.uncached, study._study_id, None, set(), -1)
    by_id = again.uncached.get_trials(study._study_id, [ours[4]._trial_id, ours[2]._trial_id])
    with pytest.raises(KeyError):
        again.uncached.get_trials(study._study_id, [ours[2]._trial_id, 1000])
    again.close()

    assert [trial.state.name for trial in ours] == ["RUNNING", "COMPLETE", "FAIL", "PRUNED", "WAITING"]
    assert ours == optunas
    assert ours[1].values == [math.inf, 1.0]
    assert some == [ours[1], ours[3]]
    assert by_id == [ours[2], ours[4]]


def test_parameters_that_are_written_at_once_are_those_that_optuna_writes(any_location: Location) -> None:
    """A trial that has ended gets none, as with Optuna."""
    store = open_store(any_location, create=True)
    study = optuna.create_study(storage=store.optuna, study_name="a")
    params = {"x": (0.3, DISTRIBUTIONS["x"]), "n": (4.0, DISTRIBUTIONS["n"]), "c": (3.0, DISTRIBUTIONS["c"])}
    at_once, one_by_one = study.ask()._trial_id, study.ask()._trial_id
    store.uncached.set_trial_params(at_once, params)
    for name, (value, distribution) in params.items():
        store.optuna.set_trial_param(one_by_one, name, value, distribution)
    first, second = study.get_trials(deepcopy=False)
    study.tell(1, 0.5)
    with pytest.raises(UpdateFinishedTrialError):
        store.uncached.set_trial_params(one_by_one, params)
    store.close()

    assert first.params == second.params == {"x": 0.3, "n": 4, "c": 2}
    assert first.distributions == second.distributions


def test_what_trials_with_a_result_reported_need_not_be_read(home: Path) -> None:
    """It is in our table of epochs too. All else is the same."""
    store = open_store(locate(home=home), create=True)
    study = optuna.create_study(storage=store.optuna, study_name="a")
    study.add_trial(create_trial(value=0.5, user_attrs={"epochs": 1}, intermediate_values={0: 0.5}))
    study.add_trial(create_trial(state=TrialState.WAITING, intermediate_values={0: 0.5}))
    without, with_reports = store.trials(study._study_id), study.trials
    store.close()

    assert [trial.intermediate_values for trial in without] == [{}, {0: 0.5}]
    without[0].intermediate_values = {0: 0.5}
    assert without == with_reports
