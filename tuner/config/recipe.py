"""A recipe: all settings of a search as validated data, and what follows from them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from tuner.config.dimensions import AnyDimension, contains
from tuner.config.hyperparameters import DEFAULTS, PER_LAYER, Hyperparameters, dimension_of
from tuner.config.numbers import Integer, Number
from tuner.config.objectives import Objective, with_objective
from tuner.config.parsing import flat, parse_entry
from tuner.config.space import MAX_GRID, SMALLER_GRID, SearchSpace
from tuner.config.table_settings import TableSettings
from tuner.config.tables import Budget, PrecisionSetting, SamplerName, Search, Start, Table, Winner
from tuner.config.validation_messages import explain
from tuner.errors import RecipeError
from tuner.records import ParamValue

TaskSetting = Literal["auto", "classification", "regression"]


class Recipe(Table):
    """All settings of a search. The tables are described by their own classes.

    Attributes:
        name: Name of the search, and of its study unless another name is given.
        description: One line for people.
        data: Name of the data set, or path of an ``.npz`` file or of a table.
        task: The kind of target; ``auto`` decides by its values.
        table: The target and the columns, if the data are a table.
        validation: Size of the validation split: a share of the training rows if below 1, else a number of rows.
        split_seed: Seed with which the validation rows are drawn, or ``last`` to take the last rows of the data set.
        precision: Precision of the products of matrices in training: see :mod:`tuner.training.products`. ``auto`` is
            replaced when the study begins.
        objective: What trials are compared by.
        budget: The limits of a study, a run and a trial.
        search: The sampler and the pruner.
        winner: What is done after the search to choose and train the winner.
        space: A dimension or a fixed value for each parameter.
        start: Configurations that are tried first.
    """

    name: str = Field(min_length=1)
    description: str = ""
    data: str = Field(min_length=1)
    task: TaskSetting = "auto"
    table: TableSettings | None = None
    validation: Number = Field(default=0.2, gt=0)
    split_seed: Annotated[Integer, Field(ge=0)] | Literal["last"] = 0
    precision: PrecisionSetting = "auto"
    objective: Objective = Objective()
    budget: Budget = Budget()
    search: Search = Search()
    winner: Winner = Winner()
    space: dict[str, Any]
    start: tuple[Start, ...] = Field(default=(), max_length=1000)

    @model_validator(mode="before")
    @classmethod
    def _read_objectives(cls, raw: object) -> object:
        return with_objective(raw) if isinstance(raw, Mapping) and "objectives" in raw else raw

    @field_validator("space", mode="before")
    @classmethod
    def _parse_space(cls, space: object) -> object:
        if not isinstance(space, Mapping):
            return space
        return {name: parse_entry(name, entry) for name, entry in space.items()}

    @model_validator(mode="after")
    def _start_in_space(self) -> Self:
        _ = self.search_space  # raises if conditions can never hold
        for start in self.start:
            for name, value in flat(start.params).items():
                if not self._allows(name, value):
                    raise ValueError(f"start '{start.label}': {name} = {value!r} is not in [space]")
            try:
                self.hyperparameters(flat(start.params))
            except ValidationError as error:
                raise explain(error, Hyperparameters, f"start '{start.label}'") from None
        return self

    def _allows(self, name: str, value: ParamValue) -> bool:
        """Return whether a parameter can have a value: it is searched there, or has no other value."""
        dimension = self.search_space.dimensions.get(dimension_of(name))
        if dimension is not None:
            return contains(dimension, value)
        base = self.search_space.base
        return value == base.get(name, base.get(dimension_of(name)))

    @model_validator(mode="after")
    def _one_number_of_layers(self) -> Self:
        if isinstance(self.space.get("units"), list | tuple) and "layers" in self.space:
            raise ValueError("a list of `units` sets the number of layers: remove `layers`, or give one width")
        return self

    @model_validator(mode="after")
    def _grid_is_finite(self) -> Self:
        if self.search.sampler == "grid":
            _ = self.grid
        return self

    @model_validator(mode="after")
    def _several_objectives(self) -> Self:
        if self.objective.several:
            problem = f"does not work with several objectives, got {', '.join(self.objective.names)}"
            if self.search.sampler == "cmaes":
                raise RecipeError(f"sampler 'cmaes' {problem}", hint="use --sampler tpe, gp or nsga2")
            if self.search.pruner == "optuna-hyperband":
                raise RecipeError(f"pruner 'optuna-hyperband' {problem}", hint="use --pruner hyperband")
        return self

    @cached_property
    def search_space(self) -> SearchSpace:
        """The search space: the dimensions and the fixed values of ``space``."""
        dimensions = {name: entry for name, entry in self.space.items() if isinstance(entry, AnyDimension)}
        fixed = flat({name: entry for name, entry in self.space.items() if name not in dimensions})
        return SearchSpace(dimensions, fixed=fixed, defaults=DEFAULTS, per=PER_LAYER)

    @cached_property
    def grid(self) -> tuple[dict[str, ParamValue], ...]:
        """All configurations of the search space, the start configurations first.

        Raises:
            RecipeError: If a dimension has infinitely many values, or there are more than ``MAX_GRID`` configurations.
        """
        grid = list(itertools.islice(self.search_space.grid(), MAX_GRID + 1))
        if len(grid) > MAX_GRID:
            raise RecipeError(f"the grid has more than {MAX_GRID:,} configurations", hint=SMALLER_GRID)
        starts = [self.drawn(start) for start in self.start]
        return (*starts, *(params for params in grid if params not in starts))

    @cached_property
    def budget_covers_grid(self) -> bool:
        """Whether there are enough trials to try every configuration of the search space."""
        trials = self.budget.trials
        return self.search_space.fits(min(trials, MAX_GRID)) and len(self.grid) <= trials

    @property
    def finalists(self) -> int:
        """How many trials should be complete in the end: those that are confirmed or averaged, and at least one."""
        return max(1, self.winner.confirm, self.winner.ensemble)

    @property
    def cyclic(self) -> bool:
        """Whether the learning rate of every trial falls to 0 several times."""
        return self.search_space.fixed.get("schedule") == "coslog"

    @property
    def sampler(self) -> SamplerName:
        """The sampler in use. If it is ``auto``, this is the sampler that ``auto`` stands for.

        If there are enough trials for every configuration, an exhaustive search beats a model.
        """
        if self.search.sampler != "auto":
            return self.search.sampler
        return self.search.chosen or ("grid" if self.budget_covers_grid else "tpe")

    @property
    def trials(self) -> int:
        """The maximum number of trials: the budget, or the size of the grid if that is smaller."""
        return self.trial_limit(0)

    def trial_limit(self, refused: int) -> int:
        """Return the maximum number of trials after ``refused`` configurations were refused.

        Refused configurations do not count as trials, but each of them leaves one configuration fewer in a grid.
        """
        return min(self.budget.trials, len(self.grid) - refused) if self.sampler == "grid" else self.budget.trials

    def hyperparameters(self, params: Mapping[str, ParamValue]) -> Hyperparameters:
        """Return the hyperparameters of a configuration: drawn ``params``, fixed values and defaults."""
        return Hyperparameters.from_params({**self.search_space.fixed, **params})

    def start_params(self, number: int) -> dict[str, ParamValue] | None:
        """Return start configuration ``number`` as flat parameters, or ``None`` if there are fewer."""
        return self.drawn(self.start[number]) if number < len(self.start) else None

    def drawn(self, start: Start) -> dict[str, ParamValue]:
        """Return the searched parameters of a start configuration. One width for all layers is repeated for each."""
        space, params = self.search_space, flat(start.params)
        if "units" in params:
            layers = params.get("layers", None if "layers" in space.dimensions else space.base["layers"])
            widths = [name for name in space.names() if name.startswith("units_")]
            params |= dict.fromkeys(widths if layers is None else widths[: int(layers)], params["units"])
        return {name: value for name, value in params.items() if name in space.names()}

    def with_sampler_chosen(self, before: Recipe | None) -> Recipe:
        """Return this recipe with ``search.chosen`` set to the sampler that ``auto`` chooses.

        The choice is made when a study begins, and stays the same if the number of trials changes later. Trial ``n`` of
        a grid search is configuration ``n`` of the grid: a study that became a grid search later would skip some.

        Args:
            before: The recipe of the study's last run; ``None`` if the study begins.
        """
        grid = self.budget_covers_grid if before is None else before.sampler == "grid"
        chosen = None if self.search.sampler != "auto" else "grid" if grid else "tpe"
        return self.model_copy(update={"search": self.search.model_copy(update={"chosen": chosen})})

    def changed(self, **tables: Mapping[str, object]) -> Recipe:
        """Return a copy in which some settings are replaced, validated like a file.

        A value of ``None`` leaves the setting as it is.

        >>> recipe.changed(budget={"trials": 12}, search={"sampler": "random"})  # doctest: +SKIP

        Raises:
            RecipeError: If a value is not possible.
        """
        raw = self.model_dump(mode="json")
        for table, settings in tables.items():
            new = {name: value for name, value in settings.items() if value is not None}
            raw = {**raw, **new} if table == "recipe" else {**raw, table: {**raw[table], **new}}
        return parse_recipe(raw, "the command line")


def parse_recipe(raw: Mapping[str, object], source: str) -> Recipe:
    """Validate the tables of a TOML file or of a study's snapshot.

    Args:
        raw: The parsed tables.
        source: Name of the file, for messages.

    Raises:
        RecipeError: If something is wrong. The message names file, key and value, the hint the most similar valid name.
    """
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise explain(error, Recipe, source) from None
    except RecipeError as error:
        raise RecipeError(f"{error} ({source})", hint=error.hint) from None
