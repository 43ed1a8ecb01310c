"""The main function of the fork server: a process that imports slow libraries once and then forks workers.

:mod:`tuner.executors.fork_server` starts it and sends the requests. The server imports no main module of the user, so a
script needs no ``if __name__ == "__main__":``, and studies can be run from standard input and from notebooks.
"""

from __future__ import annotations

import importlib
import os
import select
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NoReturn

from tuner.executors.fork_protocol import BEGUN, ENDED, FORK, READY, STATUS
from tuner.executors.worker import work
from tuner.signals import ignore_signals


def serve(control: int, preload: str | None) -> None:
    """Import a module, then fork a worker for each request until the coordinator ends.

    Args:
        control: File descriptor of the socket to the coordinator.
        preload: Name of the module to import first, or ``None``.
    """
    ignore_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())  # the coordinator started us with some blocked
    if preload is not None:
        with _ending_with(control):
            importlib.import_module(preload)
    with socket.socket(fileno=control) as requests:
        requests.sendall(READY)
        _Server(requests).run()


@contextmanager
def _ending_with(control: int) -> Iterator[None]:
    """End the process inside the block as soon as the coordinator ends, in a thread that is gone afterwards."""
    stopped, stop = os.pipe()

    def watch() -> None:
        poll = select.poll()
        for descriptor in (control, stopped):
            poll.register(descriptor, 0)  # reports only that the other end is closed
        if any(descriptor == control for descriptor, _ in poll.poll()):
            os._exit(0)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(stop)
        thread.join()  # a process with threads must not fork
        os.close(stopped)


class _Server:
    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._status: dict[int, int] = {}  # the status pipe of each worker, by process id
        self._ended, self._wake_up = os.pipe()
        for end in (self._ended, self._wake_up):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler, nothing is written to the pipe
        signal.set_wakeup_fd(self._wake_up, warn_on_full_buffer=False)

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_READ)
            selector.register(self._ended, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._ended in ready:
                    os.read(self._ended, 4096)
                    self._report_ends()
                if self._requests in ready:
                    request, descriptors, _, _ = socket.recv_fds(self._requests, len(FORK), 3)
                    if not request:
                        return
                    self._fork(*descriptors)

    def _report_ends(self) -> None:
        """Write the exit codes of the workers that have ended to their status pipes."""
        while self._status:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _write(self._status.pop(pid), os.waitstatus_to_exitcode(status))

    def _fork(self, connection: int, status: int, output: int) -> None:
        try:
            pid = os.fork()
        except OSError:  # too many processes, or too little memory; the coordinator sees that the pipes are closed
            traceback.print_exc()
            os.close(status)
        else:
            if pid == 0:
                self._become_worker(connection, status, output)
            self._status[pid] = status
        os.close(connection)
        os.close(output)

    def _become_worker(self, connection: int, status: int, output: int) -> NoReturn:
        """Run the worker in the forked process.

        It keeps its end of the status pipe open. So the pipe closes when both the server and the worker have ended.
        """
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (self._requests.detach(), self._ended, self._wake_up, *self._status.values()):
                os.close(descriptor)
            for stream in (1, 2):
                os.dup2(output, stream)
            os.close(output)
            os.write(status, STATUS.pack(BEGUN, os.getpid()))
            work(Connection(connection))
            code = 0
        except BaseException:  # noqa: BLE001 - nothing may return into the loop of the server
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _write(status: int, code: int) -> None:
    try:
        os.write(status, STATUS.pack(ENDED, code))
    except BrokenPipeError:
        pass  # the coordinator no longer waits for this worker
    finally:
        os.close(status)
