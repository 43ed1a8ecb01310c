"""Completion in real shells: names of studies are data, whatever they hold."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main

NAMES = ["$(touch pwned)", "*", "it's", "my study", "x;y,z", 'd"q', "ende!", "back\\slash", "a:b", "数"]
# Calls the function of the script as bash does, and prints each completion on a line.
BASH = """
COMP_WORDS=("${@}"); COMP_CWORD=$(($# - 1))
_tuner_completion tuner
printf '%s\\n' "${COMPREPLY[@]}"
"""

Complete = Callable[..., list[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with studies of difficult names, and the command `tuner`."""
    folder = tmp_path_factory.mktemp("completion")
    for name in NAMES:
        run_scripted(folder / ".tuner", small_recipe(budget={"trials": 1, "epochs": 1}), name=name)
    command = folder / "bin" / "tuner"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tuner "$@"\n')
    command.chmod(0o755)
    (folder / "houses.csv").write_text("a,b\n1,2\n")
    return folder


def run(folder: Path, shell: str, *words: str) -> list[str]:
    """Return the lines that a shell prints in the folder."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"}
    done = subprocess.run([program, *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def in_bash(folder: Path, words: Sequence[str]) -> list[str]:
    script = f"source {shlex.quote(_script(folder, 'bash'))}\n{BASH}"
    return [line for line in run(folder, "bash", "--norc", "-c", script, "bash", *words) if line]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tuner", "stu"], ["study"]),
        (["tuner", "study", "st"], ["start", "stop"]),
        (["tuner", "study", "start", "--fr"], ["--from", "--fresh"]),
        (["tuner", "space", "show", "mnist_b"], ["mnist_book"]),
        (["tuner", "study", "start", "mnist_l"], ["mnist_ladder"]),
        (["tuner", "export", "x", "--format", "o"], ["onnx"]),
        (["tuner", "study", "show", "my"], ["my\\ study"]),
        (["tuner", "study", "show", "'my"], ["my study"]),
        (["tuner", "study", "show", "\\$"], ["\\$\\(touch\\ pwned\\)"]),
        (["tuner", "study", "show", '"$'], ["\\$(touch pwned)"]),
        (["tuner", "study", "start", "new", "--from", "a,my"], ["a,my\\ study"]),
        (["tuner", "study", "show", "nothing"], []),
    ],
)
def test_bash_completes(folder: Path, words: list[str], expected: list[str]) -> None:
    """Commands, options, searches, formats and studies; names are quoted like the word that is completed."""
    assert in_bash(folder, words) == expected


@pytest.mark.parametrize("mark", ["", "'", '"'])
def test_bash_reads_every_completed_name_as_it_is(folder: Path, mark: str) -> None:
    """What is on the command line after a completion is one word with the name, and nothing of it is run."""
    completed = in_bash(folder, ["tuner", "study", "show", mark])
    script = "\n".join(f"printf '%s\\n' {mark}{word}{mark}" for word in completed)

    assert sorted(run(folder, "bash", "--norc", "-c", script)) == sorted(NAMES)
    assert not (folder / "pwned").exists()


def test_zsh_completes(folder: Path) -> None:
    """The function of the script offers the names as they are; zsh itself quotes what it inserts."""
    script = (
        "compdef() { : }\n_describe() { : }\ncompadd() { print -rl -- $completions }\nzmodload zsh/parameter\n"
        f"source {shlex.quote(_script(folder, 'zsh'))}\nwords=(tuner study show ''); CURRENT=4\n_tuner_completion"
    )

    assert sorted(run(folder, "zsh", "-f", "-c", script)) == sorted(NAMES)


def test_fish_completes(folder: Path) -> None:
    """Fish offers the names as they are, and quotes by itself what it inserts."""
    script = f"source {shlex.quote(_script(folder, 'fish'))}\ncomplete --do-complete 'tuner study show '"
    shown = run(folder, "fish", "--no-config", "-c", script)

    assert sorted(shown) == sorted(NAMES)
    assert not (folder / "pwned").exists()


def test_a_file_is_completed_where_no_name_matches(folder: Path) -> None:
    """`study start hou` goes on with the files of the folder, as the shell completes them."""
    env = {"_TUNER_COMPLETE": "bash_complete", "COMP_WORDS": "tuner\nstudy\nstart\nhou", "COMP_CWORD": "3"}

    assert CliRunner().invoke(main, env=env).stdout == "file,hou\n"


def test_each_shell_reads_its_script(folder: Path) -> None:
    """Without an error."""
    for shell in ("bash", "zsh", "fish"):
        if shutil.which(shell):
            assert run(folder, shell, "-n", _script(folder, shell)) == []


def _script(folder: Path, shell: str) -> str:
    """Write the script for a shell, and return its file."""
    file = folder / f"completion.{shell}"
    file.write_text(CliRunner().invoke(main, ["completion", shell]).stdout)
    return str(file)


@pytest.mark.parametrize("content", [None, b"", b"no database", b"SQLite format 3\0" + b"x" * 5000])
def test_no_database_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    """Whatever is in its place, there are no names, no message, and no new file."""
    home = tmp_path / "home"
    if content is not None:
        home.mkdir()
        (home / "studies.db").write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    env = {
        "_TUNER_COMPLETE": "bash_complete", "COMP_WORDS": "tuner\nstudy\nshow\n", "COMP_CWORD": "3",
        "TUNER_HOME": str(home),
    }  # fmt: skip
    result = CliRunner().invoke(main, env=env)

    assert (result.exit_code, result.output.strip()) == (0, "")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("storage", ["mysql://x", "postgresql://a:b", "sqlite:///?x=1"])
def test_a_malformed_storage_is_no_error(storage: str) -> None:
    """The command itself will say what is wrong."""
    words = f"tuner\nstudy\nshow\n--storage\n{storage}\n"
    env = {"_TUNER_COMPLETE": "zsh_complete", "COMP_WORDS": words.replace("\n", " "), "COMP_CWORD": "5"}
    result = CliRunner().invoke(main, env=env)

    assert (result.exit_code, result.output.strip()) == (0, "")


def test_completing_loads_nothing_heavy(folder: Path) -> None:
    """A study's name is completed without Optuna, pydantic and TensorFlow."""
    code = (
        "import sys, contextlib\nfrom tuner.cli.main import main\n"
        "with contextlib.suppress(SystemExit): main([])\nprint(*sys.modules)"
    )
    env = {
        **os.environ, "_TUNER_COMPLETE": "bash_complete", "COMP_WORDS": "tuner\nstudy\nshow\n", "COMP_CWORD": "3",
        "TUNER_HOME": str(folder / ".tuner"),
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)

    assert "my\\ study" in done.stdout
    assert {"optuna", "pydantic", "numpy", "tensorflow", "keras"}.isdisjoint(done.stdout.split())
