"""Computes how important each parameter of a study is for its objective.

``optuna.importance`` imports scikit-learn, which takes longer than most commands, so it is imported where it is used.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import optuna
from optuna.trial import FrozenTrial, TrialState
from tuner_storage.trial_attributes import REFUSED

if TYPE_CHECKING:
    from optuna.importance import BaseImportanceEvaluator
    from optuna.storages import BaseStorage

# In simulated studies with 10 parameters, the most important one was among the first three of a measure in 75 to 95 %
# of the cases with 8 trials, and in 25 to 80 % with 5.
MIN_FOR_IMPORTANCE = 8
MAX_FANOVA = (
    1000  # complete trials; with 2000, the shares differed as little between samples, and it took three times as long
)
PED_ANOVA_TOP = 5  # number of best trials, as Optuna recommends; more if a tenth is more, fewer if half of all is fewer


@dataclass(frozen=True, slots=True)
class Importances:
    """The importance of each parameter by two measures.

    The shares of a measure are sorted, the largest first, and sum to 1. A measure that cannot be computed is empty.

    Attributes:
        ped_anova: What decides whether a trial is among the best. Pruned trials count as worse than complete ones.
        fanova: What changes the value of complete trials.
        partial: Parameters that only some of the trials have. They are left out of both measures.
        constant: Parameters that have the same value in all trials. They are left out of both measures.
        missing: Why no measure could be computed, or ``None``.
        sampled: How many of the complete trials fANOVA was computed from, if there are too many; else ``None``.
    """

    ped_anova: Mapping[str, float]
    fanova: Mapping[str, float]
    partial: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    missing: str | None = None
    sampled: int | None = None

    def as_json(self) -> dict[str, object]:
        """Return plain data for JSON."""
        left_out = [*self.partial, *self.constant]
        return {"ped_anova": dict(self.ped_anova), "fanova": dict(self.fanova), "left_out": left_out}


def importances(trials: Sequence[FrozenTrial], *, maximize: bool) -> Importances:
    """Return the importance of each parameter of a study for its first objective.

    PED-ANOVA compares the best trials with all trials, so it gets the pruned trials too: a pruner leaves few complete
    trials, and these are similar. In simulated studies of 12 trials, 5 of them complete, the most important parameter
    was among the first three of PED-ANOVA in 90 % of the cases with pruned trials, and in 60 % without.

    With several objectives, the first one counts, because it decides which trials are pruned. The measures get a study
    in memory that has no other objective, and no ``target``: PED-ANOVA minimises a target even if the study maximises,
    but without one it follows the direction of the study.

    Args:
        trials: All trials.
        maximize: Whether a larger value of the first objective is better.

    Source: Watanabe, Bansal, Hutter 2023, PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
    Subspaces. Hutter, Hoos, Leyton-Brown 2014, An Efficient Approach for Assessing Hyperparameter Importance (fANOVA).
    """
    finite = [trial for trial in trials if trial.state == TrialState.COMPLETE and math.isfinite(trial.values[0])]
    complete = [_with_value(trial, trial.values[0]) for trial in finite]
    judged = _with_pruned(trials, complete, maximize=maximize)
    names = sorted({name for trial in judged for name in trial.params})
    partial = tuple(name for name in names if not all(name in trial.params for trial in judged))
    common = [name for name in names if name not in partial]
    varied = _varied(judged, common)
    constant = tuple(name for name in common if name not in varied)
    missing = _missing(judged, len(complete), varied)
    if missing is not None:
        return Importances({}, {}, partial, constant, missing)
    return Importances(
        _ped_anova(judged, varied, maximize=maximize),
        _fanova(complete, varied, maximize=maximize),
        partial,
        constant,
        sampled=MAX_FANOVA if len(complete) > MAX_FANOVA else None,
    )


def _with_value(trial: FrozenTrial, value: float) -> FrozenTrial:
    """Return a copy of a trial that is complete with one value."""
    changed = copy.copy(trial)
    changed.state, changed.values = TrialState.COMPLETE, [value]
    return changed


def _with_pruned(
    trials: Sequence[FrozenTrial], complete: Sequence[FrozenTrial], *, maximize: bool
) -> list[FrozenTrial]:
    """Return the complete and the pruned trials. The pruned ones are complete, with a worse value than all others.

    Refused trials are left out.
    """
    worse = _worst(complete, maximize=maximize) + (-1 if maximize else 1)
    pruned = (trial for trial in trials if trial.state == TrialState.PRUNED and REFUSED not in trial.user_attrs)
    return [*complete, *(_with_value(trial, worse) for trial in pruned)]


def _missing(trials: Sequence[FrozenTrial], complete: int, varied: Sequence[str]) -> str | None:
    """Return why no importance can be computed from ``trials``, or ``None`` if it can."""
    if complete < MIN_FOR_IMPORTANCE // 2:
        return f"it takes at least {MIN_FOR_IMPORTANCE // 2} complete trials, and there are {complete}"
    if len(trials) < MIN_FOR_IMPORTANCE:
        return f"it takes at least {MIN_FOR_IMPORTANCE} complete or pruned trials, and there are {len(trials)}"
    if _all_equal(trials):
        return "all complete trials have the same value"
    return None if varied else "no parameter that all trials have differs between them"


def _all_equal(trials: Sequence[FrozenTrial]) -> bool:
    values = [trial.value or 0.0 for trial in trials]
    return math.isclose(min(values), max(values), abs_tol=1e-12)


def _varied(trials: Sequence[FrozenTrial], names: Sequence[str]) -> list[str]:
    return [name for name in names if len({trial.params[name] for trial in trials}) > 1]


def _ped_anova(trials: Sequence[FrozenTrial], names: Sequence[str], *, maximize: bool) -> dict[str, float]:
    """Return PED-ANOVA's shares."""
    from optuna.importance import PedAnovaImportanceEvaluator

    evaluator = PedAnovaImportanceEvaluator(target_quantile=_top_share(trials, maximize=maximize))
    return _shares(trials, evaluator, names, maximize=maximize)


def _top_share(trials: Sequence[FrozenTrial], *, maximize: bool) -> float:
    """Return the share of the trials that counts as the best ones."""
    worst = _worst(trials, maximize=maximize)
    count = max(math.ceil(len(trials) / 10), min(PED_ANOVA_TOP, len(trials) // 2))
    # PED-ANOVA adds all trials that tie with the last of the best. Trials with the worst value must not be among them,
    # because then all trials would count as best and there would be nothing to compare.
    count = min(count, sum(trial.value != worst for trial in trials))
    return (count - 0.5) / len(trials)  # PED-ANOVA rounds up to `count` trials


def _fanova(complete: Sequence[FrozenTrial], names: Sequence[str], *, maximize: bool) -> dict[str, float]:
    """Return fANOVA's shares for the parameters that differ between complete trials; empty if these are too few.

    Of more than ``MAX_FANOVA`` trials, as many are taken, evenly over the study: its time grows with their square.
    """
    from optuna.importance import FanovaImportanceEvaluator

    varied = _varied(complete, names)
    if len(complete) < MIN_FOR_IMPORTANCE or not varied or _all_equal(complete):
        return {}
    if len(complete) > MAX_FANOVA:
        complete = [complete[i * len(complete) // MAX_FANOVA] for i in range(MAX_FANOVA)]
    evaluator = FanovaImportanceEvaluator(n_trees=_trees(len(complete)), seed=0)
    return _shares(complete, evaluator, varied, maximize=maximize)


def _shares(
    trials: Sequence[FrozenTrial], evaluator: BaseImportanceEvaluator, names: Sequence[str], *, maximize: bool
) -> dict[str, float]:
    from optuna.importance import get_param_importances

    study = optuna.create_study(direction="maximize" if maximize else "minimize")
    storage = cast("BaseStorage", _InMemory(study._storage, trials))  # noqa: SLF001 - Optuna has no public name for it
    shares = get_param_importances(optuna.Study(study.study_name, storage), evaluator=evaluator, params=list(names))
    return {name: float(share) for name, share in shares.items()}


class _InMemory:
    """A storage whose study has these trials. ``Study.add_trials`` would copy each: 10 s for 10,000."""

    def __init__(self, storage: BaseStorage, trials: Sequence[FrozenTrial]) -> None:
        self._storage = storage
        self._trials = trials

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002 - Optuna's signature
        deepcopy: bool = True,  # noqa: ARG002 - likewise
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        return [trial for trial in self._trials if states is None or trial.state in states]


def _worst(trials: Sequence[FrozenTrial], *, maximize: bool) -> float:
    return (min if maximize else max)((trial.values[0] for trial in trials), default=0.0)


def _trees(trials: int) -> int:
    """Return the number of trees for fANOVA: 64, or fewer with many trials, which make trees slow and shares stable.

    With 12 parameters and 500 trials, 16 trees took 2 s and 64 took 8 s. The shares differed by at most 0.03 between
    seeds.
    """
    return max(8, min(64, 8_000 // trials))
