"""The start of trainers: a fault ends the run with its reason, and files of the user are not imported."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.command import DEADLINE, Command
from tests.executors import jobs
from tests.executors.jobs import exit_quietly, fail_to_import, until
from tests.recipes import small_recipe
from tests.runs import SETUP, run_scripted
from tests.scripted import ScriptedTrainer
from tuner.errors import RunError
from tuner.events import TrainerReady, TrainerUnavailable, WorkerLost
from tuner.executors.base import Executor, MakeTrainer, unavailable
from tuner.executors.fork_server import TRAINERS, shared_server, started_early
from tuner.executors.inline import InlineExecutor
from tuner.executors.local import LocalExecutor

LOCAL = pytest.param(lambda make: LocalExecutor(SETUP, 2, make), id="local", marks=pytest.mark.slow)
INLINE = pytest.param(lambda make: InlineExecutor(SETUP, make), id="inline")


def test_without_a_folder_for_temporary_files_the_hint_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a container whose root is read-only."""
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.gettempdir()

    assert "export TMPDIR=FOLDER" in str(unavailable(caught.value).hint)


@pytest.mark.parametrize("make", [LOCAL, INLINE])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [(fail_to_import, "ModuleNotFoundError: No module named 'jaxx'"), (exit_quietly, "SystemExit: 3")],
)
def test_any_error_in_the_start_of_a_trainer_ends_the_run(
    home: Path, make: type[Executor], fault: MakeTrainer, reason: str
) -> None:
    """The run does not wait for a trainer that never comes. The message is the last line of the trainer's own error."""
    with pytest.raises(RunError, match=f"the trainer cannot start: {reason}"):
        run_scripted(home, small_recipe(), executor=make(fault))  # type: ignore[call-arg]


@pytest.mark.slow
def test_an_error_in_the_imports_of_the_fork_server_ends_the_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server imports for ten seconds before it can fork anything; nobody waits for one that has ended."""
    executor = LocalExecutor(SETUP, 2, ScriptedTrainer)
    monkeypatch.setattr(executor, "_preload", "tests.executors.no_such_module")

    with pytest.raises(
        RunError, match=r"cannot start: ModuleNotFoundError: No module named 'tests\.executors\.no_such"
    ):
        run_scripted(home, small_recipe(), executor=executor)


@pytest.mark.slow
def test_a_fork_server_that_is_killed_while_it_imports_is_replaced_a_few_times(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may kill it because memory runs out. If that happens again and again, the run ends with the reason."""
    executor = LocalExecutor(SETUP, 2, ScriptedTrainer)
    monkeypatch.setattr(executor, "_preload", "tests.executors.killed")

    with pytest.raises(RunError, match=r"no trainer can start: the process was lost \(killed by SIGKILL\)"):
        run_scripted(home, small_recipe(), executor=executor)


@pytest.mark.slow
def test_a_fork_server_that_is_killed_later_is_replaced_when_it_is_needed(tmp_path: Path) -> None:
    """Its workers go on. The next one comes from a new server."""
    executor = LocalExecutor(SETUP, 1, ScriptedTrainer)
    executor.start()
    until(executor, lambda event: isinstance(event, TrainerReady))
    executor._workers[0].server.kill()
    executor.submit([jobs.job(tmp_path, 0, kind=2)])  # it kills its process
    lost = until(executor, lambda event: isinstance(event, WorkerLost))[-1]
    until(executor, lambda event: isinstance(event, TrainerReady))
    executor.close()

    assert lost == WorkerLost(0, "ended without an exit code")


@pytest.mark.slow
def test_closing_does_not_wait_for_the_imports_of_the_fork_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """So Ctrl-C ends a run at once that has not trained anything yet."""
    executor = LocalExecutor(SETUP, 2, ScriptedTrainer)
    monkeypatch.setattr(executor, "_preload", "tests.executors.endless")
    executor.start()
    server = executor._workers[0].server
    executor.close()

    assert not server.is_running


@pytest.mark.slow
def test_a_fork_server_ends_with_its_coordinator_while_it_imports(tmp_path: Path) -> None:
    """A coordinator that is killed leaves no process that imports TensorFlow for nobody."""
    code = f"""
import os, signal, sys, time
sys.path.append({str(Path(__file__).parents[2])!r})
from tuner.executors.fork_server import ForkServer
server = ForkServer("tests.executors.endless")
server.start()
server.fork("worker")
print(server._process.pid, flush=True)
time.sleep(1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=DEADLINE, check=False
    )
    process = psutil.Process(int(done.stdout)) if psutil.pid_exists(int(done.stdout)) else None

    assert done.returncode == -signal.SIGKILL
    if process is not None:
        process.wait(10)


@pytest.mark.slow
def test_what_a_worker_printed_last_explains_its_end(home: Path) -> None:
    """An error of a library that ends the process is not lost."""
    executor = LocalExecutor(SETUP, 1, jobs.abort)

    with pytest.raises(RunError, match=r"\(killed by SIGABRT: cannot load the driver\)"):
        run_scripted(home, small_recipe(), executor=executor)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["a file", "standard input"])
def test_a_script_needs_no_guard_of_its_main_module(tmp_path: Path, how: str) -> None:
    """Workers import no main module. In a notebook or from standard input there is none that they could import."""
    code = f"""
import sys
sys.path.append({str(Path(__file__).parents[2])!r})
from tests.executors.jobs import until
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.executors.local import LocalExecutor
from tuner.events import TrainerReady
executor = LocalExecutor(SETUP, 1, ScriptedTrainer)
executor.start()
print(until(executor, lambda event: True))
executor.close()
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    command = [sys.executable, str(script)] if how == "a file" else [sys.executable, "-"]
    done = subprocess.run(command, input=code, capture_output=True, text=True, timeout=DEADLINE, check=False)

    assert (done.stdout, done.stderr) == ("[TrainerReady(device='script', bfloat16=None)]\n", "")


@pytest.mark.slow
def test_files_of_the_current_folder_do_not_replace_modules(tuner: Command) -> None:
    """A user may call a file `queue.py` or `tuner.py`. No process of a run imports it."""
    for name in ("queue", "tuner", "sklearn", "keras", "random"):
        (tuner.folder / f"{name}.py").write_text(f"raise SystemExit('{name}.py was imported')")
    command = [sys.executable, "-P", "-m", "tuner", "study", "start", "digits", "--trials", "1", "--epochs", "1"]
    done = subprocess.run(
        command, cwd=tuner.folder, env=tuner.env, capture_output=True, text=True, timeout=DEADLINE, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "was imported" not in done.stderr


@pytest.mark.slow
def test_workers_start_if_standard_streams_are_closed(tmp_path: Path) -> None:
    """A daemon may close them all. Our pipes must not take their places."""
    result = tmp_path / "result.txt"
    code = f"""
import pathlib, sys
sys.path.append({str(Path(__file__).parents[2])!r})
from tests.executors.jobs import until
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.executors.local import LocalExecutor
executor = LocalExecutor(SETUP, 1, ScriptedTrainer)
executor.start()
pathlib.Path({str(result)!r}).write_text(str(until(executor, lambda event: True)))
executor.close()
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    subprocess.run(f"{sys.executable} {script} <&- >&- 2>&-", shell=True, timeout=DEADLINE, check=False)  # noqa: S602

    assert result.read_text() == "[TrainerReady(device='script', bfloat16=None)]"


@pytest.mark.slow
def test_a_low_limit_of_open_files_is_named(tmp_path: Path) -> None:
    """One line with a hint, not a traceback of a library."""
    code = f"""
import resource, sys
sys.path.append({str(Path(__file__).parents[2])!r})
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.errors import RunError
from tuner.executors.local import LocalExecutor
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
executor = LocalExecutor(SETUP, 32, ScriptedTrainer)
try:
    executor.start()
except RunError as error:
    print(error, "-", error.hint)
executor.close()
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)

    assert done.stdout.startswith("no worker can be started: Too many open files - use fewer --workers")
    assert done.stderr == ""


def test_a_run_that_is_refused_leaves_no_fork_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is started before anything is checked, so that it imports meanwhile."""
    monkeypatch.setattr("tuner.executors.fork_server._shared", {})
    with started_early(wanted=True):
        server = shared_server(TRAINERS)
        is_running = server.is_running

    assert (is_running, server.is_running) == (True, False)


@pytest.mark.slow
def test_packages_that_no_trainer_needs_are_not_imported_with_tensorflow() -> None:
    """They take half of the time. Whoever needs one later, as the baselines of a table, can import it."""
    code = """
import gc, sys
import tuner.executors.preload
print(*{"IPython", "jax", "matplotlib", "pandas", "scipy", "sklearn"}.intersection(sys.modules), gc.isenabled())
import sklearn.model_selection
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_a_trainer_that_cannot_start_is_no_worker_any_more() -> None:
    """It takes no job."""
    executor = InlineExecutor(SETUP, fail_to_import)
    executor.start()
    event = until(executor, lambda event: isinstance(event, TrainerUnavailable))[-1]
    executor.close()

    assert isinstance(event, TrainerUnavailable)
    assert executor.free == 0
