"""The tables of a recipe beside its space: what may be spent, who proposes, what the winner must show, first trials."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

SamplerName = Literal["auto", "tpe", "gp", "random", "qmc", "cmaes", "grid", "nsga2"]
PrunerName = Literal[
    "asha", "hyperband", "none", "median", "percentile", "sha", "optuna-hyperband", "patient", "threshold"
]

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(value: object) -> object:
    """Turn ``"90s"``, ``"10m"`` or ``"1h30m"`` into seconds; anything else passes on to pydantic.

    Raises:
        ValueError: If a text is no duration.
    """
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip().lower())
    if not match or not any(match.groups()):
        raise ValueError(f"a duration is written like '90s', '10m' or '1h30m', got '{value}'")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]


class Table(BaseModel):
    """Settings that cannot be changed, among which there is no unknown one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Budget(Table):
    """How much may be spent. ``trials`` is the study's total, ``timeout`` the seconds of one run.

    ``patience`` counts epochs without improvement before a trial stops early (0: never); ``keep`` is the number of
    best models that stay on disk. ``retries`` is how often a trial is tried again whose process died, and
    ``trial_timeout`` the seconds that one attempt may take. The study ends early once its best objective is as good as
    ``target``, or once ``plateau`` trials have ended without a better one. A configuration with more than
    ``max_parameters`` weights is refused before training and counts as no trial.
    """

    trials: int = Field(default=40, ge=1)
    epochs: int = Field(default=10, ge=1)
    timeout: Seconds | None = None
    patience: int = Field(default=0, ge=0)
    keep: int = Field(default=5, ge=1)
    retries: int = Field(default=2, ge=0)
    trial_timeout: Seconds | None = None
    target: float | None = None
    plateau: int | None = Field(default=None, ge=1)
    max_parameters: int | None = Field(default=None, ge=1)


class Winner(Table):
    """How the winner is made sure of, after the search.

    The best ``confirm`` configurations are trained with ``seeds`` further seeds, and the best mean wins. ``refit``
    trains the winner once more, on the training and validation rows together.
    """

    confirm: int = Field(default=0, ge=0)
    seeds: int = Field(default=2, ge=1)
    refit: bool = False


class Search(Table):
    """Who proposes configurations, who stops bad trials, and the seed of both.

    ``threshold`` is the worst value of the objective that the ``threshold`` pruner lets live. ``chosen`` is what
    ``auto`` came to when the study began: a run writes it into the snapshot. ``learn_from`` names earlier studies of
    the same database: see :mod:`tuner.search.warm_start`.
    """

    sampler: SamplerName = "auto"
    chosen: Literal["tpe", "grid"] | None = None
    pruner: PrunerName = "asha"
    threshold: float | None = None
    seed: int = Field(default=0, ge=0)
    learn_from: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _threshold(self) -> Self:
        if self.pruner == "threshold" and self.threshold is None:
            raise ValueError("pruner 'threshold' needs a value: set `threshold` to the worst objective that may live")
        return self

    @property
    def shown(self) -> str:
        """The sampler as people see it: ``auto (tpe)`` once that is settled."""
        return f"auto ({self.chosen})" if self.sampler == "auto" and self.chosen else self.sampler


class Start(Table):
    """A configuration that is tried first; parameters that it leaves open are sampled.

    ``reference`` is a published test accuracy to stand beside ours. ``origin`` is the earlier study among whose best it
    was, if that is where it comes from.
    """

    label: str
    params: dict[str, Any]
    epochs: int | None = Field(default=None, ge=1)
    reference: float | None = Field(default=None, ge=0, le=1)
    origin: str | None = None
