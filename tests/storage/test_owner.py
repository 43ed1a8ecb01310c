"""An owner string identifies one process: no other one, and no later one with the same id."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from storage.owner import describe_owner, is_alive, is_local, this_owner

HOST = socket.gethostname()
STAT = Path("/proc/self/stat")
needs_ticks = pytest.mark.skipif(not STAT.exists(), reason="only Linux has start times in clock ticks")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until it is killed."""
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def ticks_of(pid: int) -> str:
    """Return field 22 of the process's line: what every version of tuner stores."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def wait_for_zombie(pid: int) -> None:
    """Wait until a killed process has ended, without reaping it."""
    deadline = time.monotonic() + 10
    while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_owner_is_one_process_and_no_later_one_with_its_number() -> None:
    """The system uses process ids again. The start time tells the processes apart."""
    host, pid, ticks = this_owner().rsplit(":", 2)

    assert is_alive(this_owner())
    assert not is_alive(f"{host}:{pid}:{int(ticks) - 1}" if ticks.isdecimal() else f"{host}:{pid}:x")
    assert describe_owner(this_owner()) == f"process {pid} on {host}"
    assert describe_owner("name:with:colons:12:345") == "process 12 on name:with:colons"


@needs_ticks
def test_processes_of_an_older_tuner_are_recognised(child: subprocess.Popen[bytes]) -> None:
    """The string in the database is compared as text, so its format has to stay: clock ticks since boot."""
    assert this_owner() == f"{HOST}:{os.getpid()}:{ticks_of(os.getpid())}"
    assert is_alive(f"{HOST}:{child.pid}:{ticks_of(child.pid)}")


@needs_ticks
def test_setting_the_clock_changes_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """The boot time in wall clock time moves with the clock; an owner does not depend on it."""
    before = this_owner()
    boot = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + 3600.0)
    assert psutil.boot_time() == boot + 3600.0

    assert this_owner() == before
    assert is_alive(before)


@needs_ticks
def test_a_process_that_ended_is_dead_before_its_parent_reaps_it(child: subprocess.Popen[bytes]) -> None:
    """What is left of it until then, a zombie, runs nothing."""
    owner = f"{HOST}:{child.pid}:{ticks_of(child.pid)}"
    assert is_alive(owner)

    child.kill()
    wait_for_zombie(child.pid)
    assert not is_alive(owner)


def test_without_start_times_an_owner_is_alive_while_its_id_is_in_use(
    child: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, which has no ``/proc``. A zombie and a process that was reaped are dead."""
    monkeypatch.setattr("storage.owner._PROC", tmp_path)
    owner = f"{HOST}:{child.pid}:?"
    assert this_owner() == f"{HOST}:{os.getpid()}:?"
    assert is_alive(this_owner())
    assert is_alive(owner)
    monkeypatch.setattr(psutil.Process, "status", no_access)
    assert is_alive(owner)
    monkeypatch.undo()

    monkeypatch.setattr("storage.owner._PROC", tmp_path)
    child.kill()
    wait_for_zombie(child.pid)
    assert not is_alive(owner)
    child.wait()
    assert not is_alive(owner)


def no_access(process: psutil.Process) -> str:
    """Refuse to describe a process, as the system does for those of another user."""
    raise psutil.AccessDenied(process.pid)


def test_a_process_of_another_host_may_always_be_alive() -> None:
    """It cannot be looked at from here."""
    assert is_alive("another-host:1:1")
    assert not is_local("another-host:1:1")
    assert is_local(this_owner())
