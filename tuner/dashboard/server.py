"""Serves Optuna's dashboard to this machine only."""

from __future__ import annotations

import logging
import socketserver
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from storage import Location, open_store
from tuner.errors import RunError

HOST = "127.0.0.1"  # the dashboard has no login, and anyone who reaches it can delete studies
NAMES = {HOST, "localhost"}

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

logger = logging.getLogger(__name__)


class DashboardServer:
    """A server of the dashboard for one database; a context manager.

    Args:
        location: The database; it must exist.
        port: The port; 0 takes any free one.

    Raises:
        StorageError: If the database does not exist or cannot be used.
        RunError: If the port cannot be opened.
    """

    def __init__(self, location: Location, port: int) -> None:
        with ExitStack() as opened:
            store = opened.enter_context(closing(open_store(location)))
            try:
                self._server = opened.enter_context(_Server((HOST, port), _QuietHandler))
            except OSError as error:
                raise RunError(
                    f"port {port} cannot be opened: {error.strerror}",
                    hint="choose another port: tuner dashboard --port 0",
                ) from None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the dashboard uses deprecated functions
                from optuna_dashboard import wsgi

                self._server.set_app(allow_local_hosts(wsgi(store.optuna)))
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


def allow_local_hosts(application: Application) -> Application:
    """Return ``application`` with a check that refuses requests for other host names than ``NAMES``.

    A foreign web page can let its host name point to 127.0.0.1 (DNS rebinding). Without the check, it could then read
    and change studies. The browser still sends the foreign name as ``Host``. Any port is allowed, for tunnels.
    """

    def checked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        name = environ.get("HTTP_HOST", "").partition(":")[0].lower()
        if name in NAMES:
            return application(environ, start_response)
        status = HTTPStatus.FORBIDDEN
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"This dashboard is available at http://{HOST} only.\n".encode()]

    return checked


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Handles every connection in a thread, so that a slow request does not delay the others."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's names
        """Log the error for debugging only: browsers often close connections early."""
        logger.debug("connection from %s failed", client_address, exc_info=True)  # noqa: LOG014 - called in an exception handler


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Do not print a line for every request."""
