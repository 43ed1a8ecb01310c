"""The command ``tuner study start``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import cloup

from tuner.cli.common import as_json, data_dir, storage_options
from tuner.cli.complete import searches, study_list
from tuner.cli.output import err, print_json
from tuner.cli.result import print_result
from tuner.cli.run import EXIT_CODES, leave, load_data, open_display, workers_option
from tuner.cli.table_options import column_option, drop_option, header_option, target_option, task_option
from tuner.command_line import command
from tuner.config.data_files import is_table


class _OrNone(click.ParamType[Any]):
    """A number, or ``none`` for no limit."""

    def __init__(self, number: click.ParamType[Any]) -> None:
        self.name = number.name
        self._number = number

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or ``none`` as it is."""
        return value if value == "none" else self._number.convert(value, param, ctx)


def _split_names(_context: click.Context, _option: click.Parameter, names: str | None) -> list[str] | None:
    """Return the names of a list that is separated by commas."""
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


def _file_or_share(_context: click.Context, _option: click.Parameter, value: str | None) -> float | str | None:
    """Return a number between 0 and 1 as such, and anything else as the path of a file."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return value


_common = cloup.option_group(
    "Common options",
    click.option(
        "--trials", type=int, metavar="N", help="Trials of the study in total. Start it again with more to add trials."
    ),
    click.option("--epochs", type=int, metavar="N", help="Maximum number of epochs per trial."),
    click.option("--timeout", metavar="TIME", help="Maximum time of this run, such as 90s, 10m, 1h30m or none."),
    workers_option,
    click.option("--name", help="Name of the study.  [default: the name in the recipe]"),
)
_budget = cloup.option_group(
    "Budget",
    click.option(
        "--stop-at",
        type=_OrNone(click.FLOAT),
        metavar="VALUE",
        help="Stop when the first objective is as good as VALUE; none: no target.",
    ),
    click.option(
        "--plateau", type=_OrNone(click.INT), metavar="N", help="Stop after N trials without improvement; none: never."
    ),
    click.option("--patience", type=int, metavar="N", hidden=True, help="The old name of --plateau."),
    click.option(
        "--trial-timeout", metavar="TIME", help="Fail a trial if one attempt takes longer than TIME; none: no limit."
    ),
    click.option(
        "--retries", type=int, metavar="N", help="Further attempts at a trial if its worker dies.  [default: 2]"
    ),
)
_search = cloup.option_group(
    "Search",
    click.option(
        "--sampler",
        metavar="NAME",
        help="The sampler, which proposes configurations: auto, tpe, gp, random, qmc, cmaes, grid or nsga2. auto means "
        "grid if the trials cover the whole search space, else tpe.",
    ),
    click.option(
        "--pruner",
        metavar="NAME",
        help="The pruner, which pauses or ends weak trials: asha or hyperband (both pause trials and may continue them "
        "later), none, or Optuna's median, percentile, sha, patient, threshold or optuna-hyperband.",
    ),
    click.option(
        "--threshold", type=float, help="For --pruner threshold: prune trials whose objective is worse than this."
    ),
    click.option(
        "--objectives",
        metavar="NAMES",
        help="What to optimize, separated by commas: a metric (val_accuracy, val_loss; for tables also val_auc, "
        "val_average_precision, val_f1, val_rmse, val_mae, val_r2), then up to two more metrics or of parameters, "
        "latency_ms and seconds.",
    ),
    click.option(
        "--max-parameters",
        type=_OrNone(click.INT),
        metavar="N",
        help="Refuse models with more than N weights; none: no limit.",
    ),
    click.option(
        "--from",
        "learn_from",
        metavar="STUDIES",
        callback=_split_names,
        shell_complete=study_list,
        help="Learn from these earlier studies, separated by commas.",
    ),
    click.option("--seed", type=int, metavar="N", help="Seed of all random numbers.  [default: 0]"),
)
_winner = cloup.option_group(
    "Winner",
    click.option(
        "--confirm",
        type=int,
        metavar="K",
        help="After the search, train the best K configurations again with further seeds. The best mean wins.",
    ),
    click.option("--seeds", type=int, metavar="S", help="Number of further seeds for --confirm.  [default: 2]"),
    click.option(
        "--refit/--no-refit",
        default=None,
        help="At the end, train the winner once more, on the training and validation rows together.",
    ),
    click.option(
        "--ensemble",
        type=click.IntRange(0, 100),
        metavar="N",
        help="At the end, average those of the best N models that are better together; 0: none.  [default: 8 for "
        "tables]",
    ),
)
_data = cloup.option_group(
    "Data",
    click.option(
        "--validation", type=float, help="Validation rows: a share (0.2) or a number (5000) of the training rows."
    ),
    data_dir,
)
_table = cloup.option_group(
    "Tables",
    target_option,
    column_option,
    drop_option,
    header_option,
    task_option,
    click.option(
        "--test",
        metavar="FILE|SHARE",
        callback=_file_or_share,
        help="A table with the test rows, or the share to hold out, such as 0.1.  [default: 0.2]",
    ),
    click.option(
        "--group", metavar="COLUMN", help="Keep rows with the same value in this column on one side of each split."
    ),
    click.option(
        "--time", metavar="COLUMN", help="Test on the last rows by this column, and validate on those before."
    ),
)
_machine = cloup.option_group(
    "Machine",
    click.option(
        "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True, help="Where to train."
    ),
    click.option(
        "--executor",
        metavar="NAME",
        default="local",
        show_default=True,
        help="Train in worker processes (local), in this process for debugging (inline), on a Ray cluster (ray), or "
        "with an executor of another package.",
    ),
    click.option(
        "--ray",
        metavar="ADDRESS",
        help="Train on a Ray cluster: auto for the one of this machine, local for a new one, or ray://HOST:10001.",
    ),
    click.option(
        "--gpus-per-worker",
        type=click.FloatRange(min=0),
        default=0.0,
        metavar="SHARE",
        help="GPUs of each trainer on a Ray cluster; with 0.25, four share one.  [default: 0]",
    ),
)
_study = cloup.option_group(
    "Study and storage",
    click.option("--fresh", is_flag=True, help="Delete the study first, if it exists, with its trials and models."),
    click.option(
        "--take-over",
        is_flag=True,
        help="If another run holds the study but hangs or died, wait until its lease expires, then continue.",
    ),
    storage_options,
)
_output = cloup.option_group(
    "Output",
    as_json,
    click.option("--quiet", is_flag=True, help="Show no progress."),
    click.option(
        "--dashboard",
        is_flag=True,
        help="Serve the dashboard and its live page on this machine while the study runs, and print the address.",
    ),
)


@cloup.command()
@click.argument(
    "search",
    help="A built-in search (see `tuner space list`), a TOML file, a table (.csv, .parquet), an .npz file, or the name "
    "of an existing study.",
    shell_complete=searches,
)
@_common
@_budget
@_search
@_winner
@_data
@_table
@_machine
@_study
@_output
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
    from tuner.study import open_study

    settings["plateau"] = _plateau(settings["plateau"], patience)
    settings["target"] = settings.pop("stop_at")
    if target is not None and not is_table(search):
        settings["target"], target = _stop_at(settings["target"], target), None
    study = open_study(
        search, name=name, storage=storage, home=home, data_dir=data_dir, target=target, columns=kinds or None,
        drop=drop or None, header=header, task=task, test=test, group=group, time=time,
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
    value = _OrNone(click.FLOAT).convert(target, None, click.get_current_context())
    err("--target VALUE is now called --stop-at; the old name still works for data that are no tables.")
    return value
