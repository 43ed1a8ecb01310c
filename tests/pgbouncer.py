"""Starts PgBouncer in front of the PostgreSQL of the tests: it hands each transaction to another connection."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
from sqlalchemy import make_url

from tests.postgres import PASSWORD, USER, Server, free_port, unprivileged

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
_DEADLINE = 10.0  # seconds
# Transactions take the connection that was idle for the longest time, so one client meets all of them.
_SETTINGS = {
    "pool_mode": "transaction",
    "default_pool_size": "4",
    "server_round_robin": "1",
    "auth_type": "scram-sha-256",
}


class PgBouncer:
    """A pooler with its files in ``folder``. It runs as another user than root, as it requires.

    Args:
        server: Where the connections lead.
        folder: A folder that this user can read.
        settings: Of PgBouncer; they override those above.
    """

    def __init__(self, server: Server, folder: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self._server = server
        users = folder / "users.txt"
        users.write_text(f'"{USER}" "{PASSWORD}"\n', encoding="utf-8")
        settings = {"listen_addr": "127.0.0.1", "listen_port": str(self.port), "unix_socket_dir": "",
                    "auth_file": str(users), **_SETTINGS, **settings}  # fmt: skip
        self._config = folder / "pgbouncer.ini"
        lines = [f"{name} = {value}" for name, value in settings.items()]
        self._config.write_text(
            "\n".join(["[databases]", f"* = host=127.0.0.1 port={server.port}", "[pgbouncer]", *lines, ""]), "utf-8"
        )
        self._command = [str(PROGRAM), "--quiet", str(self._config)]
        self._process: subprocess.Popen[bytes] | None = None
        self._user = unprivileged()
        if self._user is not None:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, self._user)

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        self._process = subprocess.Popen(
            self._command, user=self._user, cwd=self._config.parent, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _DEADLINE
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert self._process.poll() is None, "pgbouncer ended"
                assert time.monotonic() < deadline, "pgbouncer does not listen"
                time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def url(self, database: str, host: str = "127.0.0.1") -> str:
        """Return the URL of a database of the server, through the pooler."""
        url = make_url(self._server.url(database)).set(host=host, port=self.port)
        return url.render_as_string(hide_password=False)


@contextmanager
def pgbouncer(
    server: Server, settings: Mapping[str, str] = MappingProxyType({}), files: Sequence[Path] = ()
) -> Iterator[PgBouncer]:
    """Yield a pooler that runs, with copies of ``files`` in its current folder. Skip the test if there is none."""
    if PROGRAM is None:
        pytest.skip("needs pgbouncer")
    with tempfile.TemporaryDirectory(prefix="tuner-pgbouncer-") as folder:
        for file in files:
            shutil.copy(file, folder)
        pooler = PgBouncer(server, Path(folder), settings)
        pooler.start()
        try:
            yield pooler
        finally:
            pooler.kill()
