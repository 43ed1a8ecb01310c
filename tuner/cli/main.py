"""The ``tuner`` command: the groups of verbs and the one boundary where errors become exit codes."""

from __future__ import annotations

import sys

import click

from tuner import __version__
from tuner.cli import dashboard, data, delivery, doctor, report, space, storage, study
from tuner.cli.common import be_silent
from tuner.errors import TunerError

INTERRUPTED = 130


class ErrorBoundary(click.Group):
    """TrialQueue errors into one line, a hint and an exit code; a traceback only with ``--debug``."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; see the class."""
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
            # The reader of our output went away (`tuner study list | head -1`): not an error of ours.
            be_silent(sys.stdout)
            ctx.exit(0)


@click.group(cls=ErrorBoundary, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tuner")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Find, train and hand over the best Keras MLP for a data set.

    \b
    tuner study start digits         search (embedded data, under a minute)
    tuner dashboard                  browse every trial
    tuner export digits -o model/    the best model, ready for prediction
    tuner predict model/ new.npz     use it
    """


main.add_command(study.study)
main.add_command(report.report)
main.add_command(dashboard.dashboard)
main.add_command(delivery.export)
main.add_command(delivery.predict)
main.add_command(delivery.evaluate)
main.add_command(space.space)
main.add_command(data.data)
main.add_command(storage.storage)
main.add_command(doctor.doctor)
