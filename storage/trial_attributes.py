"""Names of the attributes that we write beside Optuna's own trials and studies."""

from __future__ import annotations

PAUSED = "paused"  # of a trial that waits at a rung: how many epochs it has trained
PROMOTED = "promoted"  # of a trial that was promoted: the rung where it was paused
CONFIRMS = "confirms"  # of a trial: the trial whose configuration it trains with another seed
REFUSED = "refused"  # of a trial that is too large and was never trained: how many weights were allowed
LEARNED_FROM = "learned from"  # of a study: what it learned from which earlier studies
