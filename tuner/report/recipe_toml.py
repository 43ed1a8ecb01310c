"""Writes the search for a table as a TOML file, with every column and what is in it."""

from __future__ import annotations

from typing import Any

import tomlkit
from tomlkit.items import Table as TomlTable

from tuner.config.recipe import Recipe
from tuner.printable import escaped
from tuner.tables.schema import ColumnSchema, TableSchema

_KINDS = {"code": "number"}  # kinds that are read as another one that an override can name


def recipe_toml(recipe: Recipe, schema: TableSchema, data: str) -> str:
    """Return a recipe for a table as TOML. The columns are spelled out, with a comment each.

    Args:
        recipe: The recipe.
        schema: What is in the columns.
        data: The path of the file, as it is written into the recipe.
    """
    raw = recipe.model_dump(mode="json", exclude_defaults=True)
    document = tomlkit.document()
    for name in ("name", "description"):
        document.add(name, raw[name])
    document.add("data", data)
    document.add("task", raw.get("task", "auto"))
    document.add("validation", recipe.validation)
    document.add("table", _table(recipe, schema))
    for name in ("objective", "budget", "search"):
        if raw.get(name):
            document.add(name, _plain(raw[name]))
    space = tomlkit.table()
    for name, entry in recipe.model_dump(mode="json")["space"].items():
        space.add(name, _inline(_ordered(entry)) if isinstance(entry, dict) else entry)
    document.add("space", space)
    starts = tomlkit.aot()
    for start in raw.get("start", ()):
        item = tomlkit.table()
        item.add("label", start["label"])
        item.add("params", _inline(start["params"]))
        starts.append(item)
    if starts:
        document.add("start", starts)
    return tomlkit.dumps(document)


def _table(recipe: Recipe, schema: TableSchema) -> TomlTable:
    settings = recipe.table
    assert settings is not None  # noqa: S101 - the recipe of a table
    table = tomlkit.table()
    table.add("target", settings.target)
    left_out = [column for column in schema.columns if column.role == "left out"]
    if left_out:
        names = tomlkit.array()
        for column in left_out:
            names.add_line(column.name, comment=column.reason)
        names.add_line(indent="")
        table.add("drop", names)
    for name, value in settings.given.items():
        if name not in {"target", "drop", "columns"}:
            table.add(name, value)
    kinds = tomlkit.table()
    for column in schema.columns:
        if column.role == "feature":
            kinds.add(column.name, _override(column))
            kinds[column.name].comment(escaped(_described(column)))
    table.add("columns", kinds)
    return table


def _override(column: ColumnSchema) -> str:
    if column.kind == "date" and column.date_format:
        return f"date:{column.date_format}"
    if column.kind in {"number", "code"} and column.written and column.written.decimal == ",":
        return "number:,"
    return _KINDS.get(column.kind, column.kind)


def _described(column: ColumnSchema) -> str:
    """Return what is in a column: its range or its values, and how many are missing."""
    parts = []
    if column.minimum is not None and column.maximum is not None:
        parts.append(f"{column.minimum:g} to {column.maximum:g}")
    elif column.common:
        more = ", …" if column.distinct > len(column.common) else ""
        parts.append(f"{column.distinct:,} values: " + ", ".join(name for name, _ in column.common) + more)
    if column.missing:
        parts.append(f"{column.missing:,} missing")
    return "; ".join(parts)


def _plain(values: dict[str, Any]) -> TomlTable:
    table = tomlkit.table()
    for name, value in values.items():
        if value is not None:
            table.add(name, value)
    return table


def _ordered(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a dimension with its type first and its condition last."""
    return {"type": entry["type"], **{name: value for name, value in entry.items() if name not in {"type", "when"}},
            "when": entry["when"]}  # fmt: skip


def _inline(values: dict[str, Any]) -> Any:
    """Return a table on one line, without what says nothing: no logarithm, no condition, a step of 1."""
    table = tomlkit.inline_table()
    nothing: tuple[object, ...] = (None, {}, ("log", False), ("step", 1))
    table.update({n: value for n, value in values.items() if value not in nothing and (n, value) not in nothing})
    return table
