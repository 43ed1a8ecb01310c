"""The command ``tuner data inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from tuner.cli import common, output, table_options
from tuner.command_line import command

_LARGE = 20 * 10**6  # bytes; reading more takes a second or longer


@click.command("inspect")
@click.argument("file", type=common.UserPath(), help="A table: .csv, .tsv, .csv.gz, .tsv.gz or .parquet.")
@table_options.target_option
@table_options.column_option
@table_options.drop_option
@table_options.header_option
@common.as_json
def inspect_command(
    *, file: Path, target: str | None, kinds: dict[str, str], drop: tuple[str, ...], header: bool | None, as_json: bool
) -> None:  # fmt: skip
    """Say what is in each column of a table.

    Prints how the file is written, the type of each column, its missing and distinct values and what becomes of it, and
    warns of what may spoil a model. Nothing is trained.
    """
    from tuner.tables.inspection import inspect_table
    from tuner.tables.reading import read_table

    if file.is_file() and file.stat().st_size > _LARGE:
        output.err(f"reading {file}")
    schema = inspect_table(read_table(file, header=header), target, kinds, drop).schema
    if as_json:
        output.print_json(schema.model_dump(mode="json"))
        return
    from tuner.report.columns import columns_table, remarks_table, summary

    output.out(summary(schema))
    output.print_rich(columns_table(schema))
    if schema.notes or schema.warnings:
        output.print_rich(remarks_table(schema))
    features = [column.name for column in schema.columns if column.role == "feature"]
    if target is None and features:  # the last column often is the target
        suggested = command("data inspect", file, target=features[-1])
        output.print_next((suggested, "see what would be predicted, and what gives it away"))
