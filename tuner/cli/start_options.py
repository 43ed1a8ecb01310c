"""The options of ``tuner study start``, in groups."""

from __future__ import annotations

from typing import Any

import click
import cloup

from tuner.cli.common import artifacts_option, as_json, data_dir, storage_options
from tuner.cli.complete import study_list
from tuner.cli.run import workers_option
from tuner.cli.table_options import column_option, drop_option, header_option, target_option, task_option


class OrNone(click.ParamType[Any]):
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


common_options = cloup.option_group(
    "Common options",
    click.option(
        "--trials", type=int, metavar="N", help="Trials of the study in total. Start it again with more to add trials."
    ),
    click.option("--epochs", type=int, metavar="N", help="Maximum number of epochs per trial."),
    click.option("--timeout", metavar="TIME", help="Maximum time of this run, such as 90s, 10m, 1h30m or none."),
    workers_option,
    click.option("--name", help="Name of the study.  [default: the name in the recipe]"),
)
budget_options = cloup.option_group(
    "Budget",
    click.option(
        "--stop-at",
        type=OrNone(click.FLOAT),
        metavar="VALUE",
        help="Stop when the first objective is as good as VALUE; none: no target.",
    ),
    click.option(
        "--plateau", type=OrNone(click.INT), metavar="N", help="Stop after N trials without improvement; none: never."
    ),
    click.option("--patience", type=int, metavar="N", hidden=True, help="The old name of --plateau."),
    click.option(
        "--trial-timeout", metavar="TIME", help="Fail a trial if one attempt takes longer than TIME; none: no limit."
    ),
    click.option(
        "--retries", type=int, metavar="N", help="Further attempts at a trial if its worker dies.  [default: 2]"
    ),
)
search_options = cloup.option_group(
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
        type=OrNone(click.INT),
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
winner_options = cloup.option_group(
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
data_options = cloup.option_group(
    "Data",
    click.option(
        "--validation", type=float, help="Validation rows: a share (0.2) or a number (5000) of the training rows."
    ),
    data_dir,
)
table_options = cloup.option_group(
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
machine_options = cloup.option_group(
    "Machine",
    click.option(
        "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True, help="Where to train."
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "float32", "bfloat16"]),
        help="Of the products of large layers in training. auto measures which is faster for images, and keeps float32 "
        "for all other data.  [default: auto]",
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
study_options = cloup.option_group(
    "Study and storage",
    click.option("--fresh", is_flag=True, help="Delete the study first, if it exists, with its trials and models."),
    click.option(
        "--take-over",
        is_flag=True,
        help="If another run holds the study but hangs or died, wait until its lease expires, then continue. "
        "On PostgreSQL, runs share a study: there is nothing to wait for.",
    ),
    storage_options,
    artifacts_option,
)
output_options = cloup.option_group(
    "Output",
    as_json,
    click.option("--quiet", is_flag=True, help="Show no progress."),
    click.option(
        "--dashboard",
        is_flag=True,
        help="Serve the dashboard and its live page on this machine while the study runs, and print the address.",
    ),
)
