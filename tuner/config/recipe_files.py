"""Reads recipes: built-in and registered searches, TOML files, and the default search for a user's data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tuner_search_spaces

from tuner.config.checks import check_new
from tuner.config.data_files import is_data_file
from tuner.config.recipe import Recipe, parse_recipe
from tuner.config.texts import check_texts
from tuner.documents import parse_toml
from tuner.errors import RecipeError
from tuner.memory import read_text
from tuner.paths import StrPath, user_path

_LARGEST = 2**20  # bytes of a TOML file


def load_recipe(search: StrPath) -> Recipe:
    """Load the recipe of a built-in or registered search, or of a TOML file.

    Raises:
        RecipeError: If there is no such search, the file is not TOML, or a setting is wrong.
    """
    path = tuner_search_spaces.find(os.fspath(search))
    return check_recipe(read_search(search), path.name)


def read_search(search: StrPath) -> dict[str, Any]:
    """Return the tables of a built-in or registered search, or of a TOML file, with its name and with absolute paths.

    Raises:
        RecipeError: If there is no such search, or the file is not TOML.
    """
    search = os.fspath(search)
    path = tuner_search_spaces.find(search)
    raw = read_recipe_file(path)
    _make_absolute(raw, "data", path.parent)
    if isinstance(table := raw.get("table"), dict):
        _make_absolute(table, "test", path.parent)
    return {"name": path.stem if search.endswith(".toml") else search, **raw}


def check_recipe(raw: Mapping[str, object], source: str) -> Recipe:
    """Validate the tables of a recipe that was just written, more strictly than :func:`parse_recipe`.

    Args:
        raw: The tables.
        source: Name of the file, for messages.

    Raises:
        RecipeError: If a setting is wrong, or cannot be meant.
    """
    recipe = parse_recipe(raw, source)
    try:
        check_new(recipe.space, recipe.start, recipe.search_space)
    except RecipeError as error:
        raise RecipeError(f"{error} ({source})", hint=error.hint) from None
    check_texts(recipe.model_dump(), source)
    return recipe


def _make_absolute(table: dict[str, Any], name: str, folder: Path) -> None:
    """Make the path of a data file absolute; in a TOML file, it is relative to the folder of that file."""
    if is_data_file(value := table.get(name)):
        table[name] = str((folder / user_path(value)).resolve())


def default_recipe(data: StrPath, *, rows: int, images: bool) -> Recipe:
    """Return the default search for a user's data, named after the file.

    Args:
        data: Path of the file.
        rows: Number of training rows.
        images: Whether the inputs are pixels in two or more axes.
    """
    path = user_path(data)
    template = tuner_search_spaces.default(rows=rows, images=images)
    recipe = parse_recipe(
        {"name": path.stem, "data": str(path.absolute()), **read_recipe_file(template)}, template.name
    )
    check_texts(recipe.model_dump(), template.name)
    return recipe


def read_recipe_file(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        RecipeError: If the file is not TOML.
    """
    try:
        return parse_toml(read_text(path, _LARGEST, encoding="utf-8-sig"))  # some editors write a byte order mark
    except ValueError as error:  # invalid TOML or UTF-8
        raise RecipeError(
            f"{path.name} is not TOML: {error}", hint="`tuner space show digits` shows a complete file"
        ) from None
