"""What the commands write: foreign text as it is, with control characters as escapes, on any stream and encoding."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.text import Text

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli import output
from tuner.cli.live import LiveTable
from tuner.cli.main import main
from tuner.cli.run_table import render
from tuner.records import Counts
from tuner.run.progress import RunView

HOSTILE = "a\x1b[31mb\u202ec"
SHOWN = "a\\x1b[31mb\\u202ec"
VERBS = (
    ("study", "list"),
    ("study", "show", "NAME"),
    ("study", "trials", "NAME"),
    ("study", "best", "NAME"),
    ("report", "NAME"),
)

Tuner = Callable[..., Result]


@pytest.fixture
def study(home: Path) -> Callable[..., None]:
    """Makes a finished study of any name and label, as an earlier version of tuner let one be named."""

    def make(name: str, label: str = "first") -> None:
        start = [{"label": label, "params": {"learning_rate": 0.01}}]
        run_scripted(home, small_recipe(start=start, budget={"trials": 2, "epochs": 2}), name=name)

    return make


@pytest.fixture
def tuner(home: Path) -> Tuner:
    return lambda *words, charset="utf-8": CliRunner(charset=charset).invoke(
        main, list(words), env={"TUNER_HOME": str(home), "COLUMNS": "200"}
    )


@pytest.mark.parametrize("name", ["a[/b]", "mlp[v2]", "[b]:smile:[/b]"])
def test_names_and_labels_are_no_markup(tuner: Tuner, study: Callable[..., None], name: str) -> None:
    """In titles, cells and sentences, a name appears as it was given."""
    study(name, name)

    for verb in VERBS:
        result = tuner(*(name if word == "NAME" else word for word in verb))
        assert result.exit_code == 0, result.output
        assert name in result.stdout, verb


def test_control_characters_of_an_old_name_are_shown_as_escapes(tuner: Tuner, study: Callable[..., None]) -> None:
    """On stdout and stderr, in tables, errors, hints and suggested commands; and the study can be deleted."""
    study(HOSTILE, HOSTILE)
    results = [tuner(*(HOSTILE if word == "NAME" else word for word in verb)) for verb in VERBS]
    results += [
        tuner("study", "show", "nope"),
        tuner("study", "show", "no\x1b[2J"),
        tuner("study", "start", "\x1b[2J"),
        tuner("study", "\x9b2J"),
    ]

    for result in results:
        assert not {"\x1b", "\u202e", "\x9b"} & set(result.output)
    assert SHOWN in results[0].stdout
    assert "tuner study trials $'a\\x1b[31mb\\xe2\\x80\\xaec'" in results[1].stderr
    assert SHOWN in results[5].stderr  # the hint lists the names that exist
    assert "no\\x1b[2J" in results[6].stderr

    assert tuner("study", "delete", HOSTILE, "--yes").exit_code == 0
    assert json.loads(tuner("study", "list", "--json").stdout) == []


@pytest.mark.parametrize("charset", ["utf-8", "ascii", "latin-1"])
def test_json_is_json_whatever_a_name_holds(tuner: Tuner, study: Callable[..., None], charset: str) -> None:
    """A terminal obeys none of it, and a parser reads the name as it is."""
    name = f"{HOSTILE}\x7f é 数"
    study(name)
    written = tuner("study", "list", "--json", charset=charset).stdout_bytes

    assert b"\x1b" not in written
    assert b"\x7f" not in written
    assert [study["study"] for study in json.loads(written.decode(charset))] == [name]


@pytest.mark.parametrize("charset", ["ascii", "latin-1"])
def test_an_encoding_that_lacks_characters_degrades(tuner: Tuner, study: Callable[..., None], charset: str) -> None:
    """Lines of tables, bars and names become ASCII or escapes; nothing fails."""
    study("数 ü")

    for verb in VERBS:
        result = tuner(*("数 ü" if word == "NAME" else word for word in verb), charset=charset)
        assert result.exit_code == 0, result.output
        assert b"\\u6570" in result.stdout_bytes + result.stderr_bytes


def test_styled_text_and_progress_are_escaped_too() -> None:
    """The console is the boundary for whatever rich draws."""
    console = output.console(width=200)
    file = io.StringIO()
    console.file = file
    view = RunView(HOSTILE, "val_accuracy", Counts(0, 0, 0, 0, 0), 4, None, (), 2.0, None, status=f"[red]{HOSTILE}")
    console.print(render(view))
    console.print(Text(HOSTILE, style="red"))

    assert file.getvalue().count(SHOWN) == 3
    assert "[red]" in file.getvalue()
    assert isinstance(LiveTable()._live.console, type(console))


@pytest.mark.parametrize(
    ("words", "error", "hint", "code"),
    [
        (("study", "show", "nope", "--json"), "there is no study 'nope'", "start one: ", 2),
        (("study", "start", "--json", "--bogus"), "No such option '--bogus'", "tuner study start --help", 2),
        (("--bogus", "study", "list", "--json"), "No such option '--bogus'", "tuner --help", 2),
        (("study", "--json"), "No such option '--json'", "tuner study --help", 2),
        (("data", "fetch", "none.npz", "--json"), "there is no file none.npz", "`tuner data list`", 2),
    ],
)
def test_an_error_is_json_where_json_is_asked_for(
    tuner: Tuner, words: tuple[str, ...], error: str, hint: str, code: int
) -> None:
    """One object on stdout, also for wrong usage; stderr still explains it to people."""
    result = tuner(*words)
    report = json.loads(result.stdout)

    assert list(report) == ["error", "hint", "exit_code"]
    assert error in report["error"]
    assert hint in report["hint"]
    assert report["exit_code"] == result.exit_code == code
    assert f"Error: {report['error']}\nHint:  {report['hint']}\n" in result.stderr


def test_stdout_holds_one_document_if_a_check_fails(tuner: Tuner, home: Path) -> None:
    """A report that says what is wrong is not followed by a second object."""
    home.mkdir()
    (home / "studies.db").write_text("no database" * 100)
    result = tuner("storage", "check", "--json")

    assert result.exit_code == 3
    json.loads(result.stdout)


def test_an_unexpected_error_is_reported_with_its_traceback(tuner: Tuner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any broken pipe but that of stdout is such an error, and no success."""

    def fail(*_: object) -> None:
        raise BrokenPipeError(32, "Broken \x1bpipe")

    monkeypatch.setattr("tuner.results.overview.list_studies", fail)
    result = tuner("study", "list", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == "BrokenPipeError: [Errno 32] Broken \x1bpipe"
    assert "Traceback" in result.stderr
    assert "\x1b" not in result.output


def test_a_question_that_nobody_answers_changes_nothing(tuner: Tuner, study: Callable[..., None]) -> None:
    """Without a terminal, `delete` needs --yes."""
    study("kept")
    result = tuner("study", "delete", "kept")

    assert result.exit_code == 1
    assert "aborted" in result.stderr
    assert [study["study"] for study in json.loads(tuner("study", "list", "--json").stdout)] == ["kept"]
