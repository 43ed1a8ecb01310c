"""``tuner study start``: its help."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tuner.cli.main import main
from tuner.cli.start import start


def test_help_shows_the_options_in_groups() -> None:
    """The five options that most people need come first; only `--help` is in no group."""
    result = CliRunner().invoke(main, ["study", "start", "--help"])
    titles = [line for line in result.stdout.splitlines() if line and not line.startswith(" ")]
    common = result.stdout.partition("Common options:\n")[2].partition("\n\n")[0]

    assert titles[1:] == [
        "Positional arguments:", "Common options:", "Budget:", "Search:", "Winner:", "Data:", "Machine:",
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
