"""A search is loaded by name, by path, or from another package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import search_spaces
from tuner.config.recipe import load_recipe
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
    assert search_spaces.names() == sorted(search_spaces.names())
    assert {"digits", "fashion_mnist", "mnist", "mnist_book", "mnist_ladder"} <= set(search_spaces.names())


@pytest.mark.parametrize("package", ["FILE", "TEXT"], indirect=True)
def test_other_packages_register_searches_by_an_entry_point(package: Path) -> None:
    """The target is a path or its text. The study has the registered name, not that of the file."""
    assert "team_digits" in search_spaces.names()
    assert search_spaces.find("team_digits") == package / "any.toml"
    assert load_recipe("team_digits").name == "team_digits"


@pytest.mark.parametrize(
    ("package", "problem"),
    [("NUMBER", r"is 5"), ("ABSENT", r"is broken: .*ABSENT"), ("FILE.parent", r"is .*site")],
    indirect=["package"],
)
def test_a_wrong_entry_point_is_named(package: Path, problem: str) -> None:
    """The message names the entry point and its group. There is no traceback of another package."""
    with pytest.raises(RecipeError, match=rf"the entry point 'team_digits' of group tuner.search_spaces {problem}"):
        search_spaces.find("team_digits")


def test_a_broken_package_is_named(package: Path) -> None:
    """A package that cannot be imported causes a message, not a traceback."""
    (package / "acme_searches.py").write_text("import no_such_module\n", encoding="utf-8")

    with pytest.raises(RecipeError, match="is broken: No module named 'no_such_module'"):
        search_spaces.find("team_digits")


def test_an_unknown_name_gets_the_nearest() -> None:
    """The hint is the most similar name."""
    with pytest.raises(RecipeError, match="there is no search 'minst'") as caught:
        search_spaces.find("minst")

    assert caught.value.exit_code == 2
    assert caught.value.hint == "did you mean 'mnist'?"


@pytest.mark.parametrize("kind", ["absent", "folder"])
def test_a_missing_file_is_named_as_it_was_given(tmp_path: Path, kind: str) -> None:
    """A folder of that name is not a file."""
    path = tmp_path / "my.toml"
    if kind == "folder":
        path.mkdir()

    with pytest.raises(RecipeError, match=f"there is no file {path}") as caught:
        search_spaces.find(str(path))

    assert caught.value.exit_code == 2
    assert "`tuner space list`" in str(caught.value.hint)
