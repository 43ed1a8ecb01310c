"""Starts the fork server and, through it, worker processes: the coordinator's side of :mod:`tuner.executors.serve`."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from multiprocessing.connection import Pipe, wait

from tuner.environment import backend
from tuner.errors import RunError
from tuner.executors.fork_protocol import FORK
from tuner.executors.interpreter import child_environment, python_command
from tuner.executors.process import GRACE, Output, Process
from tuner.signals import stop_signals

_log = logging.getLogger(__name__)

_STDERR = 2
TRAINERS = "tuner.executors.preload"  # the module that a server of trainers imports
_START = "from tuner.executors.serve import serve; serve(int(sys.argv[1]), sys.argv[2] or None)"


class ForkServer:
    """A fork server, running or not yet started.

    Args:
        preload: The module that it imports first, or ``None``.
    """

    def __init__(self, preload: str | None = None) -> None:
        self._preload = preload
        self._owner = os.getpid()
        self._has_forked = False
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        self._control: socket.socket
        self.output: Output

    def start(self) -> None:
        """Start the process and return at once.

        Raises:
            RunError: If the system refuses to start a process.
        """
        _log.debug("the fork server is started")
        _fill_standard_streams()
        self._control, theirs = socket.socketpair()
        self.output = Output("fork server")
        command = python_command(_START, str(theirs.fileno()), self._preload or "")
        # A process inherits which signals are blocked. So Ctrl-C cannot end it before it ignores Ctrl-C.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals())
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                command, env=child_environment(), pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=self.output.writer, stderr=self.output.writer,
            )  # fmt: skip
        except OSError as error:
            self._control.close()
            self.output.close()
            raise RunError(f"no process can be started: {error.strerror}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
            self.output.close_writer()
        atexit.register(self.kill)

    @property
    def has_forked(self) -> bool:
        """Whether a worker was requested."""
        return self._has_forked

    @property
    def is_running(self) -> bool:
        """Whether the process exists."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether the process has imported its libraries and forks workers."""
        if not self._is_ready and self._process is not None and wait([self._control], 0):
            with contextlib.suppress(OSError):
                self._is_ready = bool(self._control.recv(1))
        return self._is_ready

    @property
    def failure(self) -> str | None:
        """Why the process has ended by itself while it imported its libraries; ``None`` if it has not."""
        if self._process is None or self.is_ready:
            return None
        try:
            code = self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return None
        return None if code < 0 else self.output.last_line or f"ended with exit code {code}"

    @property
    def exitcode(self) -> int | None:
        """How the process ended, negative for a signal; ``None`` if it has not."""
        return None if self._process is None else self._process.poll()

    def fork(self, name: str) -> Process:
        """Request a worker and return at once. If the server is gone, the worker's connection is closed.

        Raises:
            RunError: If this process may open no more files.
        """
        self._has_forked = True
        try:
            connection, theirs = Pipe()
            output = Output(name)
            status, their_status = os.pipe()
        except OSError as error:
            hint = "use fewer --workers, or allow more open files: ulimit -n 1024"
            raise RunError(f"no worker can be started: {error.strerror}", hint=hint) from error
        try:
            socket.send_fds(self._control, [FORK], [theirs.fileno(), their_status, output.writer])
        except OSError:
            _log.debug("the fork server is gone", exc_info=True)
        finally:
            theirs.close()
            os.close(their_status)
            output.close_writer()
        return Process(connection, output, status)

    def kill(self) -> None:
        """End the process. Workers that it has forked go on."""
        if self._process is None or self._owner != os.getpid():  # a fork of the coordinator does not own it
            return
        atexit.unregister(self.kill)
        self._process.kill()
        self._process.wait()
        self._process = None
        self._control.close()
        self.output.close()


def _fill_standard_streams() -> None:
    """Open the standard streams that are closed, as after `tuner … <&- >&-`.

    Else our own pipes would get their numbers, and a new process would take a pipe for its standard stream.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - no keyword
    os.close(descriptor)


_shared: dict[tuple[int, str | None, str], ForkServer] = {}
_lock = threading.Lock()


def shared_server(preload: str | None) -> ForkServer:
    """Return a fork server that runs. All executors of this process share it, so libraries are imported once.

    Args:
        preload: The module that it imports first, or ``None``.

    Raises:
        RunError: If the system refuses to start a process.
    """
    key = (os.getpid(), preload, backend())
    with _lock:
        server = _shared.get(key)
        if server is None or not server.is_running:
            if server is not None:
                server.kill()  # releases what is left of it
            server = ForkServer(preload)
            server.start()
            _shared[key] = server
        return server


@contextlib.contextmanager
def started_early(*, wanted: bool) -> Iterator[None]:
    """Let the shared fork server import TensorFlow while the block prepares a run.

    The server ends if the block requests no worker, for example because the run is refused.

    Args:
        wanted: Whether the run will train in local workers; if not, nothing is started.

    Raises:
        RunError: If the system refuses to start a process.
    """
    if not wanted:
        yield
        return
    server = shared_server(TRAINERS)
    try:
        yield
    finally:
        if not server.has_forked:
            server.kill()
