"""Names of the user attributes that we give to Optuna's trials and studies."""

from __future__ import annotations

# Attributes of a trial.
PAUSED = "paused"  # it waits at a rung: the number of epochs that it has trained
PROMOTED = "promoted"  # it was promoted: the rung at which it was paused
CONFIRMS = "confirms"  # it confirms another trial: the number of that trial
REFUSED = "refused"  # it is too large and was never trained: the number of weights that were allowed

# Attributes of a study.
LEARNED_FROM = "learned from"  # the earlier studies of a warm start, and what was taken from each
