"""The default search for a table, which is a file or a frame of polars or pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tuner_storage import Location

from tuner import studies
from tuner.command_line import command
from tuner.config.recipe import Recipe, TaskSetting
from tuner.config.table_recipe import table_recipe
from tuner.config.table_settings import TableSettings, table_settings
from tuner.data.lookup import load_frame, load_table_file
from tuner.errors import UsageError
from tuner.paths import user_path
from tuner.tables.schema import TableSchema

if TYPE_CHECKING:
    from tuner.data.table_dataset import TableDataset

FRAME_NAME = "frame"  # of the study of a frame, unless the user names it


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What a user says about a table beside its file. What is ``None`` is as the study has it.

    The attributes are those of :class:`~tuner.config.table_settings.TableSettings`, and the task.
    """

    target: str | None = None
    task: TaskSetting | None = None
    columns: Mapping[str, str] | None = None
    drop: Sequence[str] | None = None
    header: bool | None = None
    test: float | str | None = None
    group: str | None = None
    time: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The settings that are not ``None``, without the task."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "task"}
        return {name: value for name, value in values.items() if value is not None}


class TableSearch(NamedTuple):
    """The study of a table that is to be opened."""

    name: str
    recipe: Recipe
    data: TableDataset


def table_search(
    location: Location, table: Any, name: str | None, data_dir: Path | None, options: TableOptions
) -> TableSearch:
    """Return the default search for a table. A study of this name goes on with its own recipe.

    Args:
        location: The database, where there may be such a study.
        table: The path of a file, or a frame.
        name: Name of the study; ``None`` takes that of the file.
        data_dir: Folder that is searched for the file.
        options: What the user says about the table.

    Raises:
        DataError: If the table is missing or cannot be used.
        UsageError: If there is no target, the table has no column that the options name, or ``name`` cannot be the name
            of a study.
    """
    is_file = isinstance(table, str)
    name = studies.check_name(name or (user_path(table).name.partition(".")[0] if is_file else FRAME_NAME))
    known, before = studies.known_data(location, name), studies.recipe_of(location, name)
    stored = None if before is None or known is None else before.table
    if stored is None and options.target is None:
        raise _no_target(table if is_file else None)
    settings = table_settings({**({} if stored is None else stored.model_dump()), **options.given})
    task = options.task or (before.task if before is not None and stored is not None else "auto")
    if is_file:
        data = load_table_file(table, settings, task, data_dir, fingerprint=known.fingerprint if known else None)
    else:
        data = load_frame(table, settings, task, name)
    if before is not None and known is not None and known.fingerprint == data.fingerprint:
        return TableSearch(name, before.model_copy(update={"data": data.source}), data)
    return TableSearch(name, _default_recipe(name, data, settings, task), data)


class NewTableSearch(NamedTuple):
    """The default search for a table, and what is in its columns."""

    recipe: Recipe
    schema: TableSchema


def new_table_search(file: str, options: TableOptions) -> NewTableSearch:
    """Return the default search for a table, whatever studies there are.

    Raises:
        DataError: If the file is missing, is no table or cannot be used.
        UsageError: If there is no target, or the table has no column that the options name.
    """
    if options.target is None:
        raise _no_target(file)
    settings, task = table_settings(options.given), options.task or "auto"
    data = load_table_file(file, settings, task)
    name = user_path(file).name.partition(".")[0]
    return NewTableSearch(_default_recipe(name, data, settings, task), data.schema)


def _default_recipe(name: str, data: TableDataset, settings: TableSettings, task: TaskSetting) -> Recipe:
    table = settings.model_dump(mode="json")
    return completed({"name": name, "data": data.source, "task": task, "table": table}, data)


def completed(raw: Mapping[str, Any], data: TableDataset, source: str = "the default search") -> Recipe:
    """Return the recipe of a search that names only a table.

    Args:
        raw: Its tables.
        data: The table.
        source: Name of the file, for messages.

    Raises:
        RecipeError: If a setting is wrong.
    """
    task = data.task
    classes = task.loss == "cross_entropy"
    return table_recipe(
        raw, metric=task.objective, classes=classes, rows=data.train_rows, skewed=data.target.is_skewed, source=source
    )


def _no_target(file: str | None) -> UsageError:
    if file is None:
        return UsageError("which column of the frame is to be predicted?", hint='name it: target="price"')
    return UsageError(
        f"which column of {file} is to be predicted?",
        hint=f"name it with --target; `{command('data inspect', file)}` shows all columns",
    )
