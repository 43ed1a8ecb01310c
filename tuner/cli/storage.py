"""The commands ``tuner storage check``, ``backup`` and ``upgrade``."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import click

from tuner.cli.common import as_json, print_json, print_next, storage_options


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
    from storage import locate
    from storage.maintenance import check as check_database
    from tuner.errors import StorageError

    health = check_database(locate(storage, home))
    if as_json:
        print_json({**dataclasses.asdict(health), "ok": health.problem is None})
    else:
        for line in (*health.damage, *health.dangling):
            click.echo(line)
    if health.problem:
        message, hint = health.problem
        raise StorageError(f"the database {health.database} {message}", hint=hint)
    if not as_json:
        click.echo(f"{health.database} is sound: {health.backend}, schema {health.schema}")
        print_next(
            ("tuner doctor", "check models, data and devices too"),
            ("tuner storage backup copy.db", "copy the database, even during a run"),
        )


@storage.command()
@click.argument("file", type=click.Path(path_type=Path), help="The copy to write.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@as_json
@storage_options
def backup(file: Path, force: bool, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Copy an SQLite database to a file.

    The copy is consistent, even during a run. It does not contain the models: they are files beside the database. To
    copy a study with its models, use `tuner study export-archive`.
    """
    from storage import locate
    from storage.maintenance import backup as copy_database

    location = locate(storage, home)
    size = copy_database(location, file, force=force)
    if as_json:
        print_json({"database": str(location), "file": str(file), "bytes": size})
        return
    click.echo(str(file))
    click.echo(f"{size} bytes; the models are in {location.artifacts}", err=True)
    print_next((f"tuner study list --storage {shlex.quote(f'sqlite:///{file}')}", "the studies in the copy"))


@storage.command()
@as_json
@storage_options
def upgrade(as_json: bool, home: Path | None, storage: str | None) -> None:
    """Upgrade a database that an older tuner wrote.

    An SQLite database is copied first; the copy stays beside it. The upgrade is refused during a run.
    """
    from storage import locate
    from storage.maintenance import upgrade as upgrade_database

    result = upgrade_database(locate(storage, home), lambda step: click.echo(step, err=True))
    if as_json:
        copy = None if result.backup is None else str(result.backup)
        print_json({**dataclasses.asdict(result), "backup": copy, "changed": result.changed})
        return
    if result.changed:
        click.echo(f"{result.database} has schema {result.after} now")
    else:
        click.echo(f"{result.database} is up to date: schema {result.after}")
    print_next(("tuner study list", "the studies in it"), ("tuner storage check", "read it all and check it"))
