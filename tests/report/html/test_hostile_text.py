"""Names, labels and messages of a study are text in its page: no markup of HTML or Plotly, and no code."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.hostile import HOSTILE
from tests.recipes import small_recipe
from tests.report.html.conftest import SPACE, page_of
from tests.report.html.pages import Page
from tests.runs import run_scripted
from tuner.report.figures.style import plotly_text

NAME = "<b>x</b></script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}&lt;"
LABEL = "<a href='https://evil.example'>a</a></script>%{x}"
REASON = "</td></table><script src=https://evil.example/x.js></script>" + HOSTILE


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a study whose texts are all hostile, also where only a changed database can make them so."""
    home = tmp_path_factory.mktemp("hostile") / ".tuner"
    start = {"label": LABEL, "params": {"learning_rate": 0.002, "dropout": 0.1, "optimizer": "adam", "batch_size": 16,
                                        "units": [8]}}  # fmt: skip
    recipe = small_recipe(space=SPACE, budget={"trials": 12, "epochs": 2}, description=NAME, start=[start])
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("TUNER_STORAGE", raising=False)
        run_scripted(home, recipe, name=NAME)
    import json

    with sqlite3.connect(home / "studies.db") as connection:
        update = "UPDATE trial_user_attributes SET value_json = ? WHERE key = 'reason'"
        assert connection.execute(update, [json.dumps(REASON)]).rowcount
        connection.execute("UPDATE tuner_attempt SET device = ?", [REASON])
        connection.execute("UPDATE tuner_study SET environment = ?", [json.dumps({REASON: REASON})])
    return home


@pytest.fixture(scope="module")
def page(hostile: Path) -> Page:
    return page_of(hostile, NAME)


def test_no_text_becomes_an_element(page: Page) -> None:
    """There are only our own scripts, and no picture; the reader sees the names as they are."""
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]

    assert [attrs.get("id") for attrs in scripts] == ["figures", "plotly", None]
    assert not any(tag == "img" or name.startswith("on") for tag, attrs in page.tags for name in attrs)
    assert not any("evil" in (value or "") for _, attrs in page.tags for name, value in attrs.items() if name == "src")
    assert NAME in page.text
    assert LABEL in page.text
    assert "49" not in page.text.split(NAME)[0]


def test_control_characters_are_shown_as_escapes(page: Page) -> None:
    """Nothing changes the direction of the text or hides a part of it."""
    assert "\\x1b[2J" in page.text
    assert not {"\x1b", "\x9b", "\u202e", "\u2066", "\x07"} & set(page.source)


def test_no_text_in_a_figure_is_markup_of_plotly(page: Page) -> None:
    """Plotly reads tags such as ``<a>``, and entities; foreign ones are escaped."""
    texts = page.texts_of_figures()

    assert any("&lt;a href=" in text for text in texts)
    assert not [text for text in texts if "<a " in text or "<b>x" in text or "</script" in text]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
        ("a&lt;b", "a&amp;lt;b"),
        ("x\ny\x1b", "x\\ny\\x1b"),
        ("x" * 99, "x" * 39 + "…"),
    ],
)
def test_plotly_text_escapes_what_plotly_reads(text: str, shown: str) -> None:
    """Tags and entities are escaped, control characters too, and long names are cut before that."""
    assert plotly_text(text) == shown
