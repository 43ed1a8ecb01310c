"""Suggested commands can be pasted into a shell and act on the same studies."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main
from tuner.cli.places import places
from tuner.command_line import command, command_elsewhere, shell_quote, suggesting

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "word",
    [
        "plain",
        "two words",
        "it's",
        'a"b',
        "$HOME",
        "a;b",
        "-x",
        "a\x1b[31mb",
        "tab\tname",
        "é\u202e数",
        "\udcff",
        "\\x'\x07",
    ],
)
def test_a_quoted_word_reaches_the_program_as_it_is(word: str) -> None:
    """Control characters and bytes that are not UTF-8 too, and the quoted word itself can be shown."""
    quoted = shell_quote(word)
    shown = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True).stdout  # noqa: S607

    assert shown == word.encode(errors="surrogateescape")
    assert quoted.isprintable()


def test_operands_and_options_are_told_apart() -> None:
    """A name with a leading dash stands after `--`, as a value after `=`."""
    assert command("study start", "x", trials=3, fresh=True, name=None) == "tuner study start x --trials 3 --fresh"
    assert command("study start", "-x", trials=0) == "tuner study start --trials 0 -- -x"
    assert command("study start", "x", name="-y") == "tuner study start x --name=-y"
    assert command("export", "my study", o="m/") == "tuner export 'my study' -o m/"


def test_each_command_gets_the_places_that_it_has() -> None:
    """`study show` has no --data-dir, `evaluate` no --home, and `space show` neither."""
    given = {"home": "my runs", "data_dir": "d"}
    with click.Context(main) as context, suggesting(places):
        context.meta["tuner.places"] = given
        assert command("study show", "x") == "tuner study show x --home 'my runs'"
        assert command("study start", "-x") == "tuner study start --home 'my runs' --data-dir d -- -x"
        assert command("evaluate", "m", "x") == "tuner evaluate m x --data-dir d"
        assert command("space show", "x") == "tuner space show x"
        assert command_elsewhere("study import", "x.zip") == "tuner study import x.zip"
    assert command("study show", "x") == "tuner study show x"


@pytest.mark.parametrize("name", ["two words", "-x", "it's", "--help"])
def test_the_suggested_commands_work(tmp_path: Path, name: str) -> None:
    """Each one names the home that was given, and is accepted as it is printed."""
    home = tmp_path / "my runs"
    run_scripted(home, small_recipe(), name=name)
    shown = CliRunner().invoke(main, ["study", "show", "--home", str(home), "--", name])
    suggested = [line.split("   ")[0].strip() for line in shown.stderr.splitlines() if line.startswith("  tuner ")]

    assert len(suggested) == 2, shown.output
    for line in suggested:
        script = f"tuner() {{ printf '%s\\0' \"$@\"; }}; {line}"
        words = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)  # noqa: S607
        result = CliRunner().invoke(main, words.stdout.split("\0")[:-1])
        assert result.exit_code == 0, result.output


def test_errors_of_the_storage_suggest_the_same_place(tmp_path: Path) -> None:
    """Hints from below the command line know the options too."""
    result = CliRunner().invoke(main, ["study", "show", "x", "--home", str(tmp_path / "a b")])

    assert f"tuner study start digits --home '{tmp_path}/a b'" in result.stderr


@pytest.mark.parametrize("name", ["a?b.db", "a#b.db", "100%.db", "a b.db"])
def test_a_backup_of_any_name_is_opened_by_the_suggested_command(tmp_path: Path, name: str) -> None:
    """The URL of a file with `?` or `#` in its path leads to that file."""
    home, copy = tmp_path / "home", tmp_path / name
    run_scripted(home, small_recipe())
    backup = CliRunner().invoke(main, ["storage", "backup", str(copy), "--home", str(home)])
    line = next(line for line in backup.stderr.splitlines() if line.startswith("  tuner "))
    url = line.partition("--storage ")[2].split("   ")[0].strip("'")
    listed = CliRunner().invoke(main, ["study", "list", "--storage", url])

    assert "small" in listed.stdout, listed.output
    assert str(home) not in line
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["home", name])


def test_a_url_with_a_question_mark_never_leads_to_another_file(tmp_path: Path) -> None:
    """What follows it would be left out."""
    result = CliRunner().invoke(main, ["study", "list", "--storage", f"sqlite:///{tmp_path}/a?b.db"])

    assert result.exit_code == 2
    assert "%3F" in result.stderr


def test_every_suggested_command_exists() -> None:
    """The first argument of `command` is a command of tuner."""
    calls = [
        (file, call)
        for folder in ("tuner", "storage", "search_spaces")
        for file in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id.startswith("command")
        and call.args
    ]
    assert len(calls) > 40
    for file, call in calls:
        verb = call.args[0]
        assert isinstance(verb, ast.Constant), file
        found: click.Command | None = main
        for word in str(verb.value).split():
            found = found.commands.get(word) if isinstance(found, click.Group) else None
        assert found is not None, (file, verb.value)
        options = {name for option in found.params for name in (*option.opts, *option.secondary_opts)}
        for keyword in call.keywords:
            assert keyword.arg is None or {f"-{keyword.arg}", f"--{keyword.arg.replace('_', '-')}"} & options, (
                file,
                keyword.arg,
            )
