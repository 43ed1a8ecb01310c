"""A search is loaded by name, by path, or from another package."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import tuner_search_spaces
from click.testing import CliRunner

from tuner.cli.main import main
from tuner.config.recipe_files import load_recipe
from tuner.errors import RecipeError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """Another installed package, which registers ``team_digits``. The parameter is the target of its entry point."""
    folder = tmp_path / "site"
    info = folder / "acme_searches-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-searches\nVersion: 1.0\n", encoding="utf-8")
    target = getattr(request, "param", "FILE")
    (info / "entry_points.txt").write_text(
        f"[tuner.search_spaces]\nteam_digits = acme_searches:{target}\n", encoding="utf-8"
    )
    (folder / "acme_searches.py").write_text(
        "from pathlib import Path\nFILE = Path(__file__).with_name('any.toml')\nTEXT = str(FILE)\nNUMBER = 5\n",
        encoding="utf-8",
    )
    (folder / "any.toml").write_text('data = "digits"\n[space]\ndropout = 0.5\n', encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "acme_searches", raising=False)
    return folder


def test_the_built_in_searches_are_listed() -> None:
    """The list is sorted by name."""
    assert tuner_search_spaces.names() == sorted(tuner_search_spaces.names())
    assert {"digits", "fashion_mnist", "mnist", "mnist_book", "mnist_ladder"} <= set(tuner_search_spaces.names())


@pytest.mark.parametrize("package", ["FILE", "TEXT"], indirect=True)
def test_other_packages_register_searches_by_an_entry_point(package: Path) -> None:
    """The target is a path or its text. The study has the registered name, not that of the file."""
    assert "team_digits" in tuner_search_spaces.names()
    assert tuner_search_spaces.find("team_digits") == package / "any.toml"
    assert load_recipe("team_digits").name == "team_digits"


@pytest.mark.parametrize(
    ("package", "problem"),
    [("NUMBER", r"is 5"), ("ABSENT", r"is broken: .*ABSENT"), ("FILE.parent", r"is .*site")],
    indirect=["package"],
)
def test_a_wrong_entry_point_is_named(package: Path, problem: str) -> None:
    """The message names the entry point and its group. There is no traceback of another package."""
    with pytest.raises(RecipeError, match=rf"the entry point 'team_digits' of group tuner.search_spaces {problem}"):
        tuner_search_spaces.find("team_digits")


def test_a_broken_package_is_named(package: Path) -> None:
    """A package that cannot be imported causes a message, not a traceback."""
    (package / "acme_searches.py").write_text("import no_such_module\n", encoding="utf-8")

    with pytest.raises(RecipeError, match="is broken: No module named 'no_such_module'"):
        tuner_search_spaces.find("team_digits")


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise ValueError('no licence')", "no licence"),
        ("raise SystemExit", "SystemExit"),
        ("def wrong(:", "invalid syntax"),
        ("FILE = 'null byte \\0'", "null byte|is 'null"),
    ],
)
def test_whatever_a_package_raises_is_one_line(package: Path, code: str, problem: str) -> None:
    """Its name is still listed, and all other searches work."""
    (package / "acme_searches.py").write_text(f"{code}\n", encoding="utf-8")
    listed = CliRunner().invoke(main, ["space", "list"])
    shown = CliRunner().invoke(main, ["space", "show", "team_digits"])

    assert (listed.exit_code, shown.exit_code) == (0, 2)
    assert re.search(r"team_digits +\(of the package acme-searches\)", listed.stdout)
    assert re.search(problem, shown.stderr)
    assert shown.stderr.count("Error:") == 1


def test_listing_imports_no_other_package(package: Path) -> None:
    """Neither does the hint of a misspelt name, nor a search of another package."""
    (package / "acme_searches.py").write_text("open('imported', 'w')", encoding="utf-8")
    listed = json.loads(CliRunner().invoke(main, ["space", "list", "--json"]).stdout)
    with pytest.raises(RecipeError, match="there is no search 'team_digit'"):
        tuner_search_spaces.find("team_digit")
    tuner_search_spaces.find("digits")

    assert {search["name"]: search["package"] for search in listed}["team_digits"] == "acme-searches"
    assert "acme_searches" not in sys.modules


def test_damaged_metadata_of_a_package_hides_its_searches_only(package: Path) -> None:
    """All other packages are listed."""
    (package / "acme_searches-1.0.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe[[[")

    assert "digits" in tuner_search_spaces.names()
    assert "team_digits" not in tuner_search_spaces.names()


def test_an_unknown_name_gets_the_nearest() -> None:
    """The hint is the most similar name."""
    with pytest.raises(RecipeError, match="there is no search 'minst'") as caught:
        tuner_search_spaces.find("minst")

    assert caught.value.exit_code == 2
    assert caught.value.hint == "did you mean 'mnist'?"


@pytest.mark.parametrize("kind", ["absent", "folder"])
def test_a_missing_file_is_named_as_it_was_given(tmp_path: Path, kind: str) -> None:
    """A folder of that name is not a file."""
    path = tmp_path / "my.toml"
    if kind == "folder":
        path.mkdir()

    with pytest.raises(RecipeError, match=f"there is no file {path}") as caught:
        tuner_search_spaces.find(str(path))

    assert caught.value.exit_code == 2
    assert "`tuner space list`" in str(caught.value.hint)
