"""The number of workers: its limits, and its default on machines of different sizes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.recipes import always, small_recipe
from tests.runs import SETUP, rows, run_scripted
from tests.scripted import ScriptedTrainer
from tuner.environment import available_cores
from tuner.errors import UsageError
from tuner.executors.devices import Gpu, default_workers, find_gpus, kind_of, placed, shared_out
from tuner.executors.local import LocalExecutor
from tuner.executors.registry import make_executor
from tuner.executors.resources import Resources
from tuner.jobs import TrainerSetup


@pytest.mark.parametrize("workers", [0, -1, 65])
def test_an_impossible_number_of_workers_is_refused(workers: int) -> None:
    """The message names the range and the value."""
    with pytest.raises(UsageError, match=rf"workers must lie in \[1, 64\], got {workers}"):
        LocalExecutor(SETUP, workers)


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (3, 3), (8, 8), (9, 8), (64, 8)])
def test_by_default_there_is_one_worker_per_usable_core_up_to_eight(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int
) -> None:
    """A process that is bound to some of the machine's cores counts only those."""
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(100, 100 + cores)), raising=False)

    assert (available_cores(), default_workers()) == (cores, workers)


@pytest.mark.parametrize(("reported", "cores"), [(6, 6), (None, 1)])
def test_without_affinity_every_core_of_the_machine_counts(
    monkeypatch: pytest.MonkeyPatch, reported: int | None, cores: int
) -> None:
    """MacOS and Windows have no affinity, and a system may not report its cores at all."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: reported)

    assert (available_cores(), default_workers()) == (cores, cores)


def test_with_gpus_each_one_gets_as_many_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default; with a number of workers, to within one."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    gpus = ("0", "1", "2", "3")

    assert default_workers(gpus) == 8
    assert default_workers(gpus[:1]) == 6
    assert shared_out(gpus[:2], 3) == [Gpu("0", 2), Gpu("1", 1), Gpu("0", 2)]
    assert shared_out((), 2) == [None, None]


@pytest.mark.parametrize(
    ("visible", "ids"),
    [("0,2", ("0", "2")), ("GPU-5ab2, 1", ("GPU-5ab2", "1")), ("", ()), ("-1", ()), ("1,-1,0", ("1",))],
)
def test_only_the_gpus_that_the_environment_allows_are_used(
    monkeypatch: pytest.MonkeyPatch, visible: str, ids: tuple[str, ...]
) -> None:
    """As CUDA reads it: what follows -1 does not count."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert find_gpus() == ids


@pytest.mark.parametrize(
    ("output", "code", "ids"), [("0\n1\n", 0, ("0", "1")), ("no devices were found\n", 6, ()), ("", 0, ())]
)
def test_all_gpus_that_the_driver_lists_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str, code: int, ids: tuple[str, ...]
) -> None:
    """Without a driver, or with a broken one, there are none."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{output}'\nexit {code}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_gpus() == ids


@pytest.mark.parametrize("workers", [None, 2])
def test_the_driver_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: int | None) -> None:
    """Also if its answer decides the number of workers. A question takes up to seconds on a machine with many GPUs."""
    program, asked = tmp_path / "nvidia-smi", tmp_path / "asked"
    program.write_text(f"#!/bin/sh\necho asked >> {asked}\necho 0\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(LocalExecutor, "_spawn", lambda self, gpu: None)
    executor = make_executor("local", SETUP, Resources(workers))
    executor.start()

    assert asked.read_text("utf-8").splitlines() == ["asked"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (placed("NVIDIA H100", gpu=Gpu("1"), node="node-3"), "NVIDIA H100"),
        (placed("NVIDIA H100", gpu=Gpu("GPU-5ab2")), "NVIDIA H100"),
        (placed("cpu", gpu=Gpu("0")), "cpu"),
        (placed("cpu", node="node-3"), "cpu"),
    ],
)
def test_the_same_device_elsewhere_is_of_the_same_kind(name: str, kind: str) -> None:
    """So a trial that is reproduced on another GPU of the same kind reports no other device."""
    assert kind_of(name) == kind


class Seeing(ScriptedTrainer):
    """Names as its device what the process may see."""

    def __init__(self, setup: TrainerSetup, threads: int | None = None) -> None:
        super().__init__(setup, threads)
        self.device = f"{os.environ['CUDA_VISIBLE_DEVICES']} {os.environ['XLA_PYTHON_CLIENT_MEM_FRACTION']}"


@pytest.mark.slow
def test_each_worker_sees_its_gpu_alone_and_attempts_store_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Three workers on two GPUs: two of them share one, and with JAX its memory."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    recipe = small_recipe(space=always(3), budget={"trials": 6, "epochs": 3})
    run_scripted(tmp_path, recipe, executor=LocalExecutor(SETUP, 3, Seeing))
    devices = {device for (device,) in rows(tmp_path, "SELECT device FROM tuner_attempt")}

    assert devices == {"4 0.450 #4", "7 0.900 #7"}
