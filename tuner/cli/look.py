"""The commands that show studies: ``list``, ``show``, ``best`` and ``trials``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.common import as_json, storage_options, study_name
from tuner.cli.output import err, print_json, print_next, print_rich
from tuner.cli.result import print_best, print_front, print_next_steps
from tuner.command_line import command
from tuner.times import for_people, iso

if TYPE_CHECKING:
    from tuner.study import Study


@click.command("list")
@as_json
@storage_options
def list_command(as_json: bool, home: Path | None, storage: str | None) -> None:
    """List the studies."""
    from tuner_storage import locate

    from tuner.results.overview import list_studies

    studies = list_studies(locate(storage, home))
    if as_json:
        print_json([study.as_json() for study in studies])
    elif studies:
        from tuner.report.tables import studies_table

        print_rich(studies_table(studies))
        print_next(
            (command("study show", studies[0].name), "its settings and progress"),
            (command("dashboard"), "browse every trial"),
        )
    else:
        err("There are no studies yet.")
        print_next((command("study start", "digits"), "search on built-in data, under a minute"))


@click.command()
@study_name
@as_json
@storage_options
def show(name: str, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Show the settings and the progress of a study."""
    from tuner.study import load_study

    study = load_study(name, storage=storage, home=home)
    if as_json:
        print_json(_as_json(study))
        return
    from tuner.report.tables import params_table, studies_table

    print_rich(studies_table([study.summary()]))
    print_rich(params_table(_settings(study), "Settings"))
    print_next((command("study trials", name), "every trial"), (command("report", name), "the report"))


@click.command()
@study_name
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="List only the best N complete trials, in order.")
@click.option("--attempts", is_flag=True, help="List every attempt at each trial: who, where, when, how it ended.")
@as_json
@storage_options
def trials(
    name: str, *, top: int | None, attempts: bool, as_json: bool, home: Path | None, storage: str | None
) -> None:
    """List the trials of a study."""
    from tuner.study import load_study

    study = load_study(name, storage=storage, home=home)
    if attempts:
        _print_attempts(study, as_json=as_json)
        return
    with study.at_once():
        pages = study.pages() if top is None else iter([study.top(top)])
        if as_json:
            print_json([trial.as_json() for page in pages for trial in page])
            return
        from tuner.cli.long_table import print_long
        from tuner.report.tables import trials_table

        first = next(pages, [])  # without a trial, only the header is printed
        print_long(trials_table(page, study.recipe) for page in chain([first], pages))
    print_next((command("study best", name), "the best trial"), (command("report", name), "the report"))


@click.command()
@study_name
@as_json
@storage_options
def best(name: str, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Show the best trial of a study.

    With several objectives, list the Pareto front too.
    """
    from tuner.study import load_study

    study = load_study(name, storage=storage, home=home)
    with study.at_once():
        if as_json:
            study.best()  # raises if there is no complete trial, as without --json
            print_json(study.as_json())
        else:
            print_front(study)
            print_best(study)
            print_next_steps(study)


def _as_json(study: Study) -> dict[str, object]:
    """Return the summary, the leases, the changes of the environment and the recipe as plain data."""
    from tuner_storage.artifact_places import place_of

    leases = [_times_as_text(asdict(holding)) for holding in study.holdings()]
    return {
        **study.summary().as_json(),
        "learned_from": study.learned_from(),
        "lease": leases[0] if leases else None,
        "leases": leases,
        "changes": {change.name: {"then": change.then, "now": change.now} for change in study.changes()},
        "devices": study.devices(),
        "artifacts": place_of(study.location),
        "recipe": study.recipe.model_dump(mode="json"),
    }


def _settings(study: Study) -> dict[str, object]:
    """Return the rows of the table of settings; rows that say nothing are left out."""
    from rich.filesize import decimal
    from tuner_storage.artifact_places import place_of

    from tuner.config.kept import KEPT
    from tuner.report.text import duration

    summary = study.summary()
    budget = study.recipe.budget
    sources = [f"{earlier} ({use})" for earlier, use in study.learned_from().items()]
    holdings, devices = study.holdings(), study.devices()
    return {
        "started": for_people(summary.created),
        "data": study.recipe.data,
        **{setting.name: setting.shown(study.recipe) for setting in KEPT},
        "timeout": duration(budget.timeout) if budget.timeout else "none",
        **({"learned from": ", ".join(sources)} if sources else {}),
        "run by": "; ".join(map(str, holdings)) or "nobody",
        "last run": study.last_run(),
        "models and checkpoints": f"{decimal(summary.artifact_bytes)} in {place_of(study.location)}",
        **({"devices": ", ".join(devices)} if len(devices) > 1 else {}),
        **{change.name: f"{change.then} then, {change.now} now" for change in study.changes()},
    }


def _print_attempts(study: Study, *, as_json: bool) -> None:
    """Print the attempts at all trials."""
    attempts = study.attempts()
    if as_json:
        print_json([_times_as_text(asdict(attempt)) for attempt in attempts])
        return
    from tuner.report.tables import attempts_table

    print_rich(attempts_table(attempts))
    print_next((command("study trials", study.name), "the trials with their values"))


def _times_as_text(fields: Mapping[str, object]) -> dict[str, object]:
    """Return fields with each time as ISO 8601 text."""
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in fields.items()}
