"""Serve ``optuna_dashboard`` on this machine."""

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

HOST = "127.0.0.1"  # the dashboard has no login: whoever reaches it may delete studies
NAMES = {HOST, "localhost"}

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

logger = logging.getLogger(__name__)


class DashboardServer:
    """The dashboard over one database, as a context manager.

    Args:
        location: The database; it must exist.
        port: 0 takes any free port.

    Raises:
        StorageError: If there is no database yet, or it cannot be used.
        RunError: If the port cannot be opened.
    """

    def __init__(self, location: Location, port: int) -> None:
        with ExitStack() as opened:
            store = opened.enter_context(closing(open_store(location)))
            try:
                self._server = opened.enter_context(_Server((HOST, port), _QuietHandler))
            except OSError as error:
                raise RunError(
                    f"port {port} cannot be opened: {error.strerror}", hint="choose another: tuner dashboard --port 0"
                ) from None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the dashboard speaks of its own deprecations
                from optuna_dashboard import wsgi

                self._server.set_app(only_local(wsgi(store.optuna)))
            self._opened = opened.pop_all()

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self._server.server_port}/dashboard"

    def serve(self) -> None:
        """Answer requests until the process is interrupted, or another thread calls :meth:`stop`."""
        with warnings.catch_warnings():
            # Importances of few trials, experimental functions: nothing that the reader of a terminal could act on.
            warnings.filterwarnings("ignore", module="optuna")
            self._server.serve_forever()

    def stop(self) -> None:
        """Make :meth:`serve`, which runs in another thread, return."""
        self._server.shutdown()

    def __enter__(self) -> Self:
        """Return the server, which listens already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the port and the database."""
        self._opened.close()


def only_local(application: Application) -> Application:
    """Return ``application`` behind a door that lets in only requests to this machine by its own names.

    A page from elsewhere can make its host name point to 127.0.0.1 (DNS rebinding) and then read and write here as if
    it were ours; the browser still sends that name as ``Host``. The port is free, for tunnels.
    """

    def door(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        name = environ.get("HTTP_HOST", "").partition(":")[0].lower()
        if name in NAMES:
            return application(environ, start_response)
        status = HTTPStatus.FORBIDDEN
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"This dashboard answers to http://{HOST} alone.\n".encode()]

    return door


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """A browser opens several connections at once; one slow request must not hold the others up."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's names
        """Log what went wrong with a connection: a browser that goes away in the middle is no news."""
        logger.debug("connection from %s failed", client_address, exc_info=True)  # noqa: LOG014 - called in a handler


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Keep one line per request off the terminal."""
