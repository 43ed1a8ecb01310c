"""The ``tuner`` command: all subcommands, and the one place where errors become exit codes.

Cloup shows commands and options in groups. It adds about 0.05 s to the start, most of it for ``importlib.metadata``;
``tuner --help`` still answers in less than 0.3 s.
"""

from __future__ import annotations

import sys

import click
import cloup

from tuner import __version__
from tuner.cli import dashboard, data, delivery, doctor, report, space, storage, study
from tuner.cli.common import discard_output
from tuner.errors import TunerError

INTERRUPTED = 130


class ErrorBoundary(cloup.Group):
    """Turns an error into one line, a hint and an exit code; with ``--debug``, into a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command and handle its errors."""
        try:
            return super().invoke(ctx)
        except TunerError as error:
            if ctx.params.get("debug"):
                raise
            click.secho(f"Error: {error}", err=True, fg="red")
            if error.hint:
                click.echo(f"Hint:  {error.hint}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader closed our stdout, as in `tuner study list | head -1`. That is no error of ours.
            discard_output(sys.stdout)
            ctx.exit(0)


@cloup.group(
    cls=ErrorBoundary,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    sections=[
        cloup.Section("Search", [study.study, space.space, data.data]),
        cloup.Section("Look at the results", [report.report, dashboard.dashboard]),
        cloup.Section("Use the model", [delivery.export, delivery.predict, delivery.evaluate]),
        cloup.Section("Maintenance", [doctor.doctor, storage.storage]),
    ],
)
@click.version_option(__version__, prog_name="tuner")
@click.option("--debug", is_flag=True, help="If a command fails, show the traceback.")
def main(debug: bool) -> None:
    """Find, train and export the best Keras MLP for a data set.

    \b
    tuner study start digits         search on built-in data, under a minute
    tuner report digits              read what the search found
    tuner export digits -o model/    save the best model
    tuner predict model/ new.npz     classify new rows with it
    """
