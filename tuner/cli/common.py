"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from tuner.cli.complete import study_names
from tuner.cli.output import print_note
from tuner.cli.places import remember
from tuner.paths import StrPath, user_path

if TYPE_CHECKING:
    from tuner_storage import Location

    from tuner.output_file import OutputFile

Command = TypeVar("Command", bound=Callable[..., Any])

_PASSWORD = re.compile(r"://[^/?#]*:[^/?#]*@|[?&]password=")


class UserPath(click.Path):
    """A path, returned as a ``Path``; ``~`` stands for the home folder, as in ``--home=~/runs``."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: StrPath, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        converted: Path = super().convert(user_path(value), param, ctx)  # type: ignore[assignment]
        return converted


study_name = click.argument("name", help="Name of the study; see `tuner study list`.", shell_complete=study_names)

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")

data_dir = click.option(
    "--data-dir",
    callback=remember,
    type=UserPath(file_okay=False),
    envvar="TUNER_DATA",
    show_envvar=True,
    help="Folder to search first for data sets (NAME.npz).",
)


def study_output(
    path: Path,
    location: Location,
    data: str,
    *,
    force: bool,
    earlier: Callable[[Path], bool] = lambda _: False,
    data_dir: Path | None = None,
) -> OutputFile:
    """Return the output file of a command that reads a study: it replaces nothing of the study, nor its data.

    Args:
        path: What the user wrote.
        location: Where the study is.
        data: The study's data set.
        force: As for :class:`tuner.output_file.OutputFile`.
        earlier: As for :class:`tuner.output_file.OutputFile`.
        data_dir: Folder that is searched first for data sets.
    """
    from tuner.data.lookup import files_of
    from tuner.output_file import OutputFile

    inputs = files_of(data, data_dir)
    return OutputFile(path, force=force, earlier=earlier, inputs=inputs, protected=location.protected)


def only_output(output: OutputFile, *, as_json: bool) -> bool:
    """Return whether the output goes to stdout, so that nothing else may be printed there.

    Raises:
        UsageError: If ``--json`` was given too: both would go to stdout.
    """
    from tuner.errors import UsageError

    if output.is_stdout and as_json:
        raise UsageError("--json and the output cannot both go to standard output", hint="name a file, or omit --json")
    return output.is_stdout


def storage_options(command: Command) -> Command:
    """Add ``--home`` and ``--storage``: the places of the studies and the models."""
    home = click.option(
        "--home",
        callback=remember,
        type=UserPath(file_okay=False),
        envvar="TUNER_HOME",
        show_envvar=True,
        help="Folder for the database and the models.  [default: .tuner]",
    )
    storage = click.option(
        "--storage",
        envvar="TUNER_STORAGE",
        show_envvar=True,
        metavar="URL",
        callback=_remember_storage,
        help="Database: sqlite:///FILE or postgresql://HOST/NAME.  [default: studies.db in the home folder]",
    )
    return home(storage(command))


artifacts_option = click.option(
    "--artifacts",
    envvar="TUNER_ARTIFACTS",
    show_envvar=True,
    metavar="s3://BUCKET/PREFIX",
    callback=remember,
    help="Keep the models of a new database in S3; the database remembers it.  [default: the home folder]",
)


def _remember_storage(context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    """Remember the database for suggested commands, and say that others can read a password on the command line."""
    typed = context.get_parameter_source(option.name or "") == click.core.ParameterSource.COMMANDLINE
    if url is not None and typed and _PASSWORD.search(url):
        print_note("other users can read the password in --storage with `ps`: use TUNER_STORAGE or ~/.pgpass")
    return cast("str | None", remember(context, option, url))
