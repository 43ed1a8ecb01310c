"""The ``tuner`` command: all subcommands, and the options of all of them.

Cloup shows commands and options in groups. It adds about 0.05 s to the start, most of it for ``importlib.metadata``;
``tuner --help`` still answers in less than 0.3 s.
"""

from __future__ import annotations

from pathlib import Path

import click
import cloup

from tuner import __version__
from tuner.cli import completion, dashboard, data, delivery, doctor, report, space, storage, study
from tuner.cli.boundary import ErrorBoundary
from tuner.cli.common import UserPath
from tuner.cli.logs import logging_to


@cloup.group(
    cls=ErrorBoundary,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    sections=[
        cloup.Section("Search", [study.study, space.space, data.data]),
        cloup.Section("Look at the results", [report.report, dashboard.dashboard]),
        cloup.Section("Use the model", [delivery.export, delivery.predict, delivery.evaluate]),
        cloup.Section("Maintenance", [doctor.doctor, storage.storage, completion.completion]),
    ],
)
@click.version_option(__version__, prog_name="tuner")
@click.option("--debug", is_flag=True, help="Show log messages and tracebacks on stderr.")
@click.option(
    "--log-file",
    type=UserPath(dir_okay=False),
    metavar="FILE",
    help="Append log messages and tracebacks to a file.",
)
@click.pass_context
def main(context: click.Context, debug: bool, log_file: Path | None) -> None:
    """Find, train and export the best Keras MLP for a data set.

    \b
    tuner study start digits         search on built-in data, under a minute
    tuner report digits              read what the search found
    tuner export digits -o model/    save the best model
    tuner predict model/ new.npz     classify new rows with it
    """
    context.with_resource(logging_to(log_file, debug=debug))
