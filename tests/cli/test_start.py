"""``tuner study start``: its help, and the old spelling of an option."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main
from tuner.cli.start import start
from tuner.study import RunResult, Study


def start_small(home: Path, *options: str) -> Result:
    """Start the study ``small``, which has used up its budget."""
    return CliRunner().invoke(main, ["study", "start", "small", "--home", str(home), *options])


def test_help_shows_the_options_in_groups() -> None:
    """The five options that most people need come first; only `--help` is in no group."""
    result = CliRunner().invoke(main, ["study", "start", "--help"])
    titles = [line for line in result.stdout.splitlines() if line and not line.startswith(" ")]
    common = result.stdout.partition("Common options:\n")[2].partition("\n\n")[0]

    assert titles[1:] == [
        "Positional arguments:", "Common options:", "Budget:", "Search:", "Winner:", "Data:", "Tables:", "Machine:",
        "Study and storage:", "Output:", "Other options:",
    ]  # fmt: skip
    assert [line.split()[0] for line in common.splitlines() if line.startswith("  --")] == [
        "--trials", "--epochs", "--timeout", "--workers", "--name",
    ]  # fmt: skip
    assert start.ungrouped_options == []


@pytest.mark.parametrize("width", [80, 120])
def test_help_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider, and every visible option is listed."""
    monkeypatch.setenv("COLUMNS", str(width))
    lines = CliRunner().invoke(main, ["study", "start", "--help"]).stdout.splitlines()
    visible = [option for option in start.params if isinstance(option, click.Option) and not option.hidden]

    assert max(len(line) for line in lines) <= width
    for option in visible:
        assert sum(line.lstrip().startswith(option.opts[0] + " ") for line in lines) == 1, option.opts


def test_the_old_name_of_plateau_still_works(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the same effect, and one line on stderr names the new spelling."""
    run_scripted(home, small_recipe())
    runs: list[dict[str, Any]] = []

    def run(_study: Study, **settings: Any) -> RunResult:
        runs.append({name: value for name, value in settings.items() if name != "progress"})
        return RunResult("plateau")

    monkeypatch.setattr(Study, "run", run)
    expected, result = start_small(home, "--plateau", "7"), start_small(home, "--patience", "7")

    assert [settings["plateau"] for settings in runs] == [7, 7]
    assert runs[0] == runs[1]
    assert (result.exit_code, result.stdout) == (expected.exit_code, expected.stdout) == (0, result.stdout)
    assert "The last trials brought no improvement; every result is kept." in result.stderr
    warning, rest = result.stderr.split("\n", 1)
    assert warning == "--patience is now called --plateau; the old name still works."
    assert rest == expected.stderr
    assert "--patience" not in CliRunner().invoke(main, ["study", "start", "--help"]).stdout


def test_both_names_of_plateau_are_a_usage_error(home: Path) -> None:
    """Exit code 2, and nothing is made."""
    result = start_small(home, "--patience", "3", "--plateau", "3")

    assert result.exit_code == 2
    assert "--patience is the old name of --plateau: give --plateau alone" in result.stderr
    assert not home.exists()
