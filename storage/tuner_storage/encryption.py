"""Decides whether a connection to PostgreSQL must be encrypted, and whether it can be in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from ipaddress import ip_address

from sqlalchemy import URL

from tuner.errors import StorageError

REQUIRED, DISABLED = "require", "disable"


def sslmode_for(url: URL) -> str | None:
    """Return the ``sslmode`` to connect with, or ``None`` to leave the choice to libpq.

    Without one, libpq silently sends everything as plain text, if the server or someone in between says that it has no
    encryption. So a connection that leaves this machine requires encryption, unless the user chose a mode: in the URL,
    in ``PGSSLMODE`` or in a service file.
    """
    chosen = {"sslmode", "service"} & set(url.query) or {"PGSSLMODE", "PGSERVICE"} & set(os.environ)
    return None if chosen or all(map(_stays_here, _hosts(url))) else REQUIRED


def check_import_order(url: URL) -> None:
    """Refuse a connection that may be encrypted if TensorFlow was imported, but not yet psycopg.

    Then libpq gets parts of TensorFlow's library for TLS instead of its own, which ends the process.

    Raises:
        StorageError: If psycopg must not be imported any more.
    """
    mode = url.query.get("sslmode") or os.environ.get("PGSSLMODE")
    if "tensorflow" in sys.modules and "psycopg" not in sys.modules and mode != DISABLED:
        raise StorageError(
            "TensorFlow was imported before psycopg: an encrypted connection would end this process",
            hint="begin a new process, and write `import psycopg` before the first import of tensorflow or keras",
        )


def _hosts(url: URL) -> list[str]:
    """Return every host that libpq may connect to; an empty name is the socket of this machine."""
    named = (
        url.query.get("hostaddr") or os.environ.get("PGHOSTADDR"),
        url.host or url.query.get("host") or os.environ.get("PGHOST"),
    )
    hosts: str | Sequence[str] = next((value for value in named if value), "")
    return hosts.split(",") if isinstance(hosts, str) else [host for value in hosts for host in value.split(",")]


def _stays_here(host: str) -> bool:
    """Whether a connection to a host does not leave this machine: a socket or a loopback address."""
    if not host or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
