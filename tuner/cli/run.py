"""Shared by ``study start`` and ``study ladder``: data, progress, exit codes, and how to continue."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

import click

from tuner.cli.output import err

if TYPE_CHECKING:
    from tuner.cli.live import Lines, LiveTable
    from tuner.data.table_dataset import TableDataset
    from tuner.study import Study

EXIT_CODES = {"failures": 1, "interrupt": 130, "terminate": 143, "hangup": 129}

_REASONS = {
    "timeout": "The time is up",
    "target": "The target is reached",
    "plateau": "The last trials brought no improvement",
    "failures": "Most of the last trials failed (`tuner study trials` shows why)",
    "stop": "Stopped by `tuner study stop`",
    "interrupt": "Interrupted",
    "terminate": "Terminated",
}

workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Processes that train at the same time.  [default: one per CPU core, at most 8]",
)


def load_data(study: Study, *, fresh: bool = False) -> None:
    """Read the data before the run; a download shows a bar on stderr. What would end the run is checked first.

    If a study of a table begins, what it is trained on is printed.
    """
    from tuner.cli.data import DownloadBar
    from tuner.environment import check_backend

    check_backend()
    data = study.load_data(DownloadBar(), fresh=fresh)
    if study.recipe.table is not None and (fresh or not study.has_trials()):
        from tuner.report.columns import data_lines

        for line in data_lines(cast("TableDataset", data)):
            err(line)


def open_display(stack: ExitStack, *, quiet: bool) -> Lines | LiveTable | None:
    """Return the display of the progress; ``stack`` closes it."""
    from tuner.cli.live import LiveTable, progress_display

    display = progress_display(quiet=quiet)
    return stack.enter_context(display) if isinstance(display, LiveTable) else display


def leave(stopped_by: str | None, again: str) -> None:
    """If a run ended early, print the reason and how to continue; failed trials and signals set the exit code.

    Args:
        stopped_by: The stop reason; ``None`` if the run did everything.
        again: The command line that continues.
    """
    if stopped_by is None:
        return
    err(f"\n{_REASONS[stopped_by]}; every result is kept. Go on with: {again}")
    if stopped_by in EXIT_CODES:
        raise SystemExit(EXIT_CODES[stopped_by])
