"""The command ``tuner study plot``."""

from __future__ import annotations

from pathlib import Path

import click

from tuner.cli.common import UserPath, storage_options, study_name, study_output
from tuner.cli.output import err, print_next
from tuner.command_line import command


@click.command()
@study_name
@click.option(
    "-o", "--output", metavar="FILE", required=True, type=UserPath(), help="The picture: a .png or a .svg file."
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@storage_options
def plot(name: str, *, output: Path, force: bool, home: Path | None, storage: str | None) -> None:
    """Draw the history of a study and the importance of its parameters.

    Needs matplotlib: pip install 'mlp-tuner[plots]'.
    """
    from tuner.errors import UsageError
    from tuner.evaluation.plots import require_matplotlib
    from tuner.report.plots import check_suffix, draw_study
    from tuner.study import load_study

    kind = check_suffix(output)
    study = load_study(name, storage=storage, home=home)
    file = study_output(output, study.location, study.recipe.data, force=force, data_dir=study.data_dir)
    require_matplotlib()
    with study.at_once():
        trials = study.trials()
        if not study.has_result():
            raise UsageError(
                f"study '{name}' has no complete trial yet", hint=f"continue it: {command('study start', name)}"
            )
        with file.file() as temporary:
            draw_study(
                temporary, kind, name=name, recipe=study.settings(), trials=trials, importances=study.importances()
            )
    err(f"Wrote {file}.")
    print_next((command("report", name, html="report.html"), "all figures, on one page"))
