"""The verbs that carry a whole study to another machine or database: ``export-archive`` and ``import``."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import click

from tuner.cli.common import as_json, print_json, print_next, storage_options


@click.command("export-archive")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@as_json
@storage_options
def export_archive(
    *, name: str, file: Path, force: bool, as_json: bool, home: Path | None, storage: str | None
) -> None:
    """Write study NAME with its trials and models to one FILE.

    FILE is a zip file with a manifest in JSON. Trials that did not end are queued again where it is imported.
    """
    from storage import locate
    from tuner.archive.write import write_archive
    from tuner.studies import existing

    with existing(locate(storage, home), name) as found:
        written = write_archive(found, file, force=force)
    for number in written.left_out:
        click.echo(f"the model of trial {number} is missing or damaged, and left out: see tuner doctor", err=True)
    if written.refit is False:
        click.echo("the refit is missing or damaged, and left out: see tuner doctor", err=True)
    if as_json:
        print_json({**dataclasses.asdict(written), "file": str(file)})
        return
    click.echo(str(file))
    refit = " and a refit" if written.refit else ""
    click.echo(f"{written.trials} trials, {written.models} models{refit}, {written.size} bytes", err=True)
    print_next([(f"tuner study import {shlex.quote(str(file))}", "on the other machine, or with another --home")])


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", metavar="NEW", help="Name of the study here.  [default: the one that it had]")
@as_json
@storage_options
def import_(*, file: Path, name: str | None, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Import the study in FILE.

    FILE was written by `tuner study export-archive`. It is checked to its end before anything is written.
    """
    from storage import locate
    from tuner.archive.read import read_archive

    chosen, manifest = read_archive(file, locate(storage, home), name)
    waiting = sum(trial.state == "WAITING" for trial in manifest.trials)
    if as_json:
        counts = {"trials": len(manifest.trials), "waiting": waiting, "models": len(manifest.models)}
        print_json({"study": chosen, **counts, "refit": manifest.refit is not None})
        return
    click.echo(chosen)
    queued = f", {waiting} of them to be run" if waiting else ""
    refit = " and a refit" if manifest.refit else ""
    click.echo(f"{len(manifest.trials)} trials{queued}, {len(manifest.models)} models{refit}", err=True)
    quoted = shlex.quote(chosen)
    print_next([(f"tuner study show {quoted}", "look at it"), (f"tuner study start {quoted}", "go on")])
