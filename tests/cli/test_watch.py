"""``tuner study watch``, beside a run in another thread or after it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.recipes import small_recipe
from tests.runs import epochs_of, rows, run_scripted
from tuner.cli.main import main
from tuner.config.recipe import Recipe

SPACE = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "batch_size": {"type": "choice", "choices": [3, 1]},  # epochs of 0.2 s, or a failure
    "layers": 1,
    "units": 8,
}
RECIPE = small_recipe(space=SPACE, search={"sampler": "random", "pruner": "none", "seed": 3})


def watch(home: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["study", "watch", "small", "--home", str(home), *options])


@contextmanager
def running(home: Path, recipe: Recipe = RECIPE) -> Iterator[None]:
    """Run the study in a thread, and begin the block when it has an epoch."""
    stop: list[str] = []
    run = threading.Thread(target=run_scripted, args=(home, recipe), kwargs={"stop": lambda: stop[0] if stop else None})
    run.start()
    try:
        while not epochs_of(home, 0) + epochs_of(home, 1) + epochs_of(home, 2):
            time.sleep(0.02)
        yield
    finally:
        stop.append("stop")
        run.join()


def test_it_follows_a_run_to_its_end(home: Path) -> None:
    """Without a terminal, each trial that ends is a line; at the end follows what the run itself prints."""
    with running(home):
        result = watch(home)

    assert result.exit_code == 0
    ended = [line.split()[1] for line in result.stderr.splitlines() if line.startswith("trial ")]
    assert len(ended) == len(set(ended)) >= 3
    assert "loss was nan in epoch 1" in result.stderr
    assert "val_accuracy 0." in result.stderr
    assert "The run of 'small' has ended; its last run: ended " in result.stderr
    assert "The best trials" in result.stdout
    assert "Next:" in result.stderr


def test_json_is_that_of_the_run(home: Path) -> None:
    """One document at the end, the same as `study best --json` prints."""
    with running(home):
        result = watch(home, "--json", "--quiet")
    best = CliRunner().invoke(main, ["study", "best", "small", "--json", "--home", str(home)])

    assert json.loads(result.stdout) == json.loads(best.stdout)
    assert "trial " not in result.stderr


def test_a_study_that_is_not_running_is_shown_at_once(home: Path) -> None:
    """The last run is named, and the exit code is 0."""
    run_scripted(home, small_recipe())
    result = watch(home)

    assert result.exit_code == 0
    assert "'small' is not running; its last run: ended " in result.stderr
    assert "The best trials" in result.stdout


def test_an_unknown_study_is_an_error(home: Path) -> None:
    """As everywhere: exit code 2, and nothing is created."""
    result = watch(home)

    assert result.exit_code == 2
    assert "there is no study 'small'" in result.stderr
    assert not home.exists()


@pytest.mark.slow
def test_ctrl_c_ends_the_command_and_not_the_run(home: Path) -> None:
    """The exit code is 0, no row was changed by the command, and the run goes on."""
    recipe = small_recipe(budget={"trials": 100, "epochs": 100}, space={**SPACE, "batch_size": 3})
    command = [sys.executable, "-m", "tuner", "study", "watch", "small", "--home", str(home)]
    with running(home, recipe):
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                assert process.stderr.readline().startswith("Following 'small'.")
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=30)
            finally:
                process.kill()
        stop_requested = rows(home, "SELECT stop_requested FROM tuner_lease")
        ended = rows(home, "SELECT ended FROM tuner_run")

    assert (process.returncode, out) == (0, "")
    assert "'small' goes on." in err
    assert (stop_requested, ended) == ([(0,)], [(None,)])
