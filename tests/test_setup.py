"""Checks of the repository: pinned versions, no traces of a machine, help and documentation for every command."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import runpy
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import tuner

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*==[0-9][0-9a-z.]*")

# Concatenated, so that the patterns do not match this file.
MACHINE_PATH = re.compile(r"(?<![\w.~}-])/(?:home|root|work|Users)/|\b[A-Z]:\\{1,2}Users")
REGISTRY = re.compile(r"\bpy" + r"pi\.|python" + r"hosted|\bana" + r"conda\.|registry\.np" + "mjs")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def constraint_lines() -> list[str]:
    return (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def pins(constraint_lines: list[str]) -> dict[str, str]:
    return dict(line.split("==") for line in constraint_lines)


def direct_requirements(project: dict[str, Any]) -> list[Requirement]:
    metadata = project["project"]
    texts = [*project["build-system"]["requires"], *metadata["dependencies"]]
    texts += [text for extra in metadata["optional-dependencies"].values() for text in extra]
    return [Requirement(text) for text in texts]


def text_files() -> Iterator[tuple[Path, str]]:
    """Yield every text file that git tracks or would add."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    for name in sorted(set(listing.stdout.split("\0")) - {""}):
        path = ROOT / name
        if not path.is_file():
            continue  # deleted, not yet committed
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # binary


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield ``command`` and all its subcommands, with the words that call them."""
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, f"{path} {name}")


def test_constraints_hold_nothing_but_exact_versions(constraint_lines: list[str]) -> None:
    """Every line is ``name==version``. Addresses, markers and comments are not understood by all installers."""
    assert [line for line in constraint_lines if not PIN.fullmatch(line)] == []


def test_constraints_are_sorted_and_name_each_package_once(constraint_lines: list[str]) -> None:
    """So a second pin of a package is easy to see."""
    names = [line.split("==")[0] for line in constraint_lines]

    assert names == sorted(set(names))


def test_every_direct_dependency_is_pinned_to_a_version_that_it_allows(
    project: dict[str, Any], pins: dict[str, str]
) -> None:
    """``pyproject.toml`` and ``constraints.txt`` agree."""
    wrong = [
        f"{requirement} is pinned to {pin}"
        for requirement in direct_requirements(project)
        if not (pin := pins.get(canonicalize_name(requirement.name))) or not requirement.specifier.contains(pin)
    ]

    assert wrong == []


def test_every_pin_accepts_this_python(pins: dict[str, str]) -> None:
    """If a pin does not accept this Python, pip refuses to install; uv, which wrote the pins, does not check this."""
    running = platform.python_version()
    wrong = [
        f"{name}=={package.version} needs Python {package.metadata['Requires-Python']}"
        for package in importlib.metadata.distributions()
        if pins.get(name := canonicalize_name(package.name)) == package.version
        and "Requires-Python" in package.metadata
        and not SpecifierSet(package.metadata["Requires-Python"]).contains(running, prereleases=True)
    ]

    assert wrong == []


def test_version_is_the_same_in_the_metadata_and_in_the_package(project: dict[str, Any]) -> None:
    """``tuner --version`` prints the installed version."""
    assert project["project"]["version"] == tuner.__version__


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY], ids=["machine path", "package registry"])
def test_no_file_names_the_machine_it_was_made_on(pattern: re.Pattern[str]) -> None:
    """Committed text contains no home folder and no package registry, so it works on every machine."""
    matches = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]

    assert matches == []


def test_every_command_argument_and_option_has_help() -> None:
    """Nobody has to read the source to learn what a command, an argument or an option does."""
    from tuner.cli.main import main

    missing = [path for path, command in commands(main, "tuner") if not command.help]
    missing += [
        f"{path} {parameter.opts[0]}"
        for path, command in commands(main, "tuner")
        for parameter in command.params
        if isinstance(parameter, click.Option | click.Argument) and not parameter.help
    ]

    assert missing == []


def test_the_command_line_reference_is_up_to_date(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``docs/cli.md`` is what the help texts say, whatever the terminal, the home folder and the environment are."""
    for variable in ("HOME", "TUNER_HOME", "TUNER_DATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("TUNER_STORAGE", "sqlite:///other.db")
    monkeypatch.setenv("COLUMNS", "40")
    expected = runpy.run_path(str(ROOT / "docs" / "generate_cli.py"))["reference"]()

    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == expected, "run: make docs"
