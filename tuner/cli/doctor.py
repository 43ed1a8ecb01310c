"""The command ``tuner doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli import common, output
from tuner.command_line import command

if TYPE_CHECKING:
    from tuner.doctor import Examination

_STYLES = {"ok": "green", "warning": "yellow", "problem": "red"}
_MAX_CASES = 10  # shown per check


@click.command()
@click.option("--fix", is_flag=True, help="Remove files that belong to no study, and rows that refer to nothing.")
@click.option("--quick", is_flag=True, help="Skip the slow checks: the checksums of the models, and the GPU.")
@common.as_json
@common.data_dir
@common.storage_options
@click.pass_context
def doctor(
    ctx: click.Context,
    *,
    fix: bool,
    quick: bool,
    as_json: bool,
    data_dir: Path | None,
    home: Path | None,
    storage: str | None,
) -> None:
    """Check database, models, data, devices and versions.

    Changes nothing without --fix, and never a study that is running. The exit code is 1 if there is a problem.
    """
    from tuner_storage import locate

    from tuner.doctor import examine

    examination = examine(locate(storage, home), data_dir, quick=quick, fix=fix)
    if as_json:
        output.print_json(examination.as_json())
    else:
        _print(examination)
        _print_next(examination)
    ctx.exit(1 if examination.problems else 0)


def _print(examination: Examination) -> None:
    """Print one row per check, and what was removed."""
    from rich.text import Text

    from tuner.report.tables import new_table

    table = new_table()
    table.add_column("check")
    table.add_column("result")
    table.add_column("details", overflow="fold")
    for check in examination.checks:
        lines = [check.message]
        if check.status != "ok":
            lines += [f"  {case}" for case in check.cases[:_MAX_CASES]]
            more = len(check.cases) - _MAX_CASES
            lines += [f"  and {more} more: --json lists all"] if more > 0 else []
            lines += [f"Hint: {check.hint}"] if check.hint else []
        table.add_row(check.name, Text(check.status, style=_STYLES[check.status]), "\n".join(lines))
    output.print_rich(table)
    for line in examination.removed:
        output.err(f"removed {line}")


def _print_next(examination: Examination) -> None:
    fix = command("doctor", fix=True)
    if any(check.hint == fix for check in examination.checks):
        output.print_next((fix, "remove what belongs to no study"))
    else:
        output.print_next(
            (command("storage backup", "copy.db"), "copy the database"), (command("study list"), "list the studies")
        )
