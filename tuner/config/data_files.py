"""The names of data files."""

from __future__ import annotations

from typing import TypeGuard

TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
DATA_FILES = (".npz", *TABLES)


def is_data_file(name: object) -> TypeGuard[str]:
    """Return whether a value is the path of a user's data file, by its suffix."""
    return isinstance(name, str) and name.lower().endswith(DATA_FILES)


def is_table(name: object) -> TypeGuard[str]:
    """Return whether a value is the path of a table, by its suffix."""
    return isinstance(name, str) and name.lower().endswith(TABLES)
