"""The verbs on studies: start, stop, list, show, trials, best, ladder, delete."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuner.cli.common import as_json, data_dir, print_json, print_next, print_rich, quoted, storage_options

if TYPE_CHECKING:
    from tuner.study import Study

EXIT_CODES = {"interrupt": 130, "terminate": 143}


@click.group()
def study() -> None:
    """Run searches and look at them."""


@study.command()
@click.argument("search")
@click.option("--name", help="Name of the study.  [default: the recipe's]")
@click.option("--trials", type=int, help="Trials of the study in total; starting again tops up.")
@click.option("--epochs", type=int, help="Epochs of each trial at most.")
@click.option("--timeout", metavar="TIME", help="Stop this run after TIME: 90s, 10m, 1h30m.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that train at the same time.  [default: cores]")
@click.option("--sampler", metavar="NAME", help="tpe, random, qmc, cmaes, grid or nsga2.")
@click.option("--pruner", metavar="NAME", help="none, median, percentile, sha, hyperband, patient or threshold.")
@click.option("--threshold", type=float, help="Worst objective that the threshold pruner lets live.")
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
    _run(opened, quiet=quiet, as_json=as_json, device=device, executor=executor, **settings)


@study.command()
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
    _leave(result.stopped_by, opened.name)


@study.command("list")
@as_json
@storage_options
def list_command(as_json: bool, home: Path | None, storage: str | None) -> None:
    """List the studies."""
    from storage import locate
    from tuner.overview import list_studies

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
    summary = opened.summary()
    if as_json:
        print_json({**summary.as_json(), "recipe": opened.recipe.model_dump(mode="json")})
        return
    from tuner.report.tables import params_table, studies_table
    from tuner.report.text import duration

    print_rich(studies_table([summary]))
    budget = opened.recipe.budget
    settings = {
        "started": f"{summary.created:%Y-%m-%d %H:%M} UTC",
        "sampler": opened.recipe.search.sampler,
        "pruner": opened.recipe.search.pruner,
        "seed": opened.recipe.search.seed,
        "epochs": budget.epochs,
        "timeout": duration(budget.timeout) if budget.timeout else "none",
        "validation": opened.recipe.validation,
    }
    print_rich(params_table(settings, "Settings"))
    print_next([(f"tuner study trials {quoted(name)}", "every trial"), (f"tuner report {quoted(name)}", "the report")])


@study.command()
@click.argument("name")
@click.option("--top", type=click.IntRange(min=1), help="Only the best N complete trials, best first.")
@as_json
@storage_options
def trials(name: str, top: int | None, as_json: bool, home: Path | None, storage: str | None) -> None:
    """List the trials of study NAME."""
    from tuner.results import ranked
    from tuner.study import load_study

    opened = load_study(name, storage=storage, home=home)
    found = opened.trials()
    if top is not None:
        found = ranked(found, opened.recipe)[:top]
    if as_json:
        print_json([trial.as_json() for trial in found])
    else:
        from tuner.report.tables import trials_table

        print_rich(trials_table(found, opened.recipe))


@study.command()
@click.argument("name")
@as_json
@storage_options
def best(name: str, as_json: bool, home: Path | None, storage: str | None) -> None:
    """Show the best trial of study NAME."""
    from tuner.study import load_study

    opened = load_study(name, storage=storage, home=home)
    if as_json:
        opened.best()  # the same error without a complete trial
        print_json(opened.as_json())
    else:
        _print_best(opened)
        _print_next_of(opened)


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
    print_next([(f"tuner study start {quoted(name)}", "go on")])


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


def _run(opened: Study, *, quiet: bool, as_json: bool, **settings: Any) -> None:
    """Run a study and print what came out."""
    _load_data(opened)
    with ExitStack() as stack:
        result = opened.run(progress=_progress(stack, quiet=quiet), **settings)
    if as_json:
        print_json(opened.as_json())
    else:
        _print_result(opened)
    _leave(result.stopped_by, opened.name)


def _load_data(opened: Study) -> None:
    """Read the data before the run, with a bar on stderr where it has to be downloaded."""
    from tuner.cli.data import DownloadBar

    opened.load_data(DownloadBar())


def _progress(stack: ExitStack, *, quiet: bool) -> Any:
    from tuner.cli.live import LiveTable, progress_display

    display = progress_display(quiet=quiet)
    return stack.enter_context(display) if isinstance(display, LiveTable) else display


def _leave(stopped_by: str | None, name: str) -> None:
    """Say why a run ended early, how to go on, and leave with the exit code for it."""
    if stopped_by is None:
        return
    reasons = {
        "timeout": "The time is up",
        "stop": "Stopped by `tuner study stop`",
        "interrupt": "Interrupted",
        "terminate": "Terminated",
    }
    click.echo(f"\n{reasons[stopped_by]}; every result is kept. Go on with: tuner study start {quoted(name)}", err=True)
    if stopped_by in EXIT_CODES:
        raise SystemExit(EXIT_CODES[stopped_by])


def _print_result(opened: Study) -> None:
    from tuner.report.tables import trials_table
    from tuner.results import ranked

    top = ranked(opened.trials(), opened.recipe)[:5]
    if not top:
        click.echo("No trial is complete yet.", err=True)
        return
    print_rich(trials_table(top, opened.recipe, "The best configurations"))
    _print_best(opened)
    _print_next_of(opened)


def _print_best(opened: Study) -> None:
    from tuner.report.tables import params_table
    from tuner.report.text import metric

    trial = opened.best()
    print_rich(params_table(trial.all_params, f"Trial {trial.number}, the best of '{opened.name}'"))
    shown = {**trial.metrics, **{f"test {name}": value for name, value in (trial.test or {}).items()}}
    names = ("val_accuracy", "val_loss", "test accuracy", "test loss")
    click.echo("   ".join(f"{name} {metric(shown[name])}" for name in names if name in shown))


def _print_next_of(opened: Study) -> None:
    name = quoted(opened.name)
    print_next(
        [
            (f"tuner report {name}", "what the search found"),
            ("tuner dashboard", "browse every trial"),
            (f"tuner export {name} -o model/", "the best model, ready for prediction"),
        ]
    )
