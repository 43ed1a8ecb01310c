"""The documentation matches the repository: links, command lines, names of tests, example recipes."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.markdown import INLINE_CODE, ROOT, anchors, commands, fenced_blocks, links, markdown_lines, shell_commands
from tuner.cli.main import main
from tuner.config.recipe import parse_recipe

TESTS = ROOT / "tests"
README_LINES = 150  # a front page; details belong in docs/

PATH = re.compile(r"`((?:tuner|storage|search_spaces|tests|docs|benchmarks)/[\w./]*)`")
TEST_NAME = re.compile(r"`((?:\w+/)*\w+\.py)(?:::(\w+))?`")


def test_every_relative_link_leads_to_a_file_and_a_heading() -> None:
    """No reader ends at a page that was moved or a section that was renamed."""
    broken = []
    for line, target in links():
        path, _, anchor = target.partition("#")
        file = (line.file.parent / path).resolve() if path else line.file
        if not file.exists():
            broken.append(f"{line}: {target}: there is no {file.relative_to(ROOT)}")
        elif anchor and anchor not in anchors(markdown_lines().get(file, [])):
            broken.append(f"{line}: {target}: {file.relative_to(ROOT)} has no heading #{anchor}")

    assert broken == [], "\n".join(broken)


def test_links_are_seen_at_all() -> None:
    """An empty list above means that nothing is broken, not that nothing was read."""
    targets = {target for line, target in links() if line.file == ROOT / "README.md"}

    assert {
        "docs/terminal.svg",
        "search_spaces/tuner_search_spaces/mnist.toml",
        "docs/glossary.md",
        "LICENSE",
    } <= targets


def test_every_path_of_the_repository_that_a_page_names_exists() -> None:
    """Recipes and tables follow when a file is renamed; ``NAME`` stands for a file to be written."""
    missing = [
        f"{line}: there is no {match[1]}"
        for file, lines in markdown_lines().items()
        if file.name != "CHANGELOG.md"  # which tells the past
        for line in lines
        for match in PATH.finditer(line.text)
        if "NAME" not in match[1] and not (ROOT / match[1]).exists()
    ]

    assert missing == [], "\n".join(missing)


def test_the_front_page_links_to_every_page_of_docs() -> None:
    """A page that nothing leads to is not read."""
    linked = {target.partition("#")[0] for line, target in links() if line.file == ROOT / "README.md"}
    pages = {str(file.relative_to(ROOT)) for file in markdown_lines() if file.parent == ROOT / "docs"}

    assert pages - linked == set()


def test_the_readme_is_a_front_page() -> None:
    """Details belong in ``docs/``."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_every_command_line_parses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands and options of the code blocks exist; the command itself does not run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(click.Command, "invoke", lambda *_: None)
    wrong = []
    for line, words in shell_commands():
        result = CliRunner().invoke(main, words)
        if result.exit_code:
            wrong.append(f"{line}: tuner {shlex.join(words)}: {result.output.strip().splitlines()[-1]}")

    assert wrong == [], "\n".join(wrong)


def test_every_command_and_option_in_a_sentence_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prose may leave out arguments, but names nothing that is not there."""
    monkeypatch.setattr(click.Command, "invoke", lambda *_: None)
    options = set(_options(main))
    wrong = []
    for lines in markdown_lines().values():
        for line in lines:
            for match in INLINE_CODE.finditer(line.text if line.block is None else ""):
                words = match[0].strip("`").split()
                if words[:1] == ["tuner"]:
                    output = CliRunner().invoke(main, words[1:]).output
                    wrong += [f"{line}: {match[0]}: {text}" for text in output.splitlines() if "No such" in text]
                elif words and words[0].startswith("--") and (line.file.parent != ROOT / "benchmarks"):
                    wrong += [] if words[0] in options else [f"{line}: no command has the option {words[0]}"]

    assert wrong == [], "\n".join(wrong)


def _options(command: click.Command) -> Iterator[str]:
    """Yield every option of a command and of the commands below it."""
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    context = click.Context(command)
    yield from context.help_option_names
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if child := command.get_command(context, name):
                yield from _options(child)


def test_command_lines_are_seen_at_all() -> None:
    """An empty list above means that every command line parses, not that none was read."""
    texts = {shlex.join(words) for line, words in shell_commands() if line.file == ROOT / "README.md"}

    assert {"study start mnist", "export mnist -o model/ --format keras --format onnx"} <= texts


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tuner space show mnist > my.toml  # a copy", [["space", "show", "mnist"]]),
        ("KERAS_BACKEND=jax tuner doctor && tuner study list", [["doctor"], ["study", "list"]]),
        ("pip install mlp-tuner", []),
    ],
)
def test_command_lines_are_taken_apart_as_a_shell_does(line: str, expected: list[list[str]]) -> None:
    """Redirections, comments, variables and other programs are no arguments of ``tuner``."""
    assert list(commands(line)) == expected


def test_an_unknown_option_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing without running still refuses what does not exist."""
    monkeypatch.setattr(click.Command, "invoke", lambda *_: None)

    assert CliRunner().invoke(main, ["study", "start", "digits", "--trails", "3"]).exit_code == 2
    assert CliRunner().invoke(main, ["study", "begin", "digits"]).exit_code == 2


def test_every_test_that_the_page_on_reliability_names_exists() -> None:
    """A promise whose test was renamed or deleted is noticed."""
    page = ROOT / "docs" / "reliability.md"
    named = [(line, match[1], match[2]) for line in markdown_lines()[page] for match in TEST_NAME.finditer(line.text)]
    missing = []
    for line, path, name in named:
        file = TESTS / path
        if not file.is_file():
            missing.append(f"{line}: there is no tests/{path}")
        elif name and name not in _definitions(file):
            missing.append(f"{line}: tests/{path} has no {name}")

    assert missing == [], "\n".join(missing)
    assert len(named) > 40


@cache
def _definitions(file: Path) -> frozenset[str]:
    """Return the names of a file's functions and classes, methods included."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef))


def test_every_example_of_a_recipe_is_valid() -> None:
    """A complete recipe can be copied from a page and run; so can the examples in Python be compiled."""
    recipes = 0
    for file, lines in markdown_lines().items():
        for language, first, code in fenced_blocks(lines):
            if language == "python":
                compile(code, f"{file.relative_to(ROOT)}:{first}", "exec")
            elif language == "toml" and "[space]" in code:
                parse_recipe({"name": "example", **tomllib.loads(code)}, f"{file.relative_to(ROOT)}:{first}")
                recipes += 1

    assert recipes > 0
