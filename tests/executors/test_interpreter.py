"""Processes that are started get neither the password of the database nor keys of a cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.executors.jobs import until
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.doctor import Examination, machine
from tuner.events import TrainerReady
from tuner.executors.local import LocalExecutor

SECRET = "s3cret"  # noqa: S105


@pytest.fixture(autouse=True)
def _passwords_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_STORAGE", f"postgresql://ann:{SECRET}@host/team")
    for name in ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ANY_NEW_VARIABLE"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("TUNER_DATA", "/data")
    monkeypatch.setattr("tuner.executors.fork_server._shared", {})  # not one that an earlier test has started


@pytest.mark.slow
def test_trainers_get_neither_the_password_of_the_database_nor_keys_of_a_cloud() -> None:
    """They never open it, nor artifacts in S3. Libraries may write their environment into logs and crash reports."""
    executor = LocalExecutor(SETUP, 1, ScriptedTrainer)
    executor.start()
    until(executor, lambda event: isinstance(event, TrainerReady))
    worker = executor._workers[0]
    server = worker.server._process
    assert server is not None
    environments = [Path(f"/proc/{pid}/environ").read_text() for pid in (server.pid, worker.process.pid)]
    executor.close()
    worker.server.kill()

    assert [SECRET in environment for environment in environments] == [False, False]
    assert ["AWS_" in environment for environment in environments] == [False, False]
    assert ["TUNER_DATA=/data" in environment for environment in environments] == [True, True]


def test_the_process_that_looks_for_a_gpu_does_not_get_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """It imports the same libraries."""
    code = f"import os; print('device: ' + str([name for name in os.environ if {SECRET!r} in os.environ[name]]))"
    monkeypatch.setattr(machine, "_PRINT_DEVICE", code)
    examination = Examination()
    machine.examine_device(examination)

    assert examination.checks[0].message == "GPU: []"
