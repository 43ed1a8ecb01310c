"""TLS for the connections of :mod:`tuner.dashboard.http_server`, without waiting for any of them."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tuner.errors import UsageError

_NOT_YET = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what a server needs for TLS 1.2 and 1.3.

    Args:
        certificate: A PEM file with the certificate and those that vouch for it.
        key: A PEM file with its private key, without a passphrase.

    Raises:
        UsageError: If a file cannot be read, or the key does not belong to the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for path in (certificate, key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}", hint="name another file") from None
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or "no certificate and key in PEM format"
        raise UsageError(
            f"{certificate} and {key} are no certificate with its key: {reason}",
            hint="both are PEM files, the key without a passphrase",
        ) from None
    return context


def tls_channel(channel: type[Any], context: ssl.SSLContext) -> type[Any]:
    """Return ``channel``, waitress's class of a connection, for connections with TLS.

    The thread of all connections reads, and a thread that answers a request writes. OpenSSL allows one of them at a
    time. Neither waits: what cannot be done yet is tried again when the socket is ready. Reading shakes hands.
    """

    class TlsChannel(channel):  # type: ignore[misc]
        def __init__(self, server: Any, sock: socket.socket, *rest: Any, **options: Any) -> None:
            self._tls = threading.Lock()  # never held while waitress takes a lock of its own
            sock.settimeout(0)
            secured = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            super().__init__(server, secured, *rest, **options)

        def handle_read(self) -> None:
            """Read one record as a whole: what is decrypted already does not wake the thread again."""
            remains = True
            while remains and self.connected:
                try:
                    with self._tls:
                        data = self.socket.recv(self.adj.recv_bytes)
                        remains = self.socket.pending() > 0
                except _NOT_YET:
                    return
                except OSError:  # no TLS, or a connection that was reset
                    data = b""
                if not data:
                    self.handle_close()
                    return
                self.last_activity = time.time()
                self.received(data)

        def send(self, data: bytes, do_close: bool = True) -> int:  # noqa: ARG002 - as in waitress
            """Send what can be sent now, and return how much. A connection that ended is closed when it is read."""
            try:
                with self._tls:
                    return int(super().send(data, do_close=False))
            except _NOT_YET:
                return 0

        def handle_close(self) -> None:
            """Tell the client that the answer is complete."""
            with suppress(OSError, ValueError, AttributeError), self._tls:
                self.socket.unwrap()
            super().handle_close()

    return TlsChannel
