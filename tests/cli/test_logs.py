"""Log records and warnings: without --debug, the terminal shows our own warnings alone; a file keeps everything."""

from __future__ import annotations

import logging
import re
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.command import Command
from tuner.cli.main import main


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Makes `study list` log and warn, as libraries do; returns the home folder."""

    def make_noise(*_: object) -> list[object]:
        logging.getLogger("tuner.study").warning("the notes \x1b[2Jcould not be written")
        logging.getLogger("tuner_storage.retry").debug("detail of ours")
        logging.getLogger("optuna.study").warning("a warning of Optuna")
        logging.getLogger("sqlalchemy").error("an error of SQLAlchemy")
        warnings.warn("deprecated in Keras", DeprecationWarning, stacklevel=1)
        return []

    monkeypatch.setattr("tuner.results.overview.list_studies", make_noise)
    return home


def run(*words: object) -> Result:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return CliRunner().invoke(main, [str(word) for word in words])


def test_the_terminal_shows_our_own_warnings_alone(noisy: Path) -> None:
    """As one line, with escapes. What libraries say, a user cannot act on."""
    stderr = run("study", "list", "--home", noisy).stderr

    assert stderr.startswith("the notes \\x1b[2Jcould not be written\nThere are no studies yet.\n")
    assert not re.search("detail|Optuna|SQLAlchemy|deprecated", stderr)


def test_debug_shows_everything_with_tracebacks(noisy: Path) -> None:
    """The exit code stays that of the command."""
    stderr = run("--debug", "study", "list", "--home", noisy).stderr
    failed = run("--debug", "study", "show", "nope", "--home", noisy)

    for text in ("detail of ours", "deprecated in Keras", "an error of SQLAlchemy"):
        assert text in stderr
    assert re.search(
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} DEBUG tuner_storage.retry: detail", stderr, re.MULTILINE
    )
    assert failed.exit_code == 2
    assert "Traceback" in failed.stderr
    assert failed.stderr.endswith(f"start one: tuner study start digits --home {noisy}\n")


def test_a_log_file_keeps_everything_and_changes_no_output(noisy: Path, tmp_path: Path) -> None:
    """It is appended to, and holds no control characters."""
    file = tmp_path / "x.log"
    shown = run("--log-file", file, "study", "list", "--home", noisy)
    run("--log-file", file, "study", "show", "nope", "--home", noisy)
    text = file.read_text(encoding="utf-8")

    assert shown.stderr == run("study", "list", "--home", noisy).stderr
    for kept in ("detail of ours", "deprecated in Keras", "\\x1b[2Jcould", "Traceback", "there is no study 'nope'"):
        assert kept in text
    assert "\x1b" not in text


def test_a_log_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Before the command does anything."""
    result = run("--log-file", tmp_path / "none" / "x.log", "space", "list")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be written: No such file or directory" in result.stderr


def test_a_command_leaves_the_logging_of_its_process_as_it_was(noisy: Path) -> None:
    """A program may call commands."""
    before = logging.getLogger().handlers[:], logging.getLogger("tuner").level, warnings.showwarning
    run("--debug", "study", "list", "--home", noisy)

    assert (logging.getLogger().handlers, logging.getLogger("tuner").level, warnings.showwarning) == before


@pytest.mark.slow
def test_no_library_reaches_the_terminal(tuner: Command) -> None:
    """Optuna announced each study that was imported. Warnings are shown by default here, as in some environments."""
    tuner.env["PYTHONWARNINGS"] = "default"
    ours = re.compile(r"|Next:|  tuner .*|digits: .*|trial .*|\d+ trials, .*|loading .*|writing .*|exported: .*")
    for words in (
        ("study", "start", "digits", "--trials", "2", "--epochs", "1", "--pruner", "none"),
        ("study", "export-archive", "digits", "digits.zip"),
        ("study", "import", "digits.zip", "--name", "copy"),
        ("export", "digits", "-o", "model"),
    ):
        result = tuner(*words)
        assert result.returncode == 0, result.stderr
        assert [line for line in result.stderr.splitlines() if not ours.fullmatch(line)] == []
