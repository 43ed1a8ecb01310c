"""An HTTP client that sends what a test says, byte by byte, and a look at the database."""

from __future__ import annotations

import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.dashboard.conftest import Finished
from tests.runs import rows

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"


class Answer(NamedTuple):
    """An answer as it was sent; the names of the headers in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


def send(address: str, request: str, *headers: str, body: str = "", host: str | None = None) -> Answer:
    """Send the first line of a request as it is, such as ``GET /``, with headers and a body."""
    parts = urlsplit(address)
    lines = [f"{request} HTTP/1.1", f"Host: {parts.netloc if host is None else host}", f"Content-Length: {len(body)}"]
    lines.append("Connection: close")
    return exchange(address, "\r\n".join([*lines, *headers, "", body]).encode("latin-1"))


def connected(address: str) -> socket.socket:
    """Return an open connection, with TLS if the address says so."""
    parts = urlsplit(address)
    client = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)
    if parts.scheme == "http":
        return client
    return ssl._create_unverified_context().wrap_socket(client)  # noqa: S323 - our own server, in this process


def exchange(address: str, request: bytes) -> Answer:
    """Send bytes, and return the answer to them."""
    with connected(address) as client:
        client.sendall(request)
        received = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, content = received.partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    named = (field.partition(": ") for field in fields)
    return Answer(int(first.split()[1]), {name.lower(): value for name, _, value in named}, content)


def contents(study: Finished) -> dict[str, list[object]]:
    """Return every row of every table."""
    return {name: rows(study.home, f"SELECT * FROM {name}") for (name,) in rows(study.home, TABLES)}
