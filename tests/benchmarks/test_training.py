"""The benchmarks that train with Keras run to their ends, with the smallest search that there is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.conftest import RunScript

TINY = """
data = "digits"
task = "classification"
validation = 0.2

[objective]
metric = "val_loss"

[budget]
trials = 1
epochs = 1

[space]
layers = 1
units = 16
batch_size = 256
learning_rate = { type = "float", low = 1e-3, high = 1e-2 }
shift = 1
rotation = 10.0
zoom = 0.1
elastic = 0.5
flip = true
noise = 0.1
"""

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:keras_tuner")]


@pytest.fixture
def _peers() -> None:
    """Skip the test if a peer is not installed."""
    for module in ("keras_tuner", "optuna_integration"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 'mlp-tuner[bench]'")


@pytest.fixture(autouse=True)
def _only_embedded_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNER_DATA", raising=False)


def test_epochs_compares_both_trainings(run_script: RunScript) -> None:
    """One configuration gives one row with a ratio."""
    output = run_script("epochs.py", "--small", "--epochs", 2)

    assert "Seconds per epoch on" in output
    assert [line.split()[:3] for line in output.splitlines() if "adam" in line] == [["16", "adam", "256"]]


def test_epochs_compares_augmentations(run_script: RunScript) -> None:
    """Each augmentation has a row with its ratio to an epoch without."""
    output = run_script("epochs.py", "--small", "--epochs", 2, "--augment")

    rows = [line.split() for line in output.splitlines()]
    assert [row[0] for row in rows if len(row) == 3][1:] == ["none", "shift", "affine", "elastic", "noise"]


def test_memory_prints_growth_and_replacement(run_script: RunScript) -> None:
    """The worker's memory is printed after the trials, and once for a process that replaced another."""
    output = run_script("memory.py", "--trials", 2, "--epochs", 1, "--replacements", 1)

    assert "growth from 2 to 2: 0.0 %" in output
    assert output.count("replaced on digits: ready after") == 1


def test_predict_prints_the_peak_memory(run_script: RunScript) -> None:
    """There is a row for each file, and a ratio for each kind of file."""
    output = run_script("predict.py", "--rows", "20,40")

    rows = [line.split("|")[1:3] for line in output.splitlines() if line.startswith("| ")][1:]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["npy", "20"],
        ["npy", "40"],
        ["csv", "20"],
        ["csv", "40"],
    ]
    assert [line.split(":")[0] for line in output.splitlines() if "2 times the rows" in line] == ["npy", "csv"]


def test_book_runs_the_real_command_to_the_target(run_script: RunScript, tmp_path: Path) -> None:
    """A target that every model is below ends the search; our row stands below the book's."""
    search = tmp_path / "tiny.toml"
    search.write_text(TINY)

    output = run_script("book.py", "--search", "tiny.toml", "--target", 1000)

    assert "until a validation loss below 1000" in output
    assert "the book" in output


@pytest.mark.usefixtures("_peers", "scripted_studies", "children_in_process")
def test_throughput_compares_all_contestants(run_script: RunScript) -> None:
    """The table has a row for each contestant and one for the matrix products, with their ratios to ours."""
    names = ["tuner", "keras-tuner", "optuna", "products"]
    rows = [line.split() for line in run_script("throughput.py", "--small").splitlines()]
    ratios = {cells[0]: cells[-1] for cells in rows if cells and cells[0] in names}

    assert list(ratios) == names
    assert ratios["tuner"] == "1.00"


@pytest.mark.usefixtures("_peers")
@pytest.mark.parametrize("peer", ["keras_tuner", "optuna"])
def test_a_peer_searches_and_records_its_epochs(run_script: RunScript, tmp_path: Path, peer: str) -> None:
    """A trial of a peer over the space of a recipe leaves a line for each epoch."""
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 36), dtype=np.float32), np.arange(64) % 10
    np.savez(tmp_path / "rows.npz", x=x, y=y, x_val=x, y_val=y)
    (tmp_path / "tiny.toml").write_text(TINY)

    run_script(
        "peers_search.py", peer, "--rows", "rows.npz", "--recipe", "tiny.toml", "--seed", 0, "--began", 0.0,
        "--output", "lines", "--trials", 1,
    )  # fmt: skip
    points = [json.loads(line) for line in Path("lines").read_text().splitlines()]

    assert [(point["trial"], point["epoch"]) for point in points] == [(0, 0)]


def test_start_prints_when_each_phase_is_reached(run_script: RunScript) -> None:
    """The phases are the lines of the log of the real command."""
    output = run_script("start.py", "--rounds", 1)

    phases = ("the fork server is started", "a trainer is ready", "trial 0 starts", "the process has ended")
    assert [phase in output for phase in phases] == [True] * 4
