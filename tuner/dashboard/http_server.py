"""An HTTP server for one WSGI application, with limits so that no client can keep the others waiting.

It is waitress: one thread moves bytes for all connections, and only complete requests take one of the other threads.
So a connection that sends nothing, or sends slowly, holds no thread. TLS is done by the same thread without blocking
(:mod:`tuner.dashboard.tls`); cheroot, which has TLS of its own, shakes hands while no other connection is accepted.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from types import TracebackType
from typing import Any, Self

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher
from waitress.wasyncore import close_all, loop

from tuner.dashboard.headers import SECURITY
from tuner.dashboard.tls import tls_channel
from tuner.dashboard.wsgi import Application

THREADS = 16  # requests that are answered at the same time; a stream of events holds one
MAX_CONNECTIONS = 400  # with files and databases below 1024, the usual limit of open files
MAX_HEADERS = 32 * 1024  # bytes
MAX_BODY = 1024 * 1024  # bytes; the longest is a note
REQUEST_SECONDS = 20.0  # within which a request must arrive as a whole, with the TLS handshake before it
IDLE_SECONDS = 60  # after which an unused connection is closed
_POLL_SECONDS = 1.0
_STOP_SECONDS = 2.0  # for requests that are being answered when the server stops

logging.getLogger("waitress").addHandler(logging.NullHandler())  # its warnings are of no use on a terminal


class HttpServer:
    """A server of one application; a context manager.

    Args:
        application: What answers the requests. Several threads call it at the same time.
        host: The IP address to listen on.
        port: The port; 0 takes any free one.
        tls: Certificate and key, for HTTPS.
        scheme: What users type, if that differs: ``https`` behind a proxy that encrypts.

    Raises:
        OSError: If the port cannot be opened.
    """

    def __init__(
        self, application: Application, host: str, port: int, *, tls: ssl.SSLContext | None = None, scheme: str = "http"
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
        self._stopped = False
        self._threads = ThreadedTaskDispatcher()
        self._connections: dict[int, Any] = {}
        settings = Adjustments(
            sockets=[listener],
            threads=THREADS,
            url_scheme="https" if tls else scheme,
            ident=None,
            connection_limit=MAX_CONNECTIONS * 2,  # never reached: the oldest are closed before
            max_request_header_size=MAX_HEADERS,
            max_request_body_size=MAX_BODY,
            inbuf_overflow=MAX_HEADERS,  # bytes of a body in memory; the rest is in a temporary file
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=2,
            asyncore_use_poll=True,
            log_socket_errors=False,
        )
        self._server = _Server(
            application,
            self._connections,
            _sock=listener,
            dispatcher=self._threads,
            adj=settings,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        self._server.channel_class = _Channel if tls is None else tls_channel(_Channel, tls)

    @property
    def port(self) -> int:
        """The port that is open."""
        return int(self._server.effective_port)

    def serve(self) -> None:
        """Answer requests until another thread calls :meth:`stop`."""
        self._threads.set_thread_count(THREADS)
        while not self._stopped:
            loop(timeout=_POLL_SECONDS, use_poll=True, map=self._connections, count=1)

    def stop(self) -> None:
        """Let :meth:`serve` return, or never begin. Another thread may call this."""
        self._stopped = True
        self._server.pull_trigger()

    def __enter__(self) -> Self:
        """Return the server; its port is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port and all connections. Answers that are being computed get two seconds."""
        self._server.close_connections()
        self._threads.shutdown(timeout=_STOP_SECONDS)
        close_all(self._connections)


class _ErrorTask(ErrorTask):  # type: ignore[misc] # waitress has no types
    """The answer to a malformed request, which no application sees."""

    def execute(self) -> None:
        self.response_headers.extend(SECURITY.items())
        super().execute()


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when it waits for a request."""

    error_task_class = _ErrorTask

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waits_since: float | None = time.monotonic()  # `None`: between two requests

    def received(self, data: bytes) -> Any:
        """Note when a request begins; the first one begins with the connection."""
        if self.waits_since is None:
            self.waits_since = time.monotonic()
        result = super().received(data)
        if self.request is None:
            self.waits_since = None
        return result


class _Server(TcpWSGIServer):  # type: ignore[misc]
    """Closes connections whose request does not arrive, and the oldest unused ones if there are too many."""

    active_channels: dict[int, _Channel]

    def maintenance(self, now: float) -> None:
        """Close what has waited too long."""
        super().maintenance(now)
        before = time.monotonic() - REQUEST_SECONDS
        for channel in list(self.active_channels.values()):
            if not channel.requests and channel.waits_since is not None and channel.waits_since < before:
                channel.handle_close()

    def handle_accept(self) -> None:
        """Accept a connection, and make room for it first."""
        if len(self.active_channels) >= MAX_CONNECTIONS:
            unused = [channel for channel in self.active_channels.values() if not channel.requests]
            if not unused:
                return  # all are being answered; the new one waits
            min(unused, key=lambda channel: channel.creation_time).handle_close()
        super().handle_accept()

    def close_connections(self) -> None:
        """Close the port and every connection, which ends the streams that are being sent."""
        self.accepting = False
        self.socket.close()
        for channel in list(self.active_channels.values()):
            channel.handle_close()
