"""The commands that move a study to another machine or database: ``export-archive`` and ``import``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from tuner.cli.common import (
    UserPath,
    artifacts_option,
    as_json,
    only_output,
    storage_options,
    study_name,
    study_output,
)
from tuner.cli.output import err, out, print_json, print_next
from tuner.command_line import command, command_elsewhere


@click.command("export-archive")
@study_name
@click.argument("file", type=UserPath(), help="The zip file to write; - is stdout.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@as_json
@storage_options
def export_archive(
    *, name: str, file: Path, force: bool, as_json: bool, home: Path | None, storage: str | None
) -> None:
    """Write a study with its trials and models to a file.

    The file is a zip file with a manifest in JSON. Where it is imported, unfinished trials are queued again.
    """
    from tuner_storage import locate

    from tuner.archive.write import write_archive
    from tuner.studies import existing

    location = locate(storage, home)
    with existing(location, name) as study:
        output = study_output(file, location, study.recipe.data, force=force)
        to_stdout = only_output(output, as_json=as_json)
        archive = write_archive(study, output)
    for number in archive.left_out:
        err(f"left out the model of trial {number}: it is missing or damaged, see {command('doctor')}")
    if archive.refit is False:
        err(f"left out the refit: it is missing or damaged, see {command('doctor')}")
    if as_json:
        print_json({**dataclasses.asdict(archive), "file": str(file)})
        return
    if not to_stdout:
        out(str(file))
    refit = " and a refit" if archive.refit else ""
    err(f"{archive.trials} trials, {archive.models} models{refit}, {archive.size} bytes")
    if to_stdout:
        return
    print_next((command_elsewhere("study import", file), "on the other machine, or with another --home"))


@click.command("import")
@click.argument("file", type=UserPath(), help="A file that `tuner study export-archive` wrote.")
@click.option("--name", metavar="NEW", help="New name of the study.  [default: the name that it had]")
@as_json
@storage_options
@artifacts_option
def import_(
    *, file: Path, name: str | None, as_json: bool, home: Path | None, storage: str | None, artifacts: str | None
) -> None:
    """Import a study from an archive file.

    The whole file is checked before anything is written.
    """
    from tuner_storage import locate

    from tuner.archive.read import import_archive

    study, manifest = import_archive(file, locate(storage, home, artifacts), name)
    waiting = sum(trial.state == "WAITING" for trial in manifest.trials)
    if as_json:
        counts = {"trials": len(manifest.trials), "waiting": waiting, "models": len(manifest.models)}
        print_json({"study": study, **counts, "refit": manifest.refit is not None})
        return
    out(study)
    queued = f" ({waiting} waiting to be run)" if waiting else ""
    refit = " and a refit" if manifest.refit else ""
    err(f"{len(manifest.trials)} trials{queued}, {len(manifest.models)} models{refit}")
    print_next((command("study show", study), "look at it"), (command("study start", study), "continue it"))
