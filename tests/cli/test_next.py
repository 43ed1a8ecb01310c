"""Every command names the next useful commands on stderr, and none of them does with ``--json``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main

Tuner = Callable[..., Result]


@pytest.fixture
def tuner(home: Path) -> Tuner:
    """The command, on a home with a finished study."""
    run_scripted(home, small_recipe())
    return lambda *words: CliRunner().invoke(main, list(words), env={"TUNER_HOME": str(home)})


@pytest.mark.parametrize(
    ("words", "following"),
    [
        (("study", "list"), "tuner study show small "),
        (("study", "show", "small"), "tuner study trials small "),
        (("study", "trials", "small"), "tuner study best small "),
        (("study", "trials", "small", "--attempts"), "tuner study trials small "),
        (("study", "best", "small"), "tuner export small -o model/ "),
        (("report", "small"), "tuner export small -o model/ "),
        (("report", "small", "--timing"), "tuner report small "),
        (("space", "list"), "tuner study start digits "),
        (("data", "list"), "tuner study start digits "),
        (("data", "fetch", "digits"), "tuner study start digits "),
        (("storage", "check"), "tuner doctor "),
        (("storage", "upgrade"), "tuner study list "),
        (("doctor", "--quick"), "tuner study list "),
    ],
)
def test_a_command_that_reports_names_the_next_one(tuner: Tuner, words: tuple[str, ...], following: str) -> None:
    """On stderr; with `--json` there is none."""
    result, as_json = tuner(*words), tuner(*words, "--json")

    assert (result.exit_code, as_json.exit_code) == (0, 0), result.output
    assert "\nNext:\n" in result.stderr
    assert any(line.strip().startswith(following) for line in result.stderr.splitlines())
    assert "Next:" not in result.stdout + as_json.output


@pytest.mark.parametrize(
    ("words", "following"),
    [(("stop", "small"), "tuner study start small "), (("delete", "small", "--yes"), "tuner study list ")],
)
def test_a_command_that_changes_a_study_names_the_next_one(
    tuner: Tuner, words: tuple[str, ...], following: str
) -> None:
    """These commands print nothing on stdout."""
    result = tuner("study", *words)

    assert (result.exit_code, result.stdout) == (0, "")
    assert following in result.stderr


def test_a_recipe_is_printed_alone(tuner: Tuner) -> None:
    """`space show` writes into a file or a pipe; a checked recipe can be started."""
    assert tuner("space", "show", "digits").stderr == ""
    assert "tuner study start digits " in tuner("space", "check", "digits").stderr
