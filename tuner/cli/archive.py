"""The commands that move a study to another machine or database: ``export-archive`` and ``import``."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import click

from tuner.cli.common import as_json, print_json, print_next, storage_options, study_name


@click.command("export-archive")
@study_name
@click.argument("file", type=click.Path(path_type=Path), help="The zip file to write.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@as_json
@storage_options
def export_archive(
    *, name: str, file: Path, force: bool, as_json: bool, home: Path | None, storage: str | None
) -> None:
    """Write a study with its trials and models to a file.

    The file is a zip file with a manifest in JSON. Where it is imported, unfinished trials are queued again.
    """
    from storage import locate
    from tuner.archive.write import write_archive
    from tuner.studies import existing

    with existing(locate(storage, home), name) as study:
        archive = write_archive(study, file, force=force)
    for number in archive.left_out:
        click.echo(f"left out the model of trial {number}: it is missing or damaged, see tuner doctor", err=True)
    if archive.refit is False:
        click.echo("left out the refit: it is missing or damaged, see tuner doctor", err=True)
    if as_json:
        print_json({**dataclasses.asdict(archive), "file": str(file)})
        return
    click.echo(str(file))
    refit = " and a refit" if archive.refit else ""
    click.echo(f"{archive.trials} trials, {archive.models} models{refit}, {archive.size} bytes", err=True)
    print_next((f"tuner study import {shlex.quote(str(file))}", "on the other machine, or with another --home"))


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), help="A file that `tuner study export-archive` wrote.")
@click.option("--name", metavar="NEW", help="New name of the study.  [default: the name that it had]")
@as_json
@storage_options
def import_(*, file: Path, name: str | None, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Import a study from an archive file.

    The whole file is checked before anything is written.
    """
    from storage import locate
    from tuner.archive.read import import_archive

    study, manifest = import_archive(file, locate(storage, home), name)
    waiting = sum(trial.state == "WAITING" for trial in manifest.trials)
    if as_json:
        counts = {"trials": len(manifest.trials), "waiting": waiting, "models": len(manifest.models)}
        print_json({"study": study, **counts, "refit": manifest.refit is not None})
        return
    click.echo(study)
    queued = f" ({waiting} waiting to be run)" if waiting else ""
    refit = " and a refit" if manifest.refit else ""
    click.echo(f"{len(manifest.trials)} trials{queued}, {len(manifest.models)} models{refit}", err=True)
    quoted = shlex.quote(study)
    print_next((f"tuner study show {quoted}", "look at it"), (f"tuner study start {quoted}", "continue it"))
