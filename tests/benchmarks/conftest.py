"""Runs a script of `benchmarks/` in this process, as `python benchmarks/NAME.py` does in one of its own."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.scripted import ScriptedTrainer
from tuner.executors.inline import InlineExecutor
from tuner.jobs import TrainerSetup

BENCHMARKS = ROOT / "benchmarks"

RunScript = Callable[..., str]


@pytest.fixture
def run_script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> RunScript:
    """Run a script to its end in an empty folder; returns its output. An exit code other than 0 fails the test."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.fixture
def scripted_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let studies train with the scripted trainer, in this process."""

    def executor(setup: TrainerSetup, _workers: int, **_options: object) -> InlineExecutor:
        return InlineExecutor(setup, ScriptedTrainer)

    monkeypatch.setattr("tuner.executors.registry.LocalExecutor", executor)


@pytest.fixture
def children_in_process(run_script: RunScript, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the child processes of `throughput.py` in this process, so that TensorFlow is imported only once."""
    real = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        if "--child" not in command:
            return real(command, **options)
        script, *arguments = command[1:]
        return subprocess.CompletedProcess(command, 0, run_script(Path(script).name, *arguments), "")

    monkeypatch.setattr(subprocess, "run", run)
