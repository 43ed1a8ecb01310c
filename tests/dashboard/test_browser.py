"""The dashboard in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from tests.browser import start_browser, wait_for_text, wait_until
from tests.dashboard.conftest import Finished

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FIGURE = "user-defined-plot:learning-curves"
SHOWN = "return [...new Set(document.getElementById(arguments[0])._fullData.filter(line => line.visible === true)"
SHOWN += ".map(line => line.legendgroup))].sort()"
MARK = "document.getElementById(arguments[0]).layout.marked = true"  # disappears when plotly gets a new layout
MARKED = "return document.getElementById(arguments[0]).layout.marked === true"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    """A headless Chromium with a new profile."""
    started = start_browser(tmp_path / "profile")
    yield started
    started.quit()


def test_a_finished_study_can_be_browsed(browser: WebDriver, address: str, finished: Finished) -> None:
    """The browser shows the list of studies, the trials, the value of the best one, and the note."""
    best = finished.best
    browser.get(address)
    wait_for_text(browser, "1. small", "MAXIMIZE")
    browser.get(f"{address}/dashboard/studies/1/trials?numbers={best.number}")
    wait_for_text(browser, *(f"Trial {trial.number}" for trial in finished.trials), "Best Trial", str(best.value))
    wait_for_text(browser, "best_epoch", "epochs", "parameters", "seconds")
    browser.get(f"{address}/dashboard/studies/1/note")
    wait_for_text(browser, f"Best: trial {best.number}, val_accuracy {best.value:.4f}", "tuner export small -o model/")


def test_a_trial_chosen_in_the_learning_curves_stays_chosen(
    browser: WebDriver, address: str, finished: Finished
) -> None:
    """The dashboard redraws the figure every ten seconds, and the trial stays visible."""
    browser.get(f"{address}/dashboard/studies/1")
    figure = wait_until(browser, lambda b: b.find_element(By.ID, FIGURE))
    names = wait_until(browser, lambda b: b.find_element(By.ID, FIGURE).find_elements(By.CSS_SELECTOR, ".legendtoggle"))
    best = str(finished.best.number)
    assert browser.execute_script(SHOWN, FIGURE) == [best]

    ActionChains(browser).scroll_to_element(figure).click(names[1]).perform()
    wait_until(browser, lambda b: len(b.execute_script(SHOWN, FIGURE)) == 2)
    browser.execute_script(MARK, FIGURE)
    wait_until(browser, lambda b: not b.execute_script(MARKED, FIGURE))

    shown = browser.execute_script(SHOWN, FIGURE)
    assert len(shown) == 2
    assert best in shown
