"""Decides with which settings a run joins a study that other runs are working on."""

from __future__ import annotations

from collections.abc import Sequence

from tuner_storage.owner import describe_owners

from tuner.command_line import command
from tuner.config.recipe import Recipe, parse_recipe
from tuner.errors import RunError
from tuner.run.refusal import Overrides

# All runs of a study must agree about what ends it and what follows, else each would wait for what others never do.
COMMON = {"budget": ("trials", "target", "plateau"), "winner": ("confirm", "seeds", "refit", "ensemble")}


def joining(recipe: Recipe, before: Recipe, overrides: Overrides, name: str, owners: Sequence[str]) -> Recipe:
    """Return the recipe with what the runs of a study have in common.

    Args:
        recipe: The recipe of the run that joins.
        before: The recipe of the runs that are there.
        overrides: The settings of this run alone, by table: see :meth:`tuner.config.recipe.Recipe.changed`.
        name: The study.
        owners: The runs that are there, the first one first.

    Raises:
        RunError: If the settings of this run say something else.
    """
    raw, old = recipe.model_dump(mode="json"), before.model_dump(mode="json")
    for table, settings in COMMON.items():
        for setting in settings:
            now, then = raw[table][setting], old[table][setting]
            if now != then and overrides.get(table, {}).get(setting) is not None:
                raise RunError(
                    f"study '{name}' is being run by {describe_owners(owners)} with {setting} {_shown(then)},"
                    f" not {_shown(now)}",
                    hint=f"leave that setting out to join, or stop the study first: {command('study stop', name)}",
                )
            raw[table][setting] = then
    return parse_recipe(raw, "the command line")


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
