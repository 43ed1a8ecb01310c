"""The command ``tuner study start``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import cloup

from tuner.cli import start_options
from tuner.cli.complete import searches
from tuner.cli.output import err, print_json
from tuner.cli.result import print_result
from tuner.cli.run import EXIT_CODES, leave, load_data, open_display
from tuner.command_line import command
from tuner.config.data_files import is_table


@cloup.command()
@click.argument(
    "search",
    help="A built-in search (see `tuner space list`), a TOML file, a table (.csv, .parquet), an .npz file, or the name "
    "of an existing study.",
    shell_complete=searches,
)
@start_options.common_options
@start_options.budget_options
@start_options.search_options
@start_options.winner_options
@start_options.data_options
@start_options.table_options
@start_options.machine_options
@start_options.study_options
@start_options.output_options
def start(  # noqa: PLR0917 - one parameter per option
    search: str,
    name: str | None,
    device: Any,
    executor: str,
    ray: str | None,
    gpus_per_worker: float,
    patience: int | None,
    quiet: bool,
    dashboard: bool,
    as_json: bool,
    data_dir: Path | None,
    home: Path | None,
    storage: str | None,
    artifacts: str | None,
    target: str | None,
    kinds: dict[str, str],
    drop: tuple[str, ...],
    header: bool | None,
    task: Any,
    test: float | str | None,
    group: str | None,
    time: str | None,
    **settings: Any,
) -> None:
    """Start a search, or continue it.

    \b
    tuner study start digits
    tuner study start mnist --trials 12 --epochs 5
    tuner study start houses.csv --target price
    tuner study start my.toml --timeout 15m --workers 2
    """
    from tuner.executors.fork_server import started_early

    settings["plateau"] = _plateau(settings["plateau"], patience)
    settings["target"] = settings.pop("stop_at")
    if target is not None and not is_table(search):
        settings["target"], target = _stop_at(settings["target"], target), None
    with started_early(wanted=executor == "local" and ray is None):
        from tuner.study import open_study

        study = open_study(
            search, name=name, storage=storage, home=home, artifacts=artifacts, data_dir=data_dir, target=target,
            columns=kinds or None, drop=drop or None, header=header, task=task, test=test, group=group, time=time,
        )  # fmt: skip
        load_data(study, fresh=settings["fresh"])
        with ExitStack() as stack:
            display = open_display(stack, quiet=quiet)
            if dashboard:
                from tuner.dashboard.beside import DashboardBeside

                stack.enter_context(DashboardBeside(study.location, err))
            result = study.run(
                progress=display, device=device, executor=executor, ray=ray, gpus_per_worker=gpus_per_worker, **settings
            )
    if result.stopped_by == "hangup":  # the terminal is closed, so nobody can read any output
        raise SystemExit(EXIT_CODES["hangup"])
    if as_json:
        print_json(study.as_json())
    else:
        print_result(study)
    leave(result.stopped_by, command("study start", search, name=name, trials=settings["trials"]))


def _plateau(plateau: int | None, patience: int | None) -> int | None:
    """Return the value of ``--plateau``, which may also be given by its old name, ``--patience``."""
    if patience is None:
        return plateau
    if plateau is not None:
        raise click.UsageError("--patience is the old name of --plateau: give --plateau alone")
    err("--patience is now called --plateau; the old name still works.")
    return patience


def _stop_at(stop_at: Any, target: str) -> Any:
    """Return the value of ``--stop-at``, which was called ``--target`` before that option named a column."""
    if stop_at is not None:
        raise click.UsageError("--target names a column of a table, and this is no table: give --stop-at alone")
    value = start_options.OrNone(click.FLOAT).convert(target, None, click.get_current_context())
    err("--target VALUE is now called --stop-at; the old name still works for data that are no tables.")
    return value
