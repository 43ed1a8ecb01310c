"""An owner string identifies one process: no other one, and no later one with the same id."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from tuner_storage import owner
from tuner_storage.owner import describe_owner, is_alive, is_local, this_owner

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
    host, pid, ticks, machine, token = this_owner().rsplit(":", 4)

    assert is_alive(this_owner())
    assert not is_alive(f"{host}:{pid}:{ticks}:{machine}:{'0' * 8}")
    assert not is_alive(f"{host}:{pid}:{int(ticks) - 1}" if ticks.isdecimal() else f"{host}:{pid}:x")
    assert describe_owner(this_owner()) == f"process {pid} on {host}"
    assert describe_owner(f"name:with:colons:12:345:{machine}:{token}") == "process 12 on name:with:colons"
    assert describe_owner("name:with:colons:12:345") == "process 12 on name:with:colons"


@needs_ticks
def test_processes_of_an_older_tuner_are_recognised(child: subprocess.Popen[bytes]) -> None:
    """It wrote host, process id and clock ticks since boot alone; the host name decides whether it is of here."""
    assert this_owner().startswith(f"{HOST}:{os.getpid()}:{ticks_of(os.getpid())}:")
    old = f"{HOST}:{child.pid}:{ticks_of(child.pid)}"
    assert is_local(old)
    assert is_alive(old)
    assert not is_alive(f"{HOST}:{child.pid}:{int(ticks_of(child.pid)) - 1}")
    assert describe_owner(old) == f"process {child.pid} on {HOST}"


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """Let this process look like one of a container, by boot and process list, and return its owner string."""
    original = Path.stat

    def enter(boot: str, processes: str) -> str:
        folder = tmp_path / boot / processes
        for name, content in (
            ("sys/kernel/random/boot_id", boot),
            ("self/ns/pid", ""),
            ("1/stat", "1 (python) S " + "0 " * 18 + "77 0"),
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        inode = int(processes)
        monkeypatch.setattr("tuner_storage.owner._PROC", folder)
        monkeypatch.setattr(
            Path,
            "stat",
            lambda path, **options: SimpleNamespace(st_ino=inode) if path.name == "pid" else original(path, **options),
        )
        monkeypatch.setattr("socket.gethostname", lambda: "worker")
        monkeypatch.setattr("os.getpid", lambda: 1)
        forget()
        return this_owner()

    def forget() -> None:
        owner._machine.cache_clear()
        owner._token.cache_clear()

    yield enter
    forget()


@pytest.mark.parametrize("second", [("boot-1", "2"), ("boot-2", "1")])
def test_containers_of_one_name_do_not_judge_each_other_dead(
    container: Callable[[str, str], str], second: tuple[str, str]
) -> None:
    """Both have the same host name, process id and start time, be it on one machine or on two."""
    first = container("boot-1", "1")
    assert is_local(first)
    assert is_alive(first)
    here = container(*second)

    assert here != first
    assert not is_local(first)
    assert is_alive(first)
    assert is_local(here)


@needs_ticks
def test_a_process_that_cannot_be_looked_at_is_alive(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The system may hide the processes of other users from ``/proc``."""
    old = f"{HOST}:{child.pid}:{ticks_of(child.pid)}"

    def refuse(pid: int, signal: int) -> None:
        raise PermissionError(pid, signal)

    with monkeypatch.context() as hidden:
        hidden.setattr("tuner_storage.owner._PROC", tmp_path)
        hidden.setattr("os.kill", refuse)
        assert is_alive(old)
    child.kill()
    child.wait()
    monkeypatch.setattr("tuner_storage.owner._PROC", tmp_path)
    assert not is_alive(old)


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
    old = f"{HOST}:{child.pid}:{ticks_of(child.pid)}"
    assert is_alive(old)

    child.kill()
    wait_for_zombie(child.pid)
    assert not is_alive(old)


def test_without_start_times_an_owner_is_alive_while_its_id_is_in_use(
    child: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, which has no ``/proc``. A zombie and a process that was reaped are dead."""
    monkeypatch.setattr("tuner_storage.owner._PROC", tmp_path)
    old = f"{HOST}:{child.pid}:?"
    assert this_owner().startswith(f"{HOST}:{os.getpid()}:?:")
    assert is_alive(this_owner())
    assert is_alive(old)
    monkeypatch.setattr(psutil.Process, "status", no_access)
    assert is_alive(old)
    monkeypatch.undo()

    monkeypatch.setattr("tuner_storage.owner._PROC", tmp_path)
    child.kill()
    wait_for_zombie(child.pid)
    assert not is_alive(old)
    child.wait()
    assert not is_alive(old)


def no_access(process: psutil.Process) -> str:
    """Refuse to describe a process, as the system does for those of another user."""
    raise psutil.AccessDenied(process.pid)


def test_a_process_of_another_host_may_always_be_alive() -> None:
    """It cannot be looked at from here."""
    assert is_alive("another-host:1:1")
    assert not is_local("another-host:1:1")
    assert is_local(this_owner())
