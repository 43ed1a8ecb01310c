"""The verbs on studies that are there: list, show, trials, best, stop, delete; others have modules of their own."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.archive import export_archive, import_
from tuner.cli.common import as_json, print_json, print_next, print_rich, storage_options
from tuner.cli.reproduce import reproduce
from tuner.cli.result import print_best, print_front, print_next_of
from tuner.cli.run import ladder, start

if TYPE_CHECKING:
    from tuner.study import Study


@click.group()
def study() -> None:
    """Run searches and look at them."""


study.add_command(start)
study.add_command(ladder)
study.add_command(reproduce)
study.add_command(export_archive)
study.add_command(import_)


@study.command("list")
@as_json
@storage_options
def list_command(as_json: bool, home: Path | None, storage: str | None) -> None:
    """List the studies."""
    from storage import locate
    from tuner.results.overview import list_studies

    studies = list_studies(locate(storage, home))
    if as_json:
        print_json([each.as_json() for each in studies])
    elif studies:
        from tuner.report.tables import studies_table

        print_rich(studies_table(studies))
    else:
        click.echo("There are no studies yet.", err=True)
        print_next([("tuner study start digits", "search on embedded data, under a minute")])


@study.command()
@click.argument("name")
@as_json
@storage_options
def show(name: str, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Show what study NAME searches and how far it is."""
    from tuner.study import load_study

    opened = load_study(name, storage=storage, home=home)
    summary, held = opened.summary(), opened.holding()
    if as_json:
        lease = None if held is None else {key: str(value) for key, value in asdict(held).items()}
        changed = {each.name: {"then": each.then, "now": each.now} for each in opened.changes()}
        more = {"learned_from": opened.learned_from(), "lease": lease, "changes": changed, "devices": opened.devices()}
        print_json({**summary.as_json(), **more, "recipe": opened.recipe.model_dump(mode="json")})
        return
    from tuner.report.tables import params_table, studies_table
    from tuner.report.text import duration

    print_rich(studies_table([summary]))
    budget = opened.recipe.budget
    learned = [f"{earlier} ({what})" for earlier, what in opened.learned_from().items()]
    settings = {
        "started": f"{summary.created:%Y-%m-%d %H:%M} UTC",
        "sampler": opened.recipe.search.shown,
        "pruner": opened.recipe.search.pruner,
        "seed": opened.recipe.search.seed,
        "epochs": budget.epochs,
        "timeout": duration(budget.timeout) if budget.timeout else "none",
        "validation": opened.recipe.validation,
        **({"learned from": ", ".join(learned)} if learned else {}),
        "run by": "nobody" if held is None else str(held),
        "last run": opened.last_run(),
        **({"devices": ", ".join(devices)} if len(devices := opened.devices()) > 1 else {}),
        **{each.name: f"{each.then} then, {each.now} now" for each in opened.changes()},
    }
    print_rich(params_table(settings, "Settings"))
    print_next(
        [
            (f"tuner study trials {shlex.quote(name)}", "every trial"),
            (f"tuner report {shlex.quote(name)}", "the report"),
        ]
    )


@study.command()
@click.argument("name")
@click.option("--top", type=click.IntRange(min=1), help="Only the best N complete trials, best first.")
@click.option("--attempts", is_flag=True, help="List every attempt at each trial: who, where, when, and how it ended.")
@as_json
@storage_options
def trials(
    name: str, *, top: int | None, attempts: bool, as_json: bool, home: Path | None, storage: str | None
) -> None:
    """List the trials of study NAME."""
    from tuner.results.trials import ranked
    from tuner.study import load_study

    opened = load_study(name, storage=storage, home=home)
    if attempts:
        _attempts(opened, as_json=as_json)
        return
    found = opened.trials()
    if top is not None:
        found = ranked(found, opened.recipe)[:top]
    if as_json:
        print_json([trial.as_json() for trial in found])
    else:
        from tuner.report.tables import trials_table

        print_rich(trials_table(found, opened.recipe))


def _attempts(opened: Study, *, as_json: bool) -> None:
    """List the attempts at all trials."""
    found = opened.attempts()
    if as_json:
        print_json([{key: _plain(value) for key, value in asdict(attempt).items()} for attempt in found])
        return
    from tuner.report.tables import attempts_table

    print_rich(attempts_table(found))


def _plain(value: object) -> object:
    return f"{value.isoformat(timespec='seconds')}Z" if isinstance(value, datetime) else value


@study.command()
@click.argument("name")
@as_json
@storage_options
def best(name: str, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Show the best trial of study NAME.

    With several objectives, every trial of the Pareto front is listed too.
    """
    from tuner.study import load_study

    opened = load_study(name, storage=storage, home=home)
    if as_json:
        opened.best()  # the same error without a complete trial
        print_json(opened.as_json())
    else:
        print_front(opened)
        print_best(opened)
        print_next_of(opened)


@study.command()
@click.argument("name")
@storage_options
def stop(name: str, home: Path | None, storage: str | None) -> None:
    """Stop the run of study NAME.

    The running epochs finish, and every result is kept.
    """
    from tuner.study import load_study

    if load_study(name, storage=storage, home=home).stop():
        click.echo(f"'{name}' stops after the running epochs.", err=True)
    else:
        click.echo(f"'{name}' is not running.", err=True)
    print_next([(f"tuner study start {shlex.quote(name)}", "go on")])


@study.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@storage_options
def delete(name: str, yes: bool, home: Path | None, storage: str | None) -> None:
    """Delete study NAME with its trials and models."""
    from tuner.study import load_study

    opened = load_study(name, storage=storage, home=home)
    if not yes:
        click.confirm(f"Delete '{name}' with {opened.summary().counts.total} trials?", abort=True, err=True)
    opened.delete()
    click.echo(f"Deleted '{name}'.", err=True)
