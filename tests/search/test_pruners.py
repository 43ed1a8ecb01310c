"""Pruners: which trials they end, and what is stored of a trial that ends without being complete."""

from __future__ import annotations

from typing import get_args

import pytest
from optuna.trial import TrialState

from tests.search.conftest import Starter, ask, recipe_for, report
from tuner.config.tables import PrunerName
from tuner.records import Outcome


@pytest.mark.parametrize("pruner", get_args(PrunerName))
def test_every_pruner_ends_a_trial_that_learns_nothing(start: Starter, pruner: str) -> None:
    """After some good trials, every pruner ends or pauses it, except the pruner `none`."""
    search = {"sampler": "random", "pruner": pruner, "threshold": 0.5}
    ask_tell = start(recipe_for(search=search, budget={"trials": 12, "epochs": 8}))
    for _ in range(6):
        good = ask(ask_tell)
        for epoch in range(8):
            report(ask_tell, good.number, epoch, 0.8 + epoch / 100)
        ask_tell.tell(good.number, Outcome.COMPLETE, 0.87)
    bad = ask(ask_tell)
    should_end = [report(ask_tell, bad.number, epoch, 0.1 - epoch / 100) for epoch in range(8)]

    assert any(should_end) == (pruner != "none")


@pytest.mark.parametrize(("metric", "bad"), [("val_accuracy", 0.1), ("val_loss", 3.0)])
def test_the_threshold_pruner_ends_trials_with_a_worse_value(start: Starter, metric: str, bad: float) -> None:
    """An accuracy must not stay below the threshold, a loss not above it. The first epoch does not count."""
    search = {"sampler": "random", "pruner": "threshold", "threshold": 0.5 if metric == "val_accuracy" else 1.0}
    ask_tell = start(recipe_for(search=search, objective={"metric": metric}))
    number = ask(ask_tell).number

    assert [report(ask_tell, number, epoch, bad) for epoch in range(2)] == [False, True]
    assert not report(ask_tell, number, 2, 0.9)


def test_a_pruned_trial_keeps_its_last_reported_value(start: Starter) -> None:
    """The sampler learns from it. It does not count among the values of complete trials."""
    ask_tell = start(recipe_for())
    number = ask(ask_tell).number
    for epoch, value in enumerate((0.25, 0.5)):
        report(ask_tell, number, epoch, value)
    ask_tell.tell(number, Outcome.PRUNED, 0.9)
    trial = ask_tell._study.trials[number]

    assert (trial.state, trial.value) == (TrialState.PRUNED, 0.5)
    assert ask_tell.values() == {}


def test_a_failed_trial_has_no_value(start: Starter) -> None:
    """Even if it reported values before it failed."""
    ask_tell = start(recipe_for())
    number = ask(ask_tell).number
    report(ask_tell, number, 0, 0.5)
    ask_tell.tell(number, Outcome.FAILED, 0.5)

    assert (ask_tell._study.trials[number].state, ask_tell.values()) == (TrialState.FAIL, {})
