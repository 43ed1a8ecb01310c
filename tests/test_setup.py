"""Checks of the repository: pinned versions, no traces of a machine, help and documentation for every command."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import runpy
import shutil
import subprocess
import sys
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
from tuner.distribution import install

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*==[0-9][0-9a-z.]*")
HASHES = re.compile(r"\S+==\S+(?:\s+--hash=sha256:[0-9a-f]{64})+")

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


def test_the_file_of_hashes_has_the_same_versions_and_no_address() -> None:
    """``make hashes`` writes it. It works with any package index, because it names none."""
    text = (ROOT / "constraints-hashes.txt").read_text(encoding="utf-8").replace("\\\n", "")
    lines = text.splitlines()
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()

    assert [line.split()[0] for line in lines] == pins, "run: make hashes"
    assert [line for line in lines if not HASHES.fullmatch(line)] == []


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


@pytest.mark.parametrize(
    ("version", "accepted"),
    [("3.10.12", False), ("3.11.0", False), ("3.11.1", True), ("3.13.9", True), ("3.14.0", False)],
)
def test_a_python_with_the_open_socket_of_multiprocessing_is_refused(
    project: dict[str, Any], tmp_path: Path, version: str, accepted: bool
) -> None:
    """By pip and by make: every user of the machine can run code in a fork server of Python 3.11.0 (CVE-2022-42919)."""
    python = tmp_path / "python"
    numbers = tuple(map(int, version.split(".")))
    python.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "import sys; sys.version_info = {numbers}; exec(sys.argv[1])" "$2"\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    make = ["make", "interpreter", f"PYTHON={python}", "UV="]
    done = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert SpecifierSet(project["project"]["requires-python"]).contains(version) is accepted
    assert ("Error: tuner needs Python 3.11.1 or later" not in done.stderr) is accepted


def test_the_wheel_installs_no_package_that_a_user_may_have(tmp_path: Path) -> None:
    """A script beside its own ``storage.py`` or ``search_spaces.py`` can use this package, and the other way round."""
    for name in ("storage", "search_spaces"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the file of the user')\n", encoding="utf-8")
    (tmp_path / "script.py").write_text("from tuner import open_study\nprint(open_study('digits').name)\n", "utf-8")

    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.stdout, done.returncode) == ("digits\n", 0), done.stderr


def test_no_file_names_a_distribution_of_somebody_else() -> None:
    """``tuner`` on the public index is a stranger's project, so every install command names ours."""
    stranger = re.compile(r"pip install [^`\n]*?(?<![\w.-])tuner(?![\w-])")
    wrong = [f"{path}: {match[0]}" for path, text in text_files() for match in stranger.finditer(text)]

    assert wrong == []
    assert install() == f"pip install {importlib.metadata.distribution('mlp-tuner').name}"


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
