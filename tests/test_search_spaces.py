"""Searches are found by name, by path, and in packages of others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import search_spaces
from tuner.config.recipe import load_recipe
from tuner.errors import RecipeError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """An installed distribution of somebody else, which registers ``team_digits``; the parameter is its target."""
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


def test_the_searches_that_come_along_are_listed() -> None:
    """Sorted by name."""
    assert search_spaces.names() == sorted(search_spaces.names())
    assert {"digits", "fashion_mnist", "mnist", "mnist_book", "mnist_ladder"} <= set(search_spaces.names())


@pytest.mark.parametrize("package", ["FILE", "TEXT"], indirect=True)
def test_others_register_searches_by_an_entry_point(package: Path) -> None:
    """A path or its text will do; the study has the registered name, not that of the file."""
    assert "team_digits" in search_spaces.names()
    assert search_spaces.find("team_digits") == package / "any.toml"
    assert load_recipe("team_digits").name == "team_digits"


@pytest.mark.parametrize(
    ("package", "said"),
    [("NUMBER", r"leads to 5"), ("ABSENT", r"is broken: .*ABSENT"), ("FILE.parent", r"leads to .*site")],
    indirect=["package"],
)
def test_an_entry_point_that_leads_nowhere_is_named(package: Path, said: str) -> None:
    """The person sees which entry point of which group, not a traceback from somebody else's code."""
    with pytest.raises(RecipeError, match=rf"the entry point 'team_digits' of group tuner.search_spaces {said}"):
        search_spaces.find("team_digits")


def test_a_broken_package_is_named(package: Path) -> None:
    """A package that cannot be imported is no traceback either."""
    (package / "acme_searches.py").write_text("import no_such_module\n", encoding="utf-8")

    with pytest.raises(RecipeError, match="is broken: No module named 'no_such_module'"):
        search_spaces.find("team_digits")


def test_an_unknown_name_gets_the_nearest() -> None:
    """A slip of the finger is recognised."""
    with pytest.raises(RecipeError, match="there is no search 'minst'") as caught:
        search_spaces.find("minst")

    assert caught.value.exit_code == 2
    assert caught.value.hint == "did you mean 'mnist'?"


@pytest.mark.parametrize("kind", ["absent", "folder"])
def test_a_missing_file_is_named_as_it_was_given(tmp_path: Path, kind: str) -> None:
    """A folder of that name is no file."""
    path = tmp_path / "my.toml"
    if kind == "folder":
        path.mkdir()

    with pytest.raises(RecipeError, match=f"there is no file {path}") as caught:
        search_spaces.find(str(path))

    assert caught.value.exit_code == 2
    assert "`tuner space list`" in str(caught.value.hint)
