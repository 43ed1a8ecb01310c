"""The commands ``tuner storage check``, ``backup`` and ``upgrade``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from tuner.cli.common import UserPath, as_json, only_output, storage_options
from tuner.cli.output import err, out, print_json, print_next
from tuner.command_line import command, command_elsewhere


@click.group()
def storage() -> None:
    """Check, copy and upgrade the database."""


@storage.command()
@as_json
@storage_options
def check(as_json: bool, home: Path | None, storage: str | None) -> None:
    """Read the whole database and check it.

    Changes nothing. The exit code is 3 if anything is wrong.
    """
    from tuner_storage import locate
    from tuner_storage.maintenance import check as check_database

    from tuner.errors import StorageError

    health = check_database(locate(storage, home))
    if as_json:
        print_json({**dataclasses.asdict(health), "ok": health.problem is None})
    else:
        for line in (*health.damage, *health.dangling):
            out(line)
    if health.problem:
        message, hint = health.problem
        raise StorageError(f"the database {health.database} {message}", hint=hint)
    if not as_json:
        out(f"{health.database} is sound: {health.backend}, schema {health.schema}")
        print_next(
            (command("doctor"), "check models, data and devices too"),
            (command("storage backup", "copy.db"), "copy the database, even during a run"),
        )


@storage.command()
@click.argument("file", type=UserPath(), help="The copy to write; - is stdout.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@as_json
@storage_options
def backup(file: Path, force: bool, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Copy an SQLite database to a file.

    The copy is consistent, even during a run. It does not contain the models, which are files of their own.
    To copy a study with its models, use `tuner study export-archive`.
    """
    from tuner_storage import locate, url_of
    from tuner_storage.artifact_places import place_of
    from tuner_storage.maintenance import backup as copy_database

    from tuner.output_file import OutputFile

    location = locate(storage, home)
    output = OutputFile(file, force=force, protected=location.protected, replaces_databases=True)
    to_stdout = only_output(output, as_json=as_json)
    size = copy_database(location, output)
    if as_json:
        print_json({"database": str(location), "file": str(file), "bytes": size})
        return
    if not to_stdout:
        out(str(file))
    err(f"{size} bytes; the models are in {place_of(location)}")
    if to_stdout:
        return
    print_next((command_elsewhere("study list", storage=url_of(file)), "the studies in the copy"))


@storage.command()
@as_json
@storage_options
def upgrade(as_json: bool, home: Path | None, storage: str | None) -> None:
    """Upgrade a database that an older tuner wrote.

    An SQLite database is copied first; the copy stays beside it. The upgrade is refused during a run.
    """
    from tuner_storage import locate
    from tuner_storage.maintenance import upgrade as upgrade_database

    result = upgrade_database(locate(storage, home), err)
    if as_json:
        copy = None if result.backup is None else str(result.backup)
        print_json({**dataclasses.asdict(result), "backup": copy, "changed": result.changed})
        return
    if result.changed:
        out(f"{result.database} has schema {result.after} now")
    else:
        out(f"{result.database} is up to date: schema {result.after}")
    print_next((command("study list"), "the studies in it"), (command("storage check"), "read it all and check it"))
