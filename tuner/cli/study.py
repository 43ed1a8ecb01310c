"""The group ``tuner study``, and the commands that stop or delete a study."""

from __future__ import annotations

from pathlib import Path

import click
import cloup

from tuner.cli.archive import export_archive, import_
from tuner.cli.common import storage_options, study_name
from tuner.cli.compare import compare
from tuner.cli.ladder import ladder
from tuner.cli.look import best, list_command, show, trials
from tuner.cli.output import confirm, err, print_next
from tuner.cli.plot import plot
from tuner.cli.reproduce import reproduce
from tuner.cli.start import start
from tuner.cli.watch import watch
from tuner.command_line import command


@click.command()
@study_name
@storage_options
def stop(name: str, home: Path | None, storage: str | None) -> None:
    """Stop the run of a study.

    The running epochs finish, and every result is kept.
    """
    from tuner.study import load_study

    if load_study(name, storage=storage, home=home).stop():
        err(f"'{name}' stops after the running epochs.")
    else:
        err(f"'{name}' is not running.")
    print_next((command("study start", name), "continue the study"))


@click.command()
@study_name
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@storage_options
def delete(name: str, yes: bool, home: Path | None, storage: str | None) -> None:
    """Delete a study with its trials and models."""
    from tuner.study import load_study

    study = load_study(name, storage=storage, home=home)
    if not yes:
        confirm(f"Delete '{name}' with {study.summary().counts.total} trials?")
    study.delete()
    err(f"Deleted '{name}'.")
    print_next((command("study list"), "the studies that remain"))


@cloup.group(
    sections=[
        cloup.Section("Run", [start, watch, stop]),
        cloup.Section("Look at the results", [list_command, show, best, trials, compare, plot]),
        cloup.Section("Check", [reproduce, ladder]),
        cloup.Section("Move or delete", [export_archive, import_, delete]),
    ]
)
def study() -> None:
    """Run searches and look at their trials."""
