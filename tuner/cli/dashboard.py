"""The command ``tuner dashboard``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from tuner.cli.common import storage_options


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes any free port.",
)
@storage_options
def dashboard(port: int, home: Path | None, storage: str | None) -> None:
    """Browse the studies in a web browser.

    Serves the Optuna dashboard on this machine only and prints the address to open. It may stay open while studies
    run. Ctrl-C ends it with exit code 0.
    """
    from storage import locate
    from tuner.dashboard.server import DashboardServer

    with suppress(KeyboardInterrupt), DashboardServer(locate(storage, home), port) as server:
        click.echo(server.address)
        click.echo("The dashboard is open on this machine only. Ctrl-C ends it.", err=True)
        server.serve()
