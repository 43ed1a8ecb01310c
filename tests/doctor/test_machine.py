"""The checks of the machine: data sets and the device."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tuner_storage import Location
from tuner_storage.engine import Database

from tests.doctor.conftest import checks
from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.doctor import Examination, machine


def test_data_that_a_study_needs_and_that_is_missing_is_a_warning(
    location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint is the command that downloads it; the doctor downloads nothing."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert checks(location)["data"].status == "ok"
    assert "fashion_mnist: not here" in checks(location)["data"].cases
    run_scripted(location.artifacts.parent, small_recipe(data="mnist"), name="images")
    check = checks(location)["data"]

    assert check.status == "warning"
    assert check.message == "studies need mnist, which is not on this machine"
    assert check.hint == "tuner data fetch mnist"


def test_a_users_file_is_looked_for_in_the_data_folder(location: Location, tmp_path: Path) -> None:
    """The folder that the hint recommends is one that the doctor and a run look into."""
    (tmp_path / "data").mkdir()
    run_scripted(location.artifacts.parent, small_recipe(data=str(tmp_path / "rows.npz")), name="mine")
    check = checks(location)["data"]
    assert check.hint == "restore the file, or name its folder with --data-dir"

    (tmp_path / "data" / "rows.npz").touch()
    examination = Examination()
    machine.examine_data(examination, tmp_path / "data", Database(location))
    assert examination.checks[0].status == "ok"


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("print('device: cpu')", "ok", "no GPU was found"),
        ("print('noise'); print('device: H200')", "ok", "GPU: H200"),
        ("raise SystemExit('no driver')", "problem", "no trainer can start: no driver"),
        ("import time; time.sleep(60)", "problem", "did not start within 1 s"),
    ],
)
def test_another_process_finds_the_device(
    monkeypatch: pytest.MonkeyPatch, code: str, status: str, message: str
) -> None:
    """The process may print, fail or hang."""
    monkeypatch.setattr(machine, "_PRINT_DEVICE", code)
    monkeypatch.setattr(machine, "DEVICE_LIMIT", 1.0 if "sleep" in code else 60.0)
    examination = Examination()
    machine.examine_device(examination)

    assert (examination.checks[0].status, message in examination.checks[0].message) == (status, True)


@pytest.mark.slow
def test_the_device_of_a_real_trainer_is_found(location: Location) -> None:
    """The doctor's own process does not import TensorFlow."""
    script = (
        "import sys; from pathlib import Path; from tuner_storage import locate; from tuner.doctor import examine\n"
        f"examination = examine(locate(home=Path({str(location.artifacts.parent)!r})))\n"
        "print([check.status for check in examination.checks if check.name == 'device'], 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "['ok'] False"
