"""Optuna trials with chosen values, in a small search space with a conditional parameter."""

from __future__ import annotations

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from tuner.records import ParamValue

SPACE = {
    "layers": {"type": "int", "low": 0, "high": 2},
    "units": {"type": "int", "low": 8, "high": 64},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True},
    "optimizer": {"type": "choice", "choices": ["adam", "rmsprop", "sgd"]},
    "momentum": {"type": "float", "low": 0.5, "high": 0.9, "when": {"optimizer": "sgd"}},
    "label_smoothing": {"type": "float", "low": 0.1, "high": 0.1},
}
DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "layers": IntDistribution(0, 2),
    "units_0": IntDistribution(8, 64),
    "units_1": IntDistribution(8, 64),
    "dropout": FloatDistribution(0.0, 0.5),
    "learning_rate": FloatDistribution(0.001, 0.1, log=True),
    "optimizer": CategoricalDistribution(("adam", "rmsprop", "sgd")),
    "momentum": FloatDistribution(0.5, 0.9),
    "label_smoothing": FloatDistribution(0.1, 0.1),
}


def trial(value: float | None, **params: ParamValue) -> FrozenTrial:
    """Return a trial: complete if it has a value, else pruned."""
    state = TrialState.PRUNED if value is None else TrialState.COMPLETE
    distributions = {name: DISTRIBUTIONS[name] for name in params}
    return create_trial(state=state, value=value, params=dict(params), distributions=distributions)
