"""A whole search as validated data: data set, task, objective, budget, sampler, pruner, space and first trials."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

import search_spaces
from tuner.config.hyperparameters import DEFAULTS, PER_LAYER, Hyperparameters
from tuner.config.objectives import Objective, with_objective
from tuner.config.parsing import contains, flat, parse_entry
from tuner.config.space import AnyDimension, SearchSpace
from tuner.config.tables import Budget, SamplerName, Search, Start, Table, Winner
from tuner.config.validation_messages import explain
from tuner.errors import RecipeError
from tuner.records import ParamValue

MAX_GRID = 100_000


class Recipe(Table):
    """A whole search. ``validation`` is a share of the training rows when below 1, else a number of rows.

    They are drawn at random with ``split_seed``, or are the ``last`` ones of the data set.
    """

    name: str = Field(min_length=1)
    description: str = ""
    data: str = Field(min_length=1)
    task: Literal["classification"] = "classification"
    validation: float = Field(default=0.2, gt=0)
    split_seed: Annotated[int, Field(ge=0)] | Literal["last"] = 0
    objective: Objective = Objective()
    budget: Budget = Budget()
    search: Search = Search()
    winner: Winner = Winner()
    space: dict[str, Any]
    start: tuple[Start, ...] = ()

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
        _ = self.search_space  # conditions that cannot hold are found here, before any trial
        for start in self.start:
            for name, value in flat(start.params).items():
                dimension = self.search_space.dimensions.get(re.sub(r"_\d+$", "", name))
                if dimension is None or not contains(dimension, value):
                    raise ValueError(f"start '{start.label}': {name} = {value!r} is not in [space]")
            try:
                self.hyperparameters(flat(start.params))
            except ValidationError as error:
                raise explain(error, Hyperparameters, f"start '{start.label}'") from None
        return self

    @model_validator(mode="after")
    def _one_number_of_layers(self) -> Self:
        if isinstance(self.space.get("units"), list | tuple) and "layers" in self.space:
            raise ValueError("a list of `units` says how many layers there are: leave `layers` out, or give one width")
        return self

    @model_validator(mode="after")
    def _grid_is_finite(self) -> Self:
        if self.search.sampler == "grid":
            _ = self.grid
        return self

    @model_validator(mode="after")
    def _several_objectives(self) -> Self:
        if self.objective.several:
            what = f"with the objectives {', '.join(self.objective.names)}"
            if self.search.sampler == "cmaes":
                raise RecipeError(f"sampler 'cmaes' does not work {what}", hint="use --sampler tpe, gp or nsga2")
            if self.search.pruner == "optuna-hyperband":
                raise RecipeError(f"pruner 'optuna-hyperband' does not work {what}", hint="use --pruner hyperband")
        return self

    @cached_property
    def search_space(self) -> SearchSpace:
        """The space to draw from."""
        dimensions = {name: entry for name, entry in self.space.items() if isinstance(entry, AnyDimension)}
        fixed = flat({name: entry for name, entry in self.space.items() if name not in dimensions})
        return SearchSpace(dimensions, fixed=fixed, defaults=DEFAULTS, per=PER_LAYER)

    @cached_property
    def grid(self) -> tuple[dict[str, ParamValue], ...]:
        """The start configurations, then every other configuration of the space.

        Raises:
            RecipeError: If a dimension has infinitely many values, or the grid is too large to hold.
        """
        grid = list(itertools.islice(self.search_space.grid(), MAX_GRID + 1))
        if len(grid) > MAX_GRID:
            raise RecipeError(
                f"the grid has more than {MAX_GRID} configurations", hint="use larger steps, or --sampler tpe"
            )
        starts = [flat(start.params) for start in self.start]
        return (*starts, *(params for params in grid if params not in starts))

    @cached_property
    def exhaustible(self) -> bool:
        """Whether the trials suffice for every configuration of the space."""
        trials = self.budget.trials
        return self.search_space.fits(min(trials, MAX_GRID)) and len(self.grid) <= trials

    @property
    def sampler(self) -> SamplerName:
        """Who proposes configurations: what ``auto`` stands for, else the sampler that is named.

        Where the trials suffice for every configuration, nothing is gained by guessing which are good.
        """
        if self.search.sampler != "auto":
            return self.search.sampler
        return self.search.chosen or ("grid" if self.exhaustible else "tpe")

    @property
    def trials(self) -> int:
        """How many trials there can be: the budget, or the size of the grid when that is smaller."""
        return self.room(0)

    def room(self, refused: int) -> int:
        """Return how many trials there can be where so many configurations were refused, which are no trials."""
        return min(self.budget.trials, len(self.grid) - refused) if self.sampler == "grid" else self.budget.trials

    def hyperparameters(self, params: Mapping[str, ParamValue]) -> Hyperparameters:
        """Complete drawn ``params`` with the fixed values and the defaults."""
        return Hyperparameters.from_params({**self.search_space.fixed, **params})

    def start_params(self, number: int) -> dict[str, ParamValue] | None:
        """Return what trial ``number`` starts with, or ``None`` where the sampler decides."""
        return flat(self.start[number].params) if number < len(self.start) else None

    def continuing(self, before: Recipe) -> Recipe:
        """Return this recipe with what a study began with and must keep for its trials to be comparable."""
        same = self.objective.metric == before.objective.metric and not self.objective.several
        own = [start for start in self.start if start.origin is None]
        starts = [*own, *(start for start in before.start if start.origin is not None)]
        return self.changed(
            recipe={
                "validation": before.validation,
                "start": [start.model_dump(mode="json") for start in starts],
            },
            budget={"epochs": before.budget.epochs, "max_parameters": before.budget.max_parameters},
            search=before.search.model_dump(mode="json"),
            objective=before.objective.model_dump(mode="json") if same else {},
        )

    def with_sampler_chosen(self, before: Recipe | None) -> Recipe:
        """Return this recipe with what ``auto`` stands for written down.

        A study that goes on stays a grid, or stays none, however many trials it is given now: trial ``n`` of a grid is
        its configuration ``n``, so one that became a grid later would never try those before.

        Args:
            before: What the study ran with last; ``None`` where it begins.
        """
        grid = self.exhaustible if before is None else before.sampler == "grid"
        chosen = None if self.search.sampler != "auto" else "grid" if grid else "tpe"
        return self.model_copy(update={"search": self.search.model_copy(update={"chosen": chosen})})

    def changed(self, **tables: Mapping[str, object]) -> Recipe:
        """Return a copy with some settings replaced, validated again; ``None`` leaves a setting as it is.

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
    """Validate what a TOML file or a snapshot holds.

    Args:
        raw: The parsed tables.
        source: The file's name, for messages.

    Raises:
        RecipeError: Naming the file, the key, the value and the nearest correct name.
    """
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise explain(error, Recipe, source) from None
    except RecipeError as error:
        raise RecipeError(f"{error} ({source})", hint=error.hint) from None


def load_recipe(search: str) -> Recipe:
    """Load a search by its name or from a TOML file.

    Raises:
        RecipeError: If there is no such search, the file is no TOML, or a setting is wrong.
    """
    path = search_spaces.find(search)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin a file with a byte order mark
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path.name} is not TOML: {error}", hint="see `tuner space show digits` for one") from None
    data = raw.get("data")
    if isinstance(data, str) and data.endswith(".npz"):
        raw["data"] = str((Path(path).parent / data).resolve())  # relative to the file that names it
    name = path.stem if search.endswith(".toml") else search
    return parse_recipe({"name": name, **raw}, path.name)
