"""The verbs on the database itself: check, backup, upgrade."""

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
    """Read the database from end to end.

    Nothing is changed. Exit code 3 if anything is wrong with it.
    """
    from storage import locate
    from storage.maintenance import check as examine
    from tuner.errors import StorageError

    location = locate(storage, home)
    health = examine(location)
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
        print_next([("tuner doctor", "look at models, data and devices too"), _NEXT_BACKUP])


@storage.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@as_json
@storage_options
def backup(file: Path, force: bool, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Write a copy of an SQLite database to FILE.

    The copy is consistent even while a run writes. The models are files beside the database: copy that folder too,
    or take a study with its models along with `tuner study export-archive`.
    """
    from storage import locate
    from storage.maintenance import backup as copy

    location = locate(storage, home)
    size = copy(location, file, force=force)
    if as_json:
        print_json({"database": str(location), "file": str(file), "bytes": size})
        return
    click.echo(str(file))
    click.echo(f"{size} bytes; the models are in {location.artifacts}", err=True)
    print_next([(f"tuner study list --storage {shlex.quote(f'sqlite:///{file}')}", "look into the copy")])


@storage.command()
@as_json
@storage_options
def upgrade(as_json: bool, home: Path | None, storage: str | None) -> None:
    """Bring the database of an older tuner up to date.

    A copy of an SQLite database is made beside it first. Refused while a study is being run.
    """
    from storage import locate
    from storage.maintenance import upgrade as bring_up

    result = bring_up(locate(storage, home), lambda step: click.echo(step, err=True))
    if as_json:
        copy = None if result.backup is None else str(result.backup)
        print_json({**dataclasses.asdict(result), "backup": copy, "changed": result.changed})
    elif result.changed:
        click.echo(f"{result.database} has schema {result.after} now")
    else:
        click.echo(f"{result.database} is up to date: schema {result.after}")
    if not as_json:
        print_next([("tuner study list", "the studies in it"), ("tuner storage check", "read it from end to end")])


_NEXT_BACKUP = ("tuner storage backup copy.db", "a copy, also while a run writes")
