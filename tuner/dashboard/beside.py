"""Serves the dashboard in a process beside a run. The process ends with the run, also if the run is killed.

It is a process of its own, with a lower priority, so that a browser does not slow the coordinator.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy.engine import make_url
from tuner_storage import Location
from tuner_storage.opening import has_database

from tuner.errors import RunError, TunerError
from tuner.executors.interpreter import child_environment, python_command

PORT = 8080  # if it is free, else any other
LOWER = 5  # by how much the priority is lower than that of the run
_LOOK = 0.2  # seconds between two looks for the database of a study that begins
_END = 5.0  # seconds that the process gets to end


class DashboardBeside:
    """The dashboard of a run; a context manager.

    Args:
        location: The database. It may not exist yet: the run creates it.
        say: Receives one line when the dashboard is open, or why it is not, in another thread.
    """

    def __init__(self, location: Location, say: Callable[[str], None]) -> None:
        self._location = location
        self._say = say

    def __enter__(self) -> Self:
        """Start the process."""
        self._process = subprocess.Popen(  # noqa: S603 - the code is a constant
            python_command("from tuner.dashboard.beside import main; main()"),
            env={**os.environ, **child_environment()},  # it opens the database, so it may need the password
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for the run
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        with contextlib.suppress(OSError):  # if it has died already, the reader says so
            self._write(_as_text(self._location))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()  # type: ignore[union-attr]

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def _write(self, line: str) -> None:
        self._process.stdin.write(line + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]

    def _read(self) -> None:
        line = self._process.stdout.readline().strip()  # type: ignore[union-attr]
        if line:
            self._say(line)


def main() -> None:
    """Serve until stdin is closed. Its first line is the database; an address with a password is no argument."""
    location = _from_text(sys.stdin.readline())
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    with contextlib.suppress(OSError):
        os.nice(LOWER)
    try:
        _serve(location, ended)
    except TunerError as error:
        print(f"The dashboard is not open: {error}", flush=True)  # noqa: T201 - this is the way to the run


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()  # until the run closes it, or has ended
    ended.set()


def _serve(location: Location, ended: threading.Event) -> None:
    from tuner.dashboard.server import DashboardServer

    while not has_database(location):
        if ended.wait(_LOOK):
            return
    try:
        server = DashboardServer(location, PORT)
    except RunError:  # another program has the port
        server = DashboardServer(location, 0)
    with server, server.serving():
        print(f"Live page: {server.address.removesuffix('/dashboard')}/live", flush=True)  # noqa: T201
        ended.wait()


def _as_text(location: Location) -> str:
    home = None if location.home is None else str(location.home.absolute())
    url = location.url.render_as_string(hide_password=False)
    return json.dumps([url, str(location.artifacts.absolute()), home])


def _from_text(line: str) -> Location:
    url, artifacts, home = json.loads(line)
    return Location(make_url(url), Path(artifacts), None if home is None else Path(home))
