"""Notes about valid recipes, of `space check` and at the start of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.cli.main import main
from tuner.executors.inline import InlineExecutor

START = ("study", "start", "my.toml", "--executor", "inline")


@pytest.fixture(autouse=True)
def _scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies use the scripted trainer, in an empty folder."""
    monkeypatch.setattr(
        "tuner.executors.registry.InlineExecutor", lambda _setup: InlineExecutor(SETUP, ScriptedTrainer)
    )
    monkeypatch.chdir(tmp_path)


def tuner(*arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, list(arguments))


def write(space: str) -> None:
    """Write `my.toml`: four trials over a space."""
    Path("my.toml").write_text(f'data = "digits"\n[budget]\ntrials = 4\nepochs = 2\n[space]\n{space}\n')


def test_a_space_with_nothing_to_search_is_said_and_runs_one_trial() -> None:
    """By the check, at the start, and when it is started again."""
    write("layers = 1\nbatch_size = 2000")
    check, first, again = (tuner(*words) for words in [("space", "check", "my.toml"), *[START] * 2])

    assert check.stdout.startswith("my.toml is fine: 1 trial\nNote: there is nothing to search: ")
    assert "Note: there is nothing to search: [space] has one configuration, so 1 of 4 trials is run." in first.stderr
    assert "Note: a batch_size of 2000 is more than the " in first.stderr
    assert len(json.loads(tuner("study", "trials", "my", "--json").stdout)) == 1
    assert "there are no other configurations" in again.stderr
    assert (check.exit_code, first.exit_code, again.exit_code) == (0, 0, 0)


def test_the_check_prints_notes_and_trials_as_json() -> None:
    """The number of trials is the one that is run."""
    write('layers = 0\nbatch_norm = { type = "choice", choices = [true, false] }')
    checked = json.loads(tuner("space", "check", "my.toml", "--json").stdout)

    assert (checked["trials"], checked["searched"]) == (2, ["batch_norm"])
    assert [note.partition(":")[0] for note in checked["notes"]] == [
        "[space] has 2 configurations, so 2 of 4 trials are run",
        "'batch_norm' can have no effect",
    ]
