"""The command ``tuner study ladder``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from tuner.cli.common import artifacts_option, as_json, data_dir, storage_options
from tuner.cli.output import print_json, print_next, print_rich
from tuner.cli.run import leave, load_data, open_display, workers_option
from tuner.command_line import command


@click.command()
@click.argument("data", type=click.Choice(["mnist"]), default="mnist", help="The data set to train on.")
@workers_option
@click.option("--fresh", is_flag=True, help="Train all networks again.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@as_json
@data_dir
@storage_options
@artifacts_option
def ladder(  # noqa: PLR0917 - one parameter per option
    data: str,
    workers: int | None,
    fresh: bool,
    quiet: bool,
    as_json: bool,
    data_dir: Path | None,
    home: Path | None,
    storage: str | None,
    artifacts: str | None,
) -> None:
    """Train five classic networks and compare with a book.

    Prints their test accuracies beside those in the book. Takes two to four minutes on two cores.
    """
    from tuner.report.ladder import ladder_rows
    from tuner.study import open_study

    study = open_study(f"{data}_ladder", storage=storage, home=home, artifacts=artifacts, data_dir=data_dir)
    load_data(study, fresh=fresh)
    with ExitStack() as stack:
        result = study.run(workers=workers, fresh=fresh, test_all=True, progress=open_display(stack, quiet=quiet))
    rows = ladder_rows(study.settings(), study.trials())
    if as_json:
        print_json([{"network": label, "book": book, "ours": ours} for label, book, ours in rows])
    else:
        from tuner.report.tables import ladder_table

        print_rich(ladder_table(rows))
        if result.stopped_by is None:
            print_next((command("study start", data), "search for a better network"))
    leave(result.stopped_by, command("study ladder", data))
