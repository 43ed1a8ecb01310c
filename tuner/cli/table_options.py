"""The options that describe the columns of a table, for all commands that read one."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tuner.errors import UsageError


def _split(_context: click.Context, _option: click.Parameter, overrides: Sequence[str]) -> dict[str, str]:
    """Return the kind of each column from texts ``NAME=KIND``; a name may hold ``=``."""
    kinds = {}
    for override in overrides:
        name, equals, kind = override.rpartition("=")
        if not equals:
            raise UsageError(f"--column needs NAME=KIND, got '{override}'", hint="for example --column zip=category")
        kinds[name] = kind
    return kinds


target_option = click.option("--target", metavar="COLUMN", help="The column to predict.")
column_option = click.option(
    "--column",
    "kinds",
    multiple=True,
    metavar="NAME=KIND",
    callback=_split,
    help="What a column holds: number, boolean, category, date, text or identifier; also date:FORMAT, or number:, for "
    "decimal commas. Can be repeated.",
)
drop_option = click.option("--drop", multiple=True, metavar="NAME", help="A column to leave out. Can be repeated.")
header_option = click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first line of a CSV file holds names.  [default: found out]",
)
task_option = click.option(
    "--task",
    type=click.Choice(["auto", "regression", "classification"]),
    help="Predict a number or a class.  [default: auto, by the values of the target]",
)
