"""Figures of an evaluation: what each task has, and names of classes that Plotly would read as markup."""

from __future__ import annotations

import json

import pytest

from tests.evaluations import evaluation_of_task
from tests.hostile import HOSTILE
from tuner.report.figures.evaluation import evaluation_figure, panel_figure, panels
from tuner.tasks import TaskName

NAMES = ("<b>x</b><a href='https://evil.example'>y</a>", f"</script>%{{x}}{HOSTILE}", "x" * 99)
PANELS: dict[TaskName, list[str]] = {
    "regression": ["predicted", "residuals"],
    "binary": ["confusion", "roc", "precision-recall"],
    "multiclass": ["confusion"],
}


@pytest.mark.parametrize("task", PANELS)
def test_each_task_has_its_figures(task: TaskName) -> None:
    """In the report one each, in the dashboard side by side."""
    classes = () if task == "regression" else ("a", "b", "c")
    shown = panels(evaluation_of_task(task), classes)
    beside = evaluation_figure(evaluation_of_task(task), classes)

    assert [panel.name for panel in shown] == PANELS[task]
    assert beside is not None
    assert len(beside.data) == sum(len(panel_figure(panel).data) for panel in shown)


def test_without_an_evaluation_there_is_no_figure() -> None:
    """As for studies of older versions."""
    assert panels(None, ("a", "b")) == []
    assert evaluation_figure(None, ("a", "b")) is None


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_names_of_classes_are_no_markup(task: TaskName) -> None:
    """Plotly reads tags and entities in ticks and titles; control characters are escaped."""
    evaluation = evaluation_of_task(task)
    for figure in (evaluation_figure(evaluation, NAMES), *map(panel_figure, panels(evaluation, NAMES))):
        assert figure is not None
        text = json.dumps(json.loads(figure.to_json()), ensure_ascii=False)
        assert not [part for part in ("<b>x", "<a ", "</script", "\x1b", "\u202e") if part in text]
    ticks = panel_figure(panels(evaluation, NAMES)[0]).layout.xaxis.ticktext
    assert ticks[0].startswith("&lt;b&gt;x&lt;/b&gt;&lt;a ")


def test_classes_without_a_name_have_their_number() -> None:
    """A changed database may have more classes in its evaluation than in its schema."""
    ticks = panel_figure(panels(evaluation_of_task("multiclass"), ("a",))[0]).layout.yaxis.ticktext

    assert ticks == ("a", "1", "2")


def test_a_matrix_of_many_classes_has_no_counts_in_its_cells() -> None:
    """They would not fit; a caption says how many classes are left out."""
    few, many = (panels(evaluation_of_task("multiclass", 900, classes), ())[0] for classes in (12, 40))

    assert "texttemplate" in few.traces[0]
    assert "texttemplate" not in many.traces[0]
    assert "10 others are left out" in many.caption
