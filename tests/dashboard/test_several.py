"""The dashboard of a study with several objectives."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.browser import wait_for_text
from tests.dashboard.conftest import Finished, served
from tests.dashboard.test_browser import browser
from tests.dashboard.test_server import get
from tests.recipes import small_recipe
from tests.run.test_several import SPACE
from tuner.dashboard.note import note
from tuner.results.trials import front_of

__all__ = ["browser"]  # the fixture


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A study of twelve trials with accuracy and size as objectives; some trials are pruned."""
    search = {"sampler": "random", "pruner": "median"}
    recipe = small_recipe(objectives=["val_accuracy", "parameters"], search=search, space=SPACE)
    study = Finished(tmp_path_factory.mktemp("dashboard") / ".tuner", recipe)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("TUNER_STORAGE", raising=False)
        study.run(12)
        assert {trial.state for trial in study.trials} == {"complete", "pruned"}
        assert len(front_of(study.trials, recipe)) > 1
    return study


@pytest.fixture(scope="module")
def place(weighed: Finished) -> Iterator[str]:
    """The address of its dashboard, without the path."""
    with served(weighed) as address:
        yield address


def test_the_page_of_the_study_has_the_front(place: str, weighed: Finished) -> None:
    """It has names, directions, values and the front; pruned trials have reports and no values."""
    status, body = get(place, "/api/studies/1?after=0")
    detail = json.loads(body)

    assert status == 200
    assert detail["objective_names"] == ["val_accuracy", "parameters"]
    assert detail["directions"] == ["maximize", "minimize"]
    assert {trial["number"] for trial in detail["best_trials"]} == {
        trial.number for trial in front_of(weighed.trials, weighed.recipe)
    }
    for shown, trial in zip(detail["trials"], weighed.trials, strict=True):
        assert shown["intermediate_values"]
        assert shown.get("values") == (list(trial.values.values()) or None)
    assert detail["has_intermediate_values"]


@pytest.mark.parametrize("path", ["/api/studies", "/api/studies/1/param_importances", "/csv/1", "/api/meta"])
def test_the_other_pages_answer(place: str, path: str) -> None:
    """All pages work with several objectives."""
    assert get(place, path)[0] == 200


def test_the_note_lists_the_front(weighed: Finished) -> None:
    """The table has a row per trial, sorted by the first objective."""
    text = weighed.note()
    table = text.split("## The Pareto front\n\n")[1].split("\n\n---")[0].splitlines()
    front = front_of(weighed.trials, weighed.recipe)

    assert "objectives **val_accuracy** (maximize), **parameters** (minimize)" in text
    assert "on the Pareto front" in table[0]
    assert [row.split(" |")[0] for row in table[4:]] == [f"| {trial.number}" for trial in front]
    assert f"&emsp;{front[0].parameters:,} |" in table[4]


def test_with_one_objective_the_note_has_no_front() -> None:
    """A Pareto front needs several objectives."""
    assert "Pareto" not in note("small", small_recipe(), [])


@pytest.mark.browser
@pytest.mark.slow
def test_the_front_is_drawn(browser: WebDriver, place: str, weighed: Finished) -> None:
    """The page of the study shows Optuna's Pareto plot, and its note shows our table."""
    best = front_of(weighed.trials, weighed.recipe)[0]
    browser.get(f"{place}/dashboard/studies/1")
    wait_for_text(browser, "Pareto Front", "val_accuracy", "parameters", "Learning curves")
    browser.get(f"{place}/dashboard/studies/1/trials?numbers={best.number}")
    wait_for_text(browser, f"Trial {best.number}", "Best Trial", str(best.value))
    browser.get(f"{place}/dashboard/studies/1/note")
    wait_for_text(browser, "The Pareto front", "on the Pareto front of val_accuracy and parameters")
