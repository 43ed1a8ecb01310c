"""Standard streams that are closed, full or without a reader."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Command
from tuner.cli.streams import GuardedStream


@pytest.mark.parametrize("path", ["/dev/full", None])
def test_a_stream_that_cannot_be_written_is_discarded(path: str | None, tmp_path: Path) -> None:
    """The first error is kept for the exit code; later output does not fail, nor does the end of the process."""
    if path is None:
        reader = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, text=True)
        reader.wait()
        assert reader.stdin is not None
        stream: io.TextIOBase = reader.stdin  # type: ignore[assignment]
    else:
        stream = open(path, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    guard = GuardedStream(stream)  # type: ignore[arg-type]
    for _ in range(3):
        guard.write("x" * 100_000)
        guard.flush()

    assert isinstance(guard.error, OSError)
    assert isinstance(guard.error, BrokenPipeError) == (path is None)
    stream.close()


def run(command: Command, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in which `tuner` is the command."""
    script = f'tuner() {{ "{sys.executable}" -m tuner "$@"; }}; set -o pipefail; {line}'
    return subprocess.run(
        ["bash", "-c", script],  # noqa: S607
        cwd=command.folder,
        env=command.env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("tuner space show digits >&-", 0, ""),
        ("tuner space list 2>&-", 0, ""),
        ("tuner study show nope >&- 2>&-", 2, ""),
        ("tuner space show digits | true", 0, ""),
        ("tuner study show nope | true", 2, "there is no study 'nope'"),
        ("tuner space show digits > /dev/full", 1, "cannot be written to standard output: No space left on device"),
        ("tuner study show nope 2> /dev/full", 2, ""),
        ("tuner --help > /dev/full", 1, "No space left on device"),
        ("PYTHONIOENCODING=latin-1 tuner space list", 0, ""),
        ("PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 LC_ALL=C tuner space list", 0, ""),
    ],
)
def test_a_command_ends_with_its_own_code(tuner: Command, line: str, code: int, message: str) -> None:
    """Only a full stdout is an error of its own. Python adds no message at the end."""
    result = run(tuner, line)

    assert result.returncode == code, result.stderr
    assert message in result.stderr
    assert "Exception" not in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("redirection", [">&- 2>&-", "> /dev/full 2> /dev/full", "2>&1 | true"])
def test_a_run_whose_streams_are_closed_ends_with_its_own_code(tuner: Command, redirection: str) -> None:
    """Nothing is written into the database in the place of a closed stream, and every trial is stored."""
    result = run(tuner, f"tuner study start digits --trials 1 --epochs 1 --executor inline {redirection}")

    assert result.returncode == ("full" in redirection), result.stderr
    assert tuner.rows("SELECT state FROM trials") == [("COMPLETE",)]
    assert tuner.rows("PRAGMA integrity_check") == [("ok",)]
