"""Shared by ``study start`` and ``study ladder``: data, progress, exit codes, and how to continue."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tuner.cli.live import Lines, LiveTable
    from tuner.study import Study

EXIT_CODES = {"interrupt": 130, "terminate": 143, "hangup": 129}

_REASONS = {
    "timeout": "The time is up",
    "target": "The target is reached",
    "plateau": "The last trials brought no improvement",
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


def load_data(study: Study) -> None:
    """Read the data before the run; a download shows a bar on stderr."""
    from tuner.cli.data import DownloadBar

    study.load_data(DownloadBar())


def open_display(stack: ExitStack, *, quiet: bool) -> Lines | LiveTable | None:
    """Return the display of the progress; ``stack`` closes it."""
    from tuner.cli.live import LiveTable, progress_display

    display = progress_display(quiet=quiet)
    return stack.enter_context(display) if isinstance(display, LiveTable) else display


def command_line(*words: str, **options: object) -> str:
    """Return a command line, quoted for a shell; options that are ``None`` are left out."""
    options["storage"] = _without_password(options["storage"])
    pairs = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    return shlex.join(["tuner", *words, *pairs])


def leave(stopped_by: str | None, again: str) -> None:
    """If a run ended early, print the reason and how to continue; a signal sets the exit code.

    Args:
        stopped_by: The stop reason; ``None`` if the run did everything.
        again: The command line that continues.
    """
    if stopped_by is None:
        return
    click.echo(f"\n{_REASONS[stopped_by]}; every result is kept. Go on with: {again}", err=True)
    if stopped_by in EXIT_CODES:
        raise SystemExit(EXIT_CODES[stopped_by])


def _without_password(storage: object) -> object:
    """Return a database URL without its password; ``None`` if ``TUNER_STORAGE`` names that database already."""
    from storage import locate

    if not isinstance(storage, str) or storage == os.environ.get("TUNER_STORAGE"):
        return None
    location = locate(storage)
    return str(location) if location.is_server else storage
