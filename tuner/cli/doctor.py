"""``tuner doctor``: is everything in order?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli import common

if TYPE_CHECKING:
    from tuner.doctor import Examination

_STYLES = {"ok": "green", "warning": "yellow", "problem": "red"}
_SHOWN = 10  # cases of one check


@click.command()
@click.option("--fix", is_flag=True, help="Remove files that no row names, and rows that lead nowhere.")
@click.option("--quick", is_flag=True, help="Skip the checksums of the models, and the look for a GPU.")
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
    """Look at database, models, data, devices and versions.

    Nothing is changed without --fix, and nothing of a study that is being run. Exit code 1 if there is a problem.
    """
    from storage import locate
    from tuner.doctor import examine

    found = examine(locate(storage, home), data_dir, quick=quick, fix=fix)
    if as_json:
        common.print_json(found.as_json())
    else:
        _print(found)
        common.print_next(_next(found))
    ctx.exit(1 if found.problems else 0)


def _print(found: Examination) -> None:
    from rich.text import Text

    from tuner.report.tables import new_table

    table = new_table()
    table.add_column("check")
    table.add_column("result")
    table.add_column("what was found", overflow="fold")
    for check in found.checks:
        lines = [check.message]
        if check.status != "ok":
            lines += [f"  {case}" for case in check.cases[:_SHOWN]]
            lines += [f"  and {len(check.cases) - _SHOWN} more: --json shows all"] if len(check.cases) > _SHOWN else []
            lines += [f"Hint: {check.hint}"] if check.hint else []
        table.add_row(check.name, Text(check.status, style=_STYLES[check.status]), Text("\n".join(lines)))
    common.print_rich(table)
    for line in found.removed:
        click.echo(f"removed {line}", err=True)


def _next(found: Examination) -> list[tuple[str, str]]:
    hints = [check.hint for check in found.checks if check.hint == "tuner doctor --fix"]
    if hints:
        return [("tuner doctor --fix", "remove what leads nowhere")]
    return [("tuner storage backup copy.db", "a copy of the database"), ("tuner study list", "the studies")]
