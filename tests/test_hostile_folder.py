"""Files of the current folder are not run, whatever their names are."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tests.command import DEADLINE, Command

# Modules that libraries look for and that are not installed everywhere. An import of them finds nothing else first.
OPTIONAL = {
    "IPython",
    "cupy",
    "flax",
    "ipywidgets",
    "jax",
    "jaxlib",
    "matplotlib",
    "mlflow",
    "pandas",
    "polars",
    "torch",
}
FOUND_BY_PYTHON = {"sitecustomize", "usercustomize"}
ENTRY_POINT = "found_by_its_entry_point"

COMMANDS = (
    "study start digits --trials 1 --epochs 1 --workers 1 --dashboard",
    "space list",
    "report digits",
    "doctor",
    "storage check",
    "export digits -o model --format keras",
    "predict model rows.npz",
    "study export-archive digits digits.zip",
    "study import digits.zip --name copy",
)
FEW = 2  # those that start processes and look for packages


def plant(folder: Path, names: Iterable[str]) -> Path:
    """Write a module of each name, and a package that registers searches. Returns the file that they write to."""
    marker = folder / "what was run.txt"
    for name in names:
        (folder / f"{name}.py").write_text(f"with open({str(marker)!r}, 'a') as file: file.write({name + chr(10)!r})\n")
    metadata = folder / "evil-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[tuner.search_spaces]\nevil = {ENTRY_POINT}:spaces\n")
    return marker


def all_names() -> set[str]:
    """Return the names of the modules of Python and of every installed package, and those above."""
    installed = {name for name in importlib.metadata.packages_distributions() if name.isidentifier()}
    return set(sys.stdlib_module_names) | installed | OPTIONAL | FOUND_BY_PYTHON | {ENTRY_POINT, "__main__"}


def before_a_module_is_run() -> set[str]:
    """Return the modules that `python -m` imports from the current folder before it runs any line of a package."""
    code = "import runpy, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize("how", ["tuner", "python -m tuner"])
def test_no_file_of_the_current_folder_is_run(tuner: Command, how: str) -> None:
    """Neither by a command nor by a process that it starts. Whoever can write the folder cannot run code as its user.

    `python -m tuner` itself takes a `tuner.py` and a few modules of Python from there. That is decided before any line
    of this package is run.
    """
    script = how == "tuner"
    marker = plant(tuner.folder, all_names() - (set() if script else before_a_module_is_run() | {"tuner"}))
    np.savez(tuner.folder / "rows.npz", x=np.zeros((2, 8, 8), np.uint8))
    start = [str(Path(sys.executable).with_name("tuner"))] if script else [sys.executable, "-m", "tuner"]
    for words in COMMANDS if script else COMMANDS[:FEW]:
        done = subprocess.run(
            [*start, *words.split()],
            cwd=tuner.folder, env=tuner.env, capture_output=True, text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip
        ran = marker.read_text().split() if marker.exists() else []
        assert (words, ran) == (words, [])
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    dashboard = [*start, "dashboard", "--port", "0"]
    with subprocess.Popen(dashboard, cwd=tuner.folder, env=tuner.env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "http" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
    assert not marker.exists()


@pytest.mark.parametrize("place", ["elsewhere", "in the current folder"])
def test_python_m_finds_the_package_wherever_it_lies(tmp_path: Path, place: str) -> None:
    """In a checkout it lies in the current folder, which is then the last one in which modules are looked up."""
    root = Path(__file__).parents[1]
    folder = tmp_path if place == "elsewhere" else root
    env = os.environ | {"PYTHONPATH": os.pathsep.join(str(root / name) for name in ("", "storage", "search_spaces"))}
    command = [sys.executable, "-m", "tuner", "--version"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)

    assert done.stdout.startswith("tuner, version"), done.stderr


def test_a_program_that_is_run_with_python_m_keeps_its_folder(tmp_path: Path) -> None:
    """It imports `tuner`, and later modules of its own."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("import tuner")
    (tmp_path / "mine" / "__main__.py").write_text("import helper, tuner.study; print(helper.NAME)")
    (tmp_path / "helper.py").write_text("NAME = 'found'")
    command = [sys.executable, "-m", "mine", "tuner"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout == "found\n", done.stderr


def test_python_m_does_not_look_into_the_current_folder(tmp_path: Path) -> None:
    """A file that is called as a module of Python does not replace it, also if there is no space after `-m`."""
    (tmp_path / "queue.py").write_text("print('run')")
    for option in (["-m", "tuner"], ["-mtuner"], ["-B", "-m", "tuner"]):
        command = [sys.executable, *option, "space", "list"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, "run" in done.stdout.split()) == (0, False)
