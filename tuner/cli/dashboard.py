"""The command ``tuner dashboard``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from tuner.cli.common import storage_options
from tuner.cli.output import err, out


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes any free port.",
)
@click.option(
    "--allow-edit",
    is_flag=True,
    help="Let the dashboard change studies: write notes, and rename or delete those that are not being run. Without "
    "it, the dashboard is read-only.",
)
@storage_options
def dashboard(port: int, *, allow_edit: bool, home: Path | None, storage: str | None) -> None:
    """Browse the studies in a web browser.

    Serves the Optuna dashboard on this machine only and prints the address to open. It may stay open while studies
    run. Ctrl-C ends it with exit code 0.
    """
    from tuner_storage import locate

    from tuner.dashboard.server import DashboardServer

    location = locate(storage, home)
    with suppress(KeyboardInterrupt), DashboardServer(location, port, allow_edit=allow_edit) as server:
        out(server.address)
        rights = "Studies can be changed and deleted" if allow_edit else "It is read-only (see --allow-edit)"
        err(f"The dashboard is open on this machine only. {rights}. Ctrl-C ends it.")
        server.serve()
