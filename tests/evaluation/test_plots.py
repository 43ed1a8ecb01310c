"""The plots of an evaluation."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.draws import draw
from tests.hostile import HOSTILE, assert_harmless
from tuner.errors import UsageError
from tuner.evaluation.facts import ValidationFacts
from tuner.evaluation.measure import measure
from tuner.evaluation.plots import draw as draw_plots
from tuner.tasks import TaskName

pytestmark = pytest.mark.slow  # matplotlib alone takes a second to import

PLOTS: dict[TaskName, set[str]] = {
    "regression": {"predicted_against_true"},
    "binary": {"reliability", "confusion", "roc_and_precision_recall"},
    "multiclass": {"reliability", "confusion"},
}


def plots(folder: Path, task: TaskName, rows: int, names: tuple[str, ...]) -> list[Path]:
    """Draw the plots of a random model."""
    y, (predictions,) = draw(task, np.random.default_rng(0), rows, 1, classes=max(2, len(names)))
    measured = measure(task, y, predictions, names, facts=ValidationFacts(rows=1, temperature=2.0), resamples=0)
    folder.mkdir()
    return draw_plots(folder, measured, y, predictions)


def texts(svg: Path) -> set[str]:
    """Return the texts of a picture."""
    root = ET.fromstring(svg.read_text(encoding="utf-8"))  # noqa: S314 - written by the test
    return {element.text for element in root.iter() if element.tag.endswith("}text") and element.text}


@pytest.mark.parametrize("task", PLOTS)
@pytest.mark.parametrize("rows", [1, 60, 2500])
def test_each_task_has_its_plots_as_svg_and_png(tmp_path: Path, task: TaskName, rows: int) -> None:
    """A curve of one class does not exist, and many rows are drawn as a density."""
    pytest.importorskip("matplotlib")
    files = plots(
        tmp_path / "plots", task, rows, {"regression": (), "binary": ("no", "yes")}.get(task, ("a", "b", "c"))
    )

    expected = PLOTS[task] - ({"roc_and_precision_recall"} if rows == 1 else set())
    assert {file.name for file in files} == {f"{name}.{suffix}" for name in expected for suffix in ("svg", "png")}
    for file in files:
        if file.suffix == ".svg":
            assert texts(file)
            assert file.stat().st_size < 500_000
        else:
            with Image.open(file) as image:
                assert len(image.convert("L").getcolors() or []) > 5  # something is drawn


def test_the_same_evaluation_draws_the_same_picture(tmp_path: Path) -> None:
    """No time and no random name is written into it."""
    pytest.importorskip("matplotlib")
    first, second = (plots(tmp_path / name, "multiclass", 60, ("a", "b", "c")) for name in ("first", "second"))

    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_names_of_classes_are_text_and_nothing_else(tmp_path: Path) -> None:
    """No formula, no markup, no character that a viewer would obey; a font without the characters is no warning."""
    pytest.importorskip("matplotlib")
    names = ("$x^2$", "<b>&amp;</b>", HOSTILE, "日本")

    shown = texts(
        next(file for file in plots(tmp_path / "plots", "multiclass", 60, names) if file.name == "confusion.svg")
    )

    assert {"$x^2$", "<b>&amp;</b>", "日本"} <= shown
    assert_harmless("\n".join(shown))


@pytest.mark.parametrize("classes", [20, 200])
def test_many_classes_have_no_counts_and_then_no_names(tmp_path: Path, classes: int) -> None:
    """Neither would be readable."""
    pytest.importorskip("matplotlib")
    names = tuple(f"class {i}" for i in range(classes))

    plots(tmp_path / "plots", "multiclass", 2 * classes, names)

    confusion = texts(tmp_path / "plots" / "confusion.svg")
    assert ("class 3" in confusion) == (classes == 20)
    assert "2" not in confusion


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line and a hint."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(UsageError, match="plots need matplotlib") as raised:
        plots(tmp_path / "plots", "regression", 5, ())
    assert raised.value.hint == "pip install 'mlp-tuner[plots]'"
