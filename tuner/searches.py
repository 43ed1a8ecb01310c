"""Finds what a user means by a search: a built-in one, a TOML file, a data file, a frame, or a study that exists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import tuner_search_spaces
from tuner_storage import Location

from tuner import studies
from tuner.config.data_files import DATA_FILES, is_data_file, is_table
from tuner.config.recipe import Recipe
from tuner.config.recipe_files import default_recipe, load_recipe, read_search
from tuner.config.table_recipe import is_incomplete, table_recipe
from tuner.config.table_settings import table_settings
from tuner.data.dataset import Dataset
from tuner.data.lookup import is_at_hand, load_dataset, load_table_file
from tuner.errors import RecipeError, UsageError, did_you_mean
from tuner.paths import StrPath, user_path
from tuner.table_search import TableOptions, completed, table_search

if TYPE_CHECKING:
    from tuner.data.table_dataset import TableDataset


_USUAL_ROWS = 10_000  # of a table that is not on this machine


class Resolved(NamedTuple):
    """A study that is to be opened: its name, its recipe, and its data if they were read already."""

    name: str
    recipe: Recipe
    data: Dataset | TableDataset | None = None


def resolve(
    location: Location,
    search: Any,
    name: str | None,
    data_dir: Path | None = None,
    options: TableOptions | None = None,
) -> Resolved:
    """Return the study's name and the recipe of a search. Creates nothing.

    Args:
        location: The database, where ``search`` may be a study.
        search: A built-in search, a TOML file, a data file, the name of a study that exists, or a frame of polars or
            pandas.
        name: Name of the study; ``None`` takes the recipe's.
        data_dir: Folder that is searched for a data file.
        options: What the user says about a table.

    Raises:
        RecipeError: If there is no such search, or its recipe is wrong.
        DataError: If a data file is missing or damaged.
        UsageError: If ``name`` cannot be the name of a study, or a table has no column that the options name.
    """
    if not isinstance(search, str) or is_table(search):
        found = table_search(location, search, name, data_dir, options or TableOptions())
        return Resolved(found.name, found.recipe, found.data)
    if options is not None and options != TableOptions():
        raise UsageError(
            f"'{search}' is no file of a table, so it has no columns to name",
            hint="the options for tables go with a file such as houses.csv; in a TOML file, write [table]",
        )
    if search.endswith(".toml") or search in tuner_search_spaces.names():
        recipe, data = load_search(search, data_dir)
        return Resolved(studies.check_name(recipe.name if name is None else name), recipe, data)
    stored_recipe = studies.recipe_of(location, search)
    if stored_recipe is not None:
        return Resolved(search if name is None else studies.check_name(name), stored_recipe)
    if is_data_file(search):
        return _default_search(location, search, name, data_dir)
    raise RecipeError(f"there is no search or study '{search}'", hint=_hint(location, search))


class LoadedSearch(NamedTuple):
    """A recipe, and its data if they had to be read to complete it."""

    recipe: Recipe
    data: TableDataset | None = None


def load_search(search: StrPath, data_dir: Path | None = None, *, download: bool = True) -> LoadedSearch:
    """Load a built-in or registered search, or a TOML file. Without ``[space]``, a table gets its default search.

    Args:
        search: The search.
        data_dir: Folder that is searched first for its data.
        download: Whether a table may be downloaded to complete the search. If it may not and is not on this machine,
            the search is completed as for 10,000 rows with a numeric target.

    Raises:
        RecipeError: If there is no such search, the file is not TOML, or a setting is wrong.
        DataError: If the search is incomplete and its table is missing, or cannot be used.
        UsageError: If the table has no column that the search names.
    """
    raw = read_search(search)
    if not is_incomplete(raw):
        return LoadedSearch(load_recipe(search))
    name, source = str(raw.get("data")), Path(search).name
    if not download and not is_at_hand(name, data_dir):
        return LoadedSearch(table_recipe(raw, metric="val_rmse", classes=False, rows=_USUAL_ROWS, source=source))
    data = load_table_file(name, table_settings(raw["table"]), raw.get("task", "auto"), data_dir)
    return LoadedSearch(completed(raw, data, source=source), data)


def _hint(location: Location, search: str) -> str | None:
    """Return what ``search`` may have meant: a file whose suffix was left out, a built-in search, or a study."""
    if user_path(search).is_file():
        return f"a data set is a table or an .npz file: its name ends with {', '.join(DATA_FILES)}"
    for file in (search + suffix for suffix in (".toml", *DATA_FILES)):
        if search and user_path(file).is_file():
            return f"did you mean '{file}'?"
    return did_you_mean(search, [*tuner_search_spaces.names(), *studies.names(location)])


def _default_search(location: Location, file: str, name: str | None, data_dir: Path | None) -> Resolved:
    """Return the default search for a data file. A study of the same rows goes on with its own recipe."""
    data = load_dataset(file, data_dir)
    images = data.input_dtype == "uint8" and len(data.input_shape) > 1
    recipe = default_recipe(data.source, rows=len(data.x_train), images=images)
    name = studies.check_name(recipe.name if name is None else name)
    known, before = studies.known_data(location, name), studies.recipe_of(location, name)
    if before is not None and known is not None and known.fingerprint == data.fingerprint:
        recipe = before.model_copy(update={"data": recipe.data})
    return Resolved(name, recipe, data)
