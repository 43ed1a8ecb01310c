"""Shared by the commands: options, JSON on stdout, and the next commands on stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

PIPE_WIDTH = 140  # columns of a table if stdout is not a terminal
LINE_WIDTH = 100  # columns of a paragraph
_NO_BREAK = "\u2060"  # replaces a blank where a line must not end

study_name = click.argument("name", help="Name of the study; see `tuner study list`.")

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="TUNER_DATA",
    show_envvar=True,
    help="Folder to search first for data sets (NAME.npz).",
)


def storage_options(command: Command) -> Command:
    """Add ``--home`` and ``--storage``: the places of the studies and the models."""
    home = click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="TUNER_HOME",
        show_envvar=True,
        help="Folder for the database and the models.  [default: .tuner]",
    )
    storage = click.option(
        "--storage",
        envvar="TUNER_STORAGE",
        show_envvar=True,
        metavar="URL",
        help="Database: sqlite:///FILE or postgresql://HOST/NAME.  [default: studies.db in the home folder]",
    )
    return home(storage(command))


def discard_output(*streams: TextIO) -> None:
    """Discard all further output of these streams, because the reader has closed its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(null, stream.fileno())


def print_json(value: object) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_next(*commands: tuple[str, str]) -> None:
    """Print the next useful commands on stderr.

    Args:
        commands: Pairs of a command line and its purpose.
    """
    click.echo("\nNext:", err=True)
    width = max(len(command) for command, _ in commands)
    for command, purpose in commands:
        click.echo(f"  {command:<{width}}   {purpose}", err=True)


def print_paragraph(text: str) -> None:
    """Print a paragraph on stdout, wrapped; a command between backticks stays on one line."""
    width = min(shutil.get_terminal_size().columns, LINE_WIDTH) if sys.stdout.isatty() else LINE_WIDTH
    joined = re.sub("`[^`]*`", lambda command: command[0].replace(" ", _NO_BREAK), text)
    filled = textwrap.fill(joined, width, break_long_words=False, break_on_hyphens=False)
    click.echo(filled.replace(_NO_BREAK, " ") + "\n")


def print_rich(renderable: object) -> None:
    """Print a rich table on stdout."""
    from rich.console import Console

    # A pipe has no width, so use one that fits every table.
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(renderable)
