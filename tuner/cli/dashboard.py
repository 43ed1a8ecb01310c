"""The command ``tuner dashboard``."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import cloup

from tuner.cli.common import UserPath, storage_options
from tuner.cli.output import err, out

_FILE = UserPath(dir_okay=False)


@cloup.command()
@cloup.option_group(
    "Dashboard",
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        metavar="PORT",
        default=8080,
        show_default=True,
        help="Port to listen on; 0 takes any free port.",
    ),
    click.option(
        "--allow-edit",
        is_flag=True,
        help="Let the dashboard change studies: write notes, and rename or delete those that are not being run. "
        "Without it, the dashboard is read-only.",
    ),
)
@cloup.option_group(
    "Open it to others",
    click.option(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        show_default=True,
        help="IP address to listen on. Any other than that of this machine needs a login, and TLS or --behind-proxy.",
    ),
    click.option(
        "--password-file",
        type=_FILE,
        metavar="FILE",
        help="Ask for the password in FILE, which only you may read. Without it, a link with a token is printed if a "
        "login is due.",
    ),
    click.option(
        "--tls-cert", type=_FILE, metavar="FILE", help="Serve HTTPS with this certificate (PEM, with its chain)."
    ),
    click.option(
        "--tls-key", type=_FILE, metavar="FILE", help="The key of the certificate (PEM, without a passphrase)."
    ),
    click.option(
        "--behind-proxy",
        is_flag=True,
        help="A proxy such as nginx serves HTTPS and passes the requests on; a login is due. See docs/sharing.md.",
    ),
    click.option(
        "--root-path",
        metavar="/PATH",
        default="",
        help="Path below which the proxy offers the dashboard, such as /tuner.",
    ),
    click.option(
        "--allow-host",
        "allow_hosts",
        metavar="NAME",
        multiple=True,
        help="Host name that browsers use, such as tuner.example.org; a login is due. Other names than this one, the "
        "address and those of this machine are refused. May be repeated.",
    ),
)
@storage_options
def dashboard(port: int, *, allow_edit: bool, home: Path | None, storage: str | None, **access: Any) -> None:
    """Browse the studies in a web browser.

    Serves the Optuna dashboard and prints the address to open: on this machine only, unless the options below open it
    to others. The path /live shows what runs at the moment, also on a phone. It may stay open while studies run. Ctrl-C
    and SIGTERM end it with exit code 0.
    """
    from tuner_storage import locate

    from tuner.dashboard.access import Access
    from tuner.dashboard.server import DashboardServer

    reach = Access(**access)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the first process of a container has no default action
    location = locate(storage, home)
    with suppress(KeyboardInterrupt), DashboardServer(location, port, allow_edit=allow_edit, access=reach) as server:
        out(server.link)
        where = "to others, who must log in" if reach.for_others else "on this machine only"
        if reach.needs_login and not reach.for_others:
            where += ", after a login"
        rights = "Studies can be changed and deleted" if allow_edit else "It is read-only (see --allow-edit)"
        err(f"The dashboard is open {where}. {rights}. Ctrl-C ends it.")
        if server.link != server.address:
            err("Whoever has this link can log in while the dashboard is open.")
        server.serve()
