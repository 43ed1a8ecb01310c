"""Names of the user attributes that we give to Optuna's trials and studies."""

from __future__ import annotations

# Attributes of a trial.
PAUSED = "paused"  # it waits at a rung: the number of epochs that it has trained
PROMOTED = "promoted"  # it was promoted: the rung at which it was paused
CONFIRMS = "confirms"  # it confirms another trial: the number of that trial
INFEASIBLE = "infeasible"  # it failed because of its configuration: it diverged, ran out of memory or took too long
REFUSED = "refused"  # it is too large and was never trained: the number of weights that were allowed
START = "start"  # it trains a start configuration, and this is the whole of it: the recipe's list may change

OWN = frozenset(
    {
        "asked_epochs",
        "best_epoch",
        "epochs",
        "label",
        "latency_ms",
        "parameters",
        "reason",
        "repeats",
        "seconds",
        "seed",
    }
    | {PAUSED, PROMOTED, CONFIRMS, INFEASIBLE, REFUSED, START}
)  # all that a run writes, besides the metrics of the best epoch; nobody else may

# Attributes of a study.
STARTS_KEPT = "starts kept"  # its trials have the attribute START; those of older versions had only a position
IDENTITY = "tuner-identity"  # ties it to our row, see tuner_storage.identity
LEARNED_FROM = "learned from"  # the earlier studies of a warm start, and what was taken from each
