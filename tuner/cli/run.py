"""The verbs that run a study: ``start`` and ``ladder``."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuner.cli.common import as_json, be_silent, data_dir, print_json, print_rich, storage_options
from tuner.cli.result import print_result

if TYPE_CHECKING:
    from tuner.study import Study

EXIT_CODES = {"interrupt": 130, "terminate": 143, "hangup": 129}


@click.command()
@click.argument("search")
@click.option("--name", help="Name of the study.  [default: the recipe's]")
@click.option("--trials", type=int, help="Trials of the study in total; starting again tops up.")
@click.option("--epochs", type=int, help="Epochs of each trial at most.")
@click.option("--timeout", metavar="TIME", help="Stop this run after TIME: 90s, 10m, 1h30m.")
@click.option("--target", type=float, help="End once the best objective is as good as this.")
@click.option("--patience", "plateau", type=int, help="End once so many trials have ended without a better one.")
@click.option("--max-parameters", type=int, metavar="N", help="Refuse models with more than N weights.")
@click.option(
    "--from",
    "learn_from",
    metavar="STUDIES",
    callback=lambda _context, _option, names: _names(names),
    help="Learn from earlier studies: OLD or OLD,OLDER.",
)
@click.option("--trial-timeout", metavar="TIME", help="Fail a trial that takes longer than TIME.")
@click.option("--retries", type=int, help="Tries again of a trial whose process died.  [default: 2]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that train at the same time.  [default: cores]")
@click.option(
    "--sampler",
    metavar="NAME",
    help="auto (grid if the trials suffice for it, else tpe), tpe, gp, random, qmc, cmaes, grid or nsga2.",
)
@click.option(
    "--pruner",
    metavar="NAME",
    help="asha, hyperband (trials pause and come back), none, or Optuna's: median, percentile, sha, optuna-hyperband, "
    "patient, threshold.",
)
@click.option("--confirm", type=int, metavar="K", help="Train the best K configurations again: the best mean wins.")
@click.option("--seeds", type=int, metavar="S", help="With S further seeds each.  [default: 2]")
@click.option("--refit/--no-refit", default=None, help="Train the winner on the validation rows too, at the end.")
@click.option("--threshold", type=float, help="Worst objective that the threshold pruner lets live.")
@click.option(
    "--objectives",
    metavar="NAMES",
    help="What trials are judged by, such as val_accuracy,parameters: val_accuracy or val_loss first, and up to two "
    "more of these, parameters, latency_ms and seconds.",
)
@click.option("--validation", type=float, help="Share (0.2) or number (5000) of training rows that validate.")
@click.option("--seed", type=int, help="Seed of everything random.  [default: 0]")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True, help="Where to train."
)
@click.option(
    "--executor",
    type=click.Choice(["local", "inline"]),
    default="local",
    show_default=True,
    help="Train in worker processes, or inline in this one for debugging.",
)
@click.option("--fresh", is_flag=True, help="Delete the study first, if it exists.")
@click.option("--take-over", is_flag=True, help="Wait until the lease of a run that hangs runs out, then go on.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@as_json
@data_dir
@storage_options
def start(  # noqa: PLR0917 - one parameter per option
    search: str,
    name: str | None,
    device: Any,
    executor: Any,
    quiet: bool,
    as_json: bool,
    data_dir: Path | None,
    home: Path | None,
    storage: str | None,
    **settings: Any,
) -> None:
    """Start or resume SEARCH.

    SEARCH is a name (see `tuner space list`), a TOML file, or a study.

    \b
    tuner study start digits
    tuner study start mnist --trials 12 --epochs 5
    tuner study start my.toml --timeout 15m --workers 2
    """
    from tuner.study import open_study

    opened = open_study(search, name=name, storage=storage, home=home, data_dir=data_dir)
    _load_data(opened)
    with ExitStack() as stack:
        display = _progress(stack, quiet=quiet)
        result = opened.run(progress=display, device=device, executor=executor, **settings)
    if result.stopped_by == "hangup":  # the terminal is gone: nobody can be told anything
        be_silent(sys.stdout, sys.stderr)
        raise SystemExit(EXIT_CODES["hangup"])
    if as_json:
        print_json(opened.as_json())
    else:
        print_result(opened)
    again = _command("study", "start", search, name=name, trials=settings["trials"], home=home, storage=storage)
    _leave(result.stopped_by, again)


@click.command()
@click.argument("data", type=click.Choice(["mnist"]), default="mnist")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that train at the same time.  [default: cores]")
@click.option("--fresh", is_flag=True, help="Train all rungs again.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@as_json
@data_dir
@storage_options
def ladder(  # noqa: PLR0917
    data: str,
    workers: int | None,
    fresh: bool,
    quiet: bool,
    as_json: bool,
    data_dir: Path | None,
    home: Path | None,
    storage: str | None,
) -> None:
    """Train five classic networks beside a book.

    Their test accuracies on DATA stand beside those that the book prints. Takes two to four minutes on two cores.
    """
    from tuner.report.ladder import ladder_rows
    from tuner.study import open_study

    opened = open_study(f"{data}_ladder", storage=storage, home=home, data_dir=data_dir)
    _load_data(opened)
    with ExitStack() as stack:
        result = opened.run(workers=workers, fresh=fresh, test_all=True, progress=_progress(stack, quiet=quiet))
    rows = ladder_rows(opened.recipe, opened.trials())
    if as_json:
        print_json([{"network": label, "book": book, "ours": ours} for label, book, ours in rows])
    else:
        from tuner.report.tables import ladder_table

        print_rich(ladder_table(rows))
    _leave(result.stopped_by, _command("study", "ladder", data, home=home, storage=storage))


def _names(names: str | None) -> list[str] | None:
    """Return the names in a list that is separated by commas."""
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


def _load_data(opened: Study) -> None:
    """Read the data before the run, with a bar on stderr where it has to be downloaded."""
    from tuner.cli.data import DownloadBar

    opened.load_data(DownloadBar())


def _progress(stack: ExitStack, *, quiet: bool) -> Any:
    from tuner.cli.live import LiveTable, progress_display

    display = progress_display(quiet=quiet)
    return stack.enter_context(display) if isinstance(display, LiveTable) else display


def _command(*words: str, **options: object) -> str:
    """Return the command line with the options that were given, as a shell takes it."""
    options["storage"] = _without_password(options["storage"])
    given = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    return shlex.join(["tuner", *words, *given])


def _without_password(storage: object) -> object:
    """Return a URL that may be shown; nothing where the environment names the database anyway."""
    from storage import locate

    if not isinstance(storage, str) or storage == os.environ.get("TUNER_STORAGE"):
        return None
    location = locate(storage)
    return str(location) if location.is_server else storage


def _leave(stopped_by: str | None, again: str) -> None:
    """Say why a run ended early, how to go on, and leave with the exit code for it."""
    if stopped_by is None:
        return
    reasons = {
        "timeout": "The time is up",
        "target": "The target is reached",
        "plateau": "The last trials brought nothing better",
        "stop": "Stopped by `tuner study stop`",
        "interrupt": "Interrupted",
        "terminate": "Terminated",
    }
    click.echo(f"\n{reasons[stopped_by]}; every result is kept. Go on with: {again}", err=True)
    if stopped_by in EXIT_CODES:
        raise SystemExit(EXIT_CODES[stopped_by])
