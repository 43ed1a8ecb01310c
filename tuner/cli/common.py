"""What the verbs share: options, JSON on stdout, the next command on stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

PIPE_WIDTH = 140  # columns of a table where there is no terminal
LINE_WIDTH = 100  # columns of a paragraph
_JOINT = "\u2060"  # stands for a blank at which no line ends

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="TUNER_DATA",
    show_envvar=True,
    help="Folder that is searched first for data sets (NAME.npz).",
)


def storage_options(command: Command) -> Command:
    """Add ``--home`` and ``--storage``: where studies and models are kept."""
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


def be_silent(*streams: TextIO) -> None:
    """Let what is written to these streams, now or when the program ends, go nowhere: their reader went away."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())


def print_json(value: object) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_next(commands: Sequence[tuple[str, str]]) -> None:
    """Tell the next useful commands, with what each does, on stderr."""
    click.echo("\nNext:", err=True)
    width = max(len(command) for command, _ in commands)
    for command, purpose in commands:
        click.echo(f"  {command:<{width}}   {purpose}", err=True)


def print_words(paragraph: str) -> None:
    """Print a paragraph on stdout, in lines that are easy to read; a command between backticks stays on one line."""
    width = min(shutil.get_terminal_size().columns, LINE_WIDTH) if sys.stdout.isatty() else LINE_WIDTH
    joined = re.sub("`[^`]*`", lambda command: command[0].replace(" ", _JOINT), paragraph)
    filled = textwrap.fill(joined, width, break_long_words=False, break_on_hyphens=False)
    click.echo(filled.replace(_JOINT, " ") + "\n")


def print_rich(renderable: object) -> None:
    """Print a rich table on stdout."""
    from rich.console import Console

    # A pipe has no width of its own: wide enough for every table.
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(renderable)
