"""Serves Optuna's dashboard to this machine only."""

from __future__ import annotations

import logging
import socketserver
import warnings
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from tuner_storage import Location, open_store

from tuner.command_line import command
from tuner.dashboard.banner import with_banner
from tuner.dashboard.csv_download import with_safe_csv
from tuner.dashboard.edits import guarded_edits
from tuner.dashboard.headers import SECURITY, with_security_headers
from tuner.dashboard.origins import only_from_here
from tuner.dashboard.routes import only_known_routes
from tuner.dashboard.wsgi import Application
from tuner.errors import RunError

HOST = "127.0.0.1"  # the dashboard has no login
NAMES = (HOST, "localhost", "[::1]")  # of this machine; a tunnel may use any of them

logger = logging.getLogger(__name__)


class DashboardServer:
    """A server of the dashboard for one database; a context manager.

    Args:
        location: The database; it must exist.
        port: The port; 0 takes any free one.
        allow_edit: Whether notes and attributes may be written, and studies that no run holds renamed and deleted.

    Raises:
        StorageError: If the database does not exist or cannot be used.
        RunError: If the port cannot be opened.
    """

    def __init__(self, location: Location, port: int, *, allow_edit: bool = False) -> None:
        with ExitStack() as opened:
            store = opened.enter_context(closing(open_store(location)))
            try:
                self._server = opened.enter_context(_Server((HOST, port), _QuietHandler))
            except OSError as error:
                raise RunError(
                    f"port {port} cannot be opened: {error.strerror}",
                    hint=f"choose another port: {command('dashboard', port=0)}",
                ) from None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the dashboard uses deprecated functions
                from optuna_dashboard import wsgi

                pages: Application = with_safe_csv(wsgi(store.optuna))
            pages = guarded_edits(pages, location) if allow_edit else with_banner(pages)
            routes = only_known_routes(pages, allow_edit=allow_edit)
            self._server.set_app(with_security_headers(only_from_here(routes, NAMES)))
            self._opened = opened.pop_all()

    @property
    def address(self) -> str:
        """The URL for a browser."""
        return f"http://{HOST}:{self._server.server_port}/dashboard"

    def serve(self) -> None:
        """Answer requests until the process is interrupted, or another thread calls :meth:`stop`."""
        with warnings.catch_warnings():
            # About importances of few trials and experimental functions; the user cannot act on them.
            warnings.filterwarnings("ignore", module="optuna")
            self._server.serve_forever()

    def stop(self) -> None:
        """End :meth:`serve`, which runs in another thread."""
        self._server.shutdown()

    def __enter__(self) -> Self:
        """Return the server; its port is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port and the database."""
        self._opened.close()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Handles every connection in a thread, so that a slow request does not delay the others."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's names
        """Log the error for debugging only: browsers often close connections early."""
        logger.debug("connection from %s failed", client_address, exc_info=True)  # noqa: LOG014 - called in an exception handler


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Do not print a line for every request."""

    def end_headers(self) -> None:
        """Protect the answers to malformed requests too; those of the application do not pass here."""
        for header in SECURITY.items():
            self.send_header(*header)
        super().end_headers()
