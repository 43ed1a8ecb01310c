"""The tables of a recipe except ``[space]`` and ``[objective]``: budget, search, winner, and start configurations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tuner.config.numbers import Count, Integer, Number, refuse_text_and_truth
from tuner.config.objectives import objective_table

SamplerName = Literal["auto", "tpe", "gp", "random", "qmc", "cmaes", "grid", "nsga2"]
PrunerName = Literal[
    "asha", "hyperband", "none", "median", "percentile", "sha", "optuna-hyperband", "patient", "threshold"
]
Precision = Literal["float32", "bfloat16"]
PrecisionSetting = Literal["auto"] | Precision
PAUSING_PRUNERS: frozenset[PrunerName] = frozenset({"asha", "hyperband"})  # ours; the others are Optuna's

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(value: object) -> object:
    """Convert ``"90s"``, ``"10m"`` or ``"1h30m"`` into seconds. Return other numbers unchanged, for pydantic.

    Raises:
        ValueError: If a text is not a duration, or the value is a truth value.
    """
    if not isinstance(value, str):
        return refuse_text_and_truth(value)
    match = _DURATION.fullmatch(value.strip().lower())
    if not match or not any(match.groups()):
        raise ValueError(f"a duration is written like '90s', '10m' or '1h30m', got '{value}'")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]

NO_LIMIT = "none"  # takes a limit away, in a file, as an option and in Python: there, None means "as it is"
_Limit = BeforeValidator(lambda value: None if value == NO_LIMIT else value)


class Table(BaseModel):
    """Base class of a recipe's tables. Instances cannot be changed, and an unknown setting is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Budget(Table):
    """The limits of a study, a run and a trial. ``"none"`` takes an optional limit away.

    Attributes:
        trials: Number of trials of the whole study.
        epochs: Maximum number of epochs of a trial.
        timeout: Maximum duration of one run, in seconds.
        patience: Epochs without improvement after which a trial stops; 0 means never.
        keep: Number of best models that stay on disk.
        keep_checkpoints: Number of paused trials whose checkpoint stays on disk: those that are closest to being
            promoted. Any other starts again from its first epoch if it is promoted after all.
        retries: How often a trial is started again if its process dies.
        trial_timeout: Maximum duration of one attempt at a trial, in seconds.
        target: The study ends once its best value, that of the first objective, is at least this good.
        plateau: The study ends after this many trials without a better value.
        max_parameters: A configuration with more weights is refused before training, and does not count as a trial.
    """

    trials: Count = Field(default=40, ge=1)
    epochs: Count = Field(default=10, ge=1)
    timeout: Annotated[Seconds | None, _Limit] = None
    patience: Count = 0
    keep: Count = Field(default=5, ge=1)
    keep_checkpoints: Count = 16
    retries: Count = 2
    trial_timeout: Annotated[Seconds | None, _Limit] = None
    target: Annotated[Number | None, _Limit] = None
    plateau: Annotated[Count | None, _Limit] = Field(default=None, ge=1)
    max_parameters: Annotated[Integer | None, _Limit] = Field(default=None, ge=1, le=2**63 - 1)


class Winner(Table):
    """What is done after the search to choose and train the winner.

    Attributes:
        confirm: Number of best configurations that are trained again. The best mean wins.
        seeds: Number of further seeds for each of these configurations.
        refit: Whether the winner is trained once more, on the training and validation rows together.
        ensemble: Number of best models of which an ensemble is selected at the end; 0 for none.
    """

    confirm: Count = 0
    seeds: Integer = Field(default=2, ge=1, le=1000)
    refit: bool = Field(default=False, strict=True)
    ensemble: Count = Field(default=0, le=100)


class Search(Table):
    """The sampler, the pruner, and the seed of both.

    Attributes:
        sampler: Proposes configurations. ``auto`` is replaced when the study begins.
        chosen: The sampler that ``auto`` was replaced by. A run writes it into the study's snapshot of the recipe.
        pruner: Pauses or ends trials that are unlikely to become the best.
        threshold: The ``threshold`` pruner prunes trials with a worse value than this.
        seed: Seed of all random choices.
        learn_from: Earlier studies of the same database: see :mod:`tuner.search.warm_start`.
    """

    sampler: SamplerName = "auto"
    chosen: Literal["tpe", "grid"] | None = None
    pruner: PrunerName = "asha"
    threshold: Annotated[Number | None, _Limit] = None
    seed: Integer = Field(default=0, ge=0)
    learn_from: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _threshold_is_set(self) -> Self:
        if self.pruner == "threshold" and self.threshold is None:
            raise ValueError("pruner 'threshold' needs a value: set `threshold` to the worst value that is not pruned")
        return self

    @property
    def shown(self) -> str:
        """The sampler's name for people, such as ``auto (tpe)`` once ``auto`` was replaced."""
        return f"auto ({self.chosen})" if self.sampler == "auto" and self.chosen else self.sampler


class Start(Table):
    """A start configuration: it is tried before the sampler proposes any.

    Attributes:
        label: Its name for people.
        params: Values of parameters. The sampler chooses the parameters that are missing.
        epochs: Maximum number of epochs; ``None`` takes the budget's.
        reference: A published test accuracy, shown beside ours.
        origin: The earlier study that the configuration comes from, if any.
    """

    label: str
    params: dict[str, Any]
    epochs: Count | None = Field(default=None, ge=1)
    reference: Number | None = Field(default=None, ge=0, le=1)
    origin: str | None = None

    def as_attribute(self) -> dict[str, Any]:
        """Return plain data for JSON, from which :meth:`model_validate` makes an equal configuration."""
        return self.model_dump(mode="json", exclude_none=True)

    def is_like(self, other: Start) -> bool:
        """Return whether the other one trains the same, whatever its label."""
        return (self.params, self.epochs) == (other.params, other.epochs)


_TABLE_OF = {
    "validation": "recipe",
    "precision": "recipe",
    **dict.fromkeys(Budget.model_fields, "budget"),
    **dict.fromkeys(Search.model_fields, "search"),
    **dict.fromkeys(Winner.model_fields, "winner"),
}


def by_table(
    *,
    learn_from: Sequence[str] | None = None,
    objectives: str | Sequence[str] | None = None,
    **settings: object,
) -> dict[str, dict[str, object]]:
    """Group settings by the table of the recipe that holds them; settings outside of tables belong to ``recipe``.

    >>> by_table(trials=12, sampler="random")["budget"]
    {'trials': 12}

    Args:
        learn_from: See :class:`Search`.
        objectives: See :func:`tuner.config.objectives.objective_table`.
        **settings: Any setting of :class:`Budget`, :class:`Search` and :class:`Winner`; ``validation``, ``precision``.

    Returns:
        The arguments of :meth:`tuner.config.recipe.Recipe.changed`.

    Raises:
        RecipeError: If ``objectives`` cannot be the objectives of a study.
    """
    tables: dict[str, dict[str, object]] = {"recipe": {}, "budget": {}, "search": {}, "winner": {}}
    for name, value in settings.items():
        tables[_TABLE_OF[name]][name] = value
    tables["search"]["learn_from"] = None if learn_from is None else list(learn_from)
    return {**tables, "objective": {} if objectives is None else objective_table(objectives)}
