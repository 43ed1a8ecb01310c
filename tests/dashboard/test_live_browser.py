"""The live page in a real browser, beside runs that go on."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

import tuner.dashboard.live
from tests.browser import logged, requested, serious_faults, show_as, start_browser, wait_for_text, wait_until
from tests.command import Command
from tests.dashboard.conftest import Finished, served
from tests.recipes import small_recipe
from tests.runs import epochs_of, rows, run_scripted
from tuner.dashboard.live.app import FRESH

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SPACE = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "batch_size": {"type": "choice", "choices": [3, 1]},  # epochs of 0.2 s, or a failure
    "layers": 1,
    "units": 8,
}
RECIPE = small_recipe(
    space=SPACE, budget={"trials": 500, "epochs": 60}, search={"sampler": "random", "pruner": "none", "seed": 3}
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    driver = start_browser(tmp_path / "profile")
    yield driver
    driver.quit()


@pytest.fixture
def running(home: Path) -> Iterator[Finished]:
    """A study that runs in a thread of this process, with failed trials and a running one."""
    stop: list[str] = []
    run = threading.Thread(target=run_scripted, args=(home, RECIPE), kwargs={"stop": lambda: stop[0] if stop else None})
    run.start()
    while not any(epochs_of(home, number) for number in range(6)):
        time.sleep(0.02)
    yield Finished(home, RECIPE)
    stop.append("stop")
    run.join()


def epoch(browser: WebDriver) -> str:
    """Return the text that says how many epochs the first running trial has."""
    shown = browser.execute_script("return document.querySelector('.epochs')?.textContent ?? ''")
    return str(shown)


def has_changed(before: str, browser: WebDriver) -> bool:
    """Return whether the page is another one than before."""
    return browser.page_source != before


def test_a_started_study_is_visible_and_moves(browser: Chrome, tuner: Command) -> None:
    """`study start --dashboard` prints an address; its page shows the run, and the epochs count up by themselves."""
    process = tuner.start("--dashboard", "--workers", "1", "--trials", "30")
    assert process.stderr is not None
    address = next(line for line in process.stderr if line.startswith("Live page: ")).split()[2]
    browser.get(address)
    wait_until(browser, lambda b: b.find_elements(By.LINK_TEXT, "digits"))
    browser.find_element(By.LINK_TEXT, "digits").click()
    wait_until(browser, epoch)
    first = epoch(browser)
    wait_until(browser, lambda b: epoch(b) != first)

    assert logged(browser) == []
    assert not [url for url in requested(browser) if not url.startswith(address.removesuffix("/live"))]


def test_what_is_shown_is_at_most_three_seconds_old() -> None:
    """An answer is used again for a second, and the page asks again before three seconds are over."""
    script = Path(tuner.dashboard.live.__file__).with_name("static") / "live.js"
    interval = int(re.findall(r"INTERVAL = ([0-9]+);", script.read_text(encoding="utf-8"))[0])

    assert interval / 1000 + FRESH < 3


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 360)])
def test_it_is_sound_on_a_phone_and_a_wide_screen(
    browser: Chrome, running: Finished, scheme: Literal["light", "dark"], width: int
) -> None:
    """No error, no request elsewhere, no serious fault of accessibility, and nothing is wider than the screen."""
    with served(running, allow_edit=True) as address:
        show_as(browser, scheme=scheme, width=width)
        for path in ("/live", "/live/1"):
            browser.get(address + path)
            before = browser.page_source
            wait_until(browser, partial(has_changed, before))

            assert serious_faults(browser) == []
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert logged(browser) == []
        assert not [url for url in requested(browser) if not url.startswith(address)]


def test_the_button_stops_the_run(browser: Chrome, running: Finished) -> None:
    """After a second look: the button is behind a line that opens."""
    with served(running, allow_edit=True) as address:
        browser.get(f"{address}/live/1")
        browser.find_element(By.CSS_SELECTOR, "summary").click()
        wait_until(browser, lambda b: b.find_element(By.CSS_SELECTOR, "button").is_displayed())
        browser.find_element(By.CSS_SELECTOR, "button").click()
        wait_until(browser, lambda b: "Not running: it was stopped." in b.page_source)

    assert rows(running.home, "SELECT stopped_by FROM tuner_run") == [("stop",)]


def test_it_says_if_the_server_is_gone(browser: Chrome, finished: Finished) -> None:
    """What is shown stays, with a warning that it may be old."""
    with served(finished) as address:
        browser.get(f"{address}/live/1")
        warning = browser.find_element(By.ID, "lost")
        assert not warning.is_displayed()
    wait_until(browser, lambda _: warning.is_displayed())

    assert "12 of 12 trials" in browser.page_source


def test_it_works_without_scripts(browser: Chrome, finished: Finished) -> None:
    """The page is complete, and loads itself again."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    with served(finished) as address:
        browser.get(f"{address}/live/1")
        assert "12 of 12 trials" in browser.page_source
        assert browser.find_element(By.CSS_SELECTOR, "noscript meta").get_dom_attribute("content") == "5"


def test_optunas_pages_stay_on_this_machine(browser: Chrome, finished: Finished) -> None:
    """List, study page with both figures, and a trial: no error in the console, and no request elsewhere."""
    with served(finished) as address:
        for path, shown in (
            ("/dashboard", "1. small"),
            ("/dashboard/studies/1", "Best val_accuracy so far"),
            (f"/dashboard/studies/1/trials?numbers={finished.best.number}", "Best Trial"),
            ("/dashboard/studies/1/note", f"Best: trial {finished.best.number}"),
        ):
            browser.get(address + path)
            wait_for_text(browser, shown)

        assert logged(browser) == []
        assert not [url for url in requested(browser) if not url.startswith(address)]
