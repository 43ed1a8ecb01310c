"""The commands on PostgreSQL. The password in the URL appears in no output, no table and no file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import inspect, text
from tuner_storage import Location
from tuner_storage.engine import Database

from tests.postgres import PASSWORD
from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main
from tuner.cli.places import places
from tuner.cli.start import start
from tuner.command_line import command, suggesting

SECRET = "s3cret"  # noqa: S105 - the part of the password that is the same in every spelling of a URL
assert SECRET in PASSWORD


def url_of(location: Location) -> str:
    """Return the URL as a user would type it."""
    return location.url.set(drivername="postgresql").render_as_string(hide_password=False)


def tuner(*words: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, words)


def rows_of(location: Location) -> str:
    """Return every row of every table as text."""
    with closing(Database(location)) as database, database.read() as session:
        tables = inspect(session.connection()).get_table_names()
        assert {"tuner_study", "tuner_attempt", "trials", "trial_user_attributes"} <= set(tables)
        return "\n".join(
            row for table in tables for row in session.scalars(text(f'SELECT t::text FROM "{table}" AS t'))
        )


def test_the_commands_that_show_a_study_work_on_a_server(postgres_location: Location, home: Path) -> None:
    """As they do on SQLite, with a finished study."""
    run_scripted(home, small_recipe(), location=postgres_location)
    storage = ("--storage", url_of(postgres_location), "--home", str(home))

    listed = tuner("study", "list", "--json", *storage)
    assert [study["trials"]["complete"] for study in json.loads(listed.stdout)] == [6]
    best = f"{json.loads(listed.stdout)[0]['best']['value']:.4f}"
    for words in (("list",), ("show", "small"), ("trials", "small"), ("best", "small")):
        result = tuner("study", *words, *storage)
        assert (result.exit_code, best in result.output) == (0, True), result.output
        assert SECRET not in result.output
    reported = tuner("report", "small", "--csv", str(home.with_name("trials.csv")), *storage)
    assert reported.exit_code == 0, reported.output
    assert tuner("study", "stop", "small", *storage).exit_code in {0, 1}
    assert SECRET not in rows_of(postgres_location)
    assert tuner("study", "delete", "small", "--yes", *storage).exit_code == 0
    assert json.loads(tuner("study", "list", "--json", *storage).stdout) == []


@pytest.mark.parametrize(
    "url", ["postgresql://ann:s3cret@127.0.0.1:1/team", "postgresql://127.0.0.1:1/team?password=s3cret"]
)
def test_a_password_on_the_command_line_is_pointed_out_once(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """`ps` shows it to every user of the machine. A password in the environment is the advice, so it gets no note."""
    assert tuner("study", "list", "--storage", url).stderr.count("~/.pgpass") == 1
    monkeypatch.setenv("TUNER_STORAGE", url)
    assert "ps" not in tuner("study", "list").stderr.replace("postgresql", "")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://ann:s3cret@127.0.0.1:1/team", 3),
        ("postgresql://ann:s3cret@127.0.0.1:port/team", 2),
        ("postgresql://ann:s3cret{@127.0.0.1:1/team", 2),
        ("postgresql://ann:an@s3cret@127.0.0.1:1/team", 2),
        ("postgresql://ann@127.0.0.1:1/team?password=s3cret", 3),
        ("mysql://ann:s3cret@127.0.0.1/team", 2),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_a_command_that_fails_shows_no_password(url: str, code: int, debug: bool) -> None:
    """Neither does a traceback, and neither does the error for a malformed URL (faults 11 and 12)."""
    command = [sys.executable, "-m", "tuner", *(["--debug"] if debug else []), "study", "list", "--storage", url]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert SECRET not in result.stdout + result.stderr
    assert result.returncode == code
    assert ("Traceback" in result.stderr) is debug
    lines = [line for line in result.stderr.splitlines() if not line.startswith("Note:")]
    assert len(lines) <= 2 or debug


def test_the_command_that_continues_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the environment names the database, the command does not name it again."""

    def suggested(url: str) -> str:
        whole = click.Context(main)
        with start.make_context("start", ["digits", "--storage", url], whole), suggesting(places):
            return command("study start", "digits")

    url = "postgresql://ann:s3cret@host/team"
    assert suggested(url) == "tuner study start digits --storage postgresql://ann@host/team"
    assert suggested("sqlite:///a.db") == "tuner study start digits --storage sqlite:///a.db"

    monkeypatch.setenv("TUNER_STORAGE", url)
    assert suggested(url) == "tuner study start digits"


@pytest.mark.slow
def test_a_real_study_leaves_the_password_nowhere(postgres_location: Location, home: Path) -> None:
    """It is not in the output, the database or any file."""
    environment = {**os.environ, "TUNER_HOME": str(home), "TUNER_STORAGE": url_of(postgres_location)}
    outputs = []
    for words in (
        ("--debug", "study", "start", "digits", "--trials", "2", "--epochs", "1", "--workers", "1", "--json"),
        ("--debug", "study", "show", "digits"),
        ("study", "best", "digits", "--json"),
    ):
        command = [sys.executable, "-m", "tuner", *words]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        outputs.append(result.stdout + result.stderr)

    assert json.loads(outputs[2])["trials"]["complete"] == 2
    assert SECRET not in "".join(outputs)
    assert SECRET not in rows_of(postgres_location)
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    assert not any(SECRET.encode() in path.read_bytes() for path in files)
