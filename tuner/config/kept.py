"""The settings that a study keeps when it is continued: the one list of them, and how they are carried over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tuner.config.objectives import Objective
from tuner.config.recipe import Recipe, parse_recipe
from tuner.config.table_settings import TableSettings


@dataclass(frozen=True, slots=True)
class KeptSetting:
    """One setting that a study keeps.

    Attributes:
        name: Its name in the recipe.
        table: The table that holds it; ``recipe`` for a setting outside of tables.
        option: The option of ``tuner study start`` that sets it, if there is one.
        fixed: Whether it cannot change once the study has a trial, because trials could not be compared.
    """

    name: str
    table: Literal["recipe", "budget", "search"]
    option: str | None
    fixed: bool = False

    def of(self, recipe: Recipe) -> Any:
        """Return the value in a recipe."""
        value = getattr(recipe if self.table == "recipe" else getattr(recipe, self.table), self.name)
        if isinstance(value, TableSettings) and isinstance(value.test, str):
            return value.model_copy(update={"test": None})  # the file may move: its rows are in the fingerprint
        return value

    def shown(self, recipe: Recipe) -> str:
        """Return the value for people."""
        value = self.of(recipe)
        if self.name == "objective":
            return ", ".join(recipe.objective.names)
        if self.name == "space":
            return ", ".join(recipe.search_space.dimensions) or "everything is fixed"
        if self.name == "sampler":
            return recipe.search.shown
        if isinstance(value, TableSettings):
            return ", ".join(f"{name} {setting}" for name, setting in value.given.items())
        if isinstance(value, tuple):
            return ", ".join(value) or "none"
        return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    def difference(self, before: Recipe, now: Recipe) -> str:
        """Return how two recipes differ in this setting, for people."""
        if self.name != "space":
            return f"{self.shown(before)} then, {self.shown(now)} now"
        names = {**before.space, **now.space}
        return ", ".join(name for name in names if before.space.get(name) != now.space.get(name))

    def is_open(self, recipe: Recipe) -> bool:
        """Return whether a recipe leaves the setting to the study that exists."""
        return self.name == "precision" and recipe.precision == "auto"

    def is_set_by(self, overrides: Mapping[str, Mapping[str, object]]) -> bool:
        """Return whether the settings of a run set it: see :meth:`tuner.config.recipe.Recipe.changed`."""
        if self.name == "objective":
            return bool(overrides.get("objective"))
        return overrides.get(self.table, {}).get(self.name) is not None


KEPT = (
    KeptSetting("table", "recipe", None, fixed=True),
    KeptSetting("validation", "recipe", "--validation", fixed=True),
    KeptSetting("split_seed", "recipe", None, fixed=True),
    KeptSetting("precision", "recipe", "--precision", fixed=True),
    KeptSetting("objective", "recipe", "--objectives", fixed=True),
    KeptSetting("space", "recipe", None, fixed=True),
    KeptSetting("learn_from", "search", "--from", fixed=True),
    KeptSetting("epochs", "budget", "--epochs"),
    KeptSetting("max_parameters", "budget", "--max-parameters"),
    KeptSetting("sampler", "search", "--sampler"),
    KeptSetting("pruner", "search", "--pruner"),
    KeptSetting("threshold", "search", "--threshold"),
    KeptSetting("seed", "search", "--seed"),
)
"""All settings that a study keeps. It keeps its data too: they are known by the fingerprint of their rows."""


class Continued(NamedTuple):
    """The recipe with which a study goes on, and the settings of the search that were not taken."""

    recipe: Recipe
    not_taken: tuple[KeptSetting, ...]


def continuing(recipe: Recipe, before: Recipe, overrides: Mapping[str, Mapping[str, object]]) -> Continued:
    """Return a recipe with the settings that the study keeps.

    Settings of this run replace what the study kept. The other settings of ``KEPT`` are those of ``before``. Two are
    left as they are, and :func:`changed_settings` finds the difference: a fixed setting without an option, and an
    objective of another metric or several objectives, because a file with these is another search.

    Start configurations are those of ``recipe`` and those from earlier studies. A grid search keeps all of them,
    because they decide the order of the grid.

    Args:
        recipe: The search as it is now, with the settings of this run.
        before: The recipe of the study's last run.
        overrides: The settings of this run alone, by table: see :meth:`tuner.config.recipe.Recipe.changed`.

    Raises:
        RecipeError: If the settings of this run do not fit to what the study keeps.
    """
    raw, old = recipe.model_dump(mode="json"), before.model_dump(mode="json")
    not_taken = []
    for setting in KEPT:
        is_set = setting.is_set_by(overrides) and not setting.is_open(recipe)
        if is_set or (setting.fixed and setting.option is None):
            continue
        if setting.name == "objective" and not _may_keep(recipe.objective, before.objective):
            continue
        now, then = (tables if setting.table == "recipe" else tables[setting.table] for tables in (raw, old))
        if now[setting.name] != then[setting.name] and not setting.is_open(recipe):
            not_taken.append(setting)
        now[setting.name] = then[setting.name]
    own = [start for start in raw["start"] if start["origin"] is None]
    earlier = [start for start in old["start"] if start["origin"] is not None]
    raw["start"] = old["start"] if before.sampler == "grid" else [*own, *earlier]
    return Continued(parse_recipe(raw, "the command line"), tuple(not_taken))


def _may_keep(objective: Objective, before: Objective) -> bool:
    """Return whether a study goes on with its objectives if its search has ``objective``."""
    return objective.metric == before.metric and not objective.several


def changed_settings(recipe: Recipe, before: Recipe) -> list[KeptSetting]:
    """Return the fixed settings in which two recipes differ."""
    fixed = [setting for setting in KEPT if setting.fixed and not setting.is_open(recipe)]
    return [setting for setting in fixed if setting.of(recipe) != setting.of(before)]


def describe_not_taken(name: str, recipe: Recipe, before: Recipe, not_taken: Sequence[KeptSetting]) -> str:
    """Return one line about the settings of a search that a study did not take.

    Args:
        name: The study.
        recipe: The search as it is now.
        before: The recipe of the study's last run.
        not_taken: These settings.
    """
    kept = ", ".join(f"{setting.name} {setting.shown(before)} (not {setting.shown(recipe)})" for setting in not_taken)
    options = " ".join(setting.option for setting in not_taken if setting.option and not setting.fixed)
    return f"study '{name}' keeps {kept}" + (f"; to change it, give {options}" if options else "")
