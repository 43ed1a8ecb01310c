"""Decides whether a connection to PostgreSQL must be encrypted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import ip_address

from sqlalchemy import URL

REQUIRED = "require"


def sslmode_for(url: URL) -> str | None:
    """Return the ``sslmode`` to connect with, or ``None`` to leave the choice to libpq.

    Without one, libpq silently sends everything as plain text, if the server or someone in between says that it has no
    encryption. So a connection that leaves this machine requires encryption, unless the user chose a mode: in the URL,
    in ``PGSSLMODE`` or in a service file.
    """
    chosen = {"sslmode", "service"} & set(url.query) or {"PGSSLMODE", "PGSERVICE"} & set(os.environ)
    return None if chosen or all(map(_stays_here, _hosts(url))) else REQUIRED


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
