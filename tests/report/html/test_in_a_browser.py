"""The page in a real browser, opened from a file: nothing is logged or requested, and figures appear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from selenium.webdriver import Chrome

from tests.browser import BROWSERS, logged, requested, serious_faults, show_as, start_browser, wait_until
from tests.report.html.conftest import invoke
from tests.report.html.test_hostile_text import NAME, hostile

__all__ = ["hostile"]  # the fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DRAWN = "return document.documentElement.dataset.figures"
FIGURES = "return [...document.querySelectorAll('.figure')].map(place => !!place.querySelector('.main-svg'))"
OVERFLOW = "return document.documentElement.scrollWidth - innerWidth"
TEXT_COLOUR = "return getComputedStyle(document.querySelector('#history .xtick text')).fill"
SCHEMES: dict[str, tuple[Literal["light", "dark"], str]] = {
    "light": ("light", "rgb(29, 36, 48)"),
    "dark": ("dark", "rgb(230, 233, 238)"),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests."""
    started = start_browser(tmp_path_factory.mktemp("browser") / "profile")
    yield started
    started.quit()


def open_page(browser: Chrome, home: Path, *words: str, file: Path) -> None:
    """Write a page to a file, open it, and wait for its figures."""
    result = invoke(home, *words, "--html", str(file))
    assert result.exit_code == 0, result.stderr
    browser.get(file.as_uri())
    wait_until(browser, lambda b: b.execute_script(DRAWN))
    assert browser.execute_script(DRAWN) == "drawn"


@pytest.mark.parametrize(("scheme", "width"), [*zip(SCHEMES, (380, 1300), strict=True)])
def test_the_report_appears_without_network(
    browser: Chrome, finished: Path, tmp_path: Path, scheme: str, width: int
) -> None:
    """In both colour schemes, narrow and wide: all figures, no error, no request, no serious fault of accessibility."""
    name, colour = SCHEMES[scheme]
    show_as(browser, scheme=name, width=width)
    requested(browser)
    open_page(browser, finished, "report", "small", file=tmp_path / "report.html")

    shown = browser.execute_script(FIGURES)
    assert len(shown) > 8
    assert all(shown)
    assert browser.execute_script(TEXT_COLOUR) == colour
    assert browser.execute_script(OVERFLOW) <= 0
    assert serious_faults(browser) == []
    assert (logged(browser), requested(browser)) == ([], [])


def test_hostile_text_runs_nothing(browser: Chrome, hostile: Path, tmp_path: Path) -> None:
    """Names with scripts and markup are shown, and nothing is requested or refused by the policy of the page."""
    requested(browser)
    open_page(browser, hostile, "report", NAME, file=tmp_path / "hostile.html")
    slices = "return document.querySelectorAll('.figure a').length"

    assert browser.title == f"Report of the study {NAME}"
    assert browser.execute_script(slices) == 0
    assert (logged(browser), requested(browser)) == ([], [])


def test_the_policy_stops_a_script_that_was_added(browser: Chrome, finished: Path, tmp_path: Path) -> None:
    """Even if an escape were missing, no code and no picture of somebody else would be loaded."""
    file = tmp_path / "report.html"
    assert invoke(finished, "report", "small", "--html", str(file)).exit_code == 0
    added = "<script>document.title = 'run'</script><img src='https://evil.example/x.png'>"
    file.write_text(file.read_text(encoding="utf-8").replace("<main>", f"<main>{added}", 1), encoding="utf-8")
    requested(browser)
    browser.get(file.as_uri())
    wait_until(browser, lambda b: b.execute_script(DRAWN))

    assert browser.title == "Report of the study small"
    assert any("Content Security Policy" in line for line in logged(browser))


def test_a_comparison_appears_too(browser: Chrome, finished: Path, tmp_path: Path) -> None:
    """Its curves are drawn, without an error or a request."""
    show_as(browser, scheme="light", width=1300)
    requested(browser)
    open_page(browser, finished, "study", "compare", "small", "small", file=tmp_path / "compare.html")

    assert browser.execute_script(FIGURES) == [True, True]
    assert serious_faults(browser) == []
    assert (logged(browser), requested(browser)) == ([], [])


def test_the_report_is_printed(finished: Path, tmp_path: Path) -> None:
    """The PDF has several pages, and a second one replaces it."""
    import shutil

    if not any(map(shutil.which, BROWSERS)):
        pytest.skip(f"needs one of {', '.join(BROWSERS)}")
    file = tmp_path / "report.pdf"
    for _ in range(2):
        result = invoke(finished, "report", "small", "--pdf", str(file))
        assert result.exit_code == 0, result.stderr
    printed = file.read_bytes()

    assert printed.startswith(b"%PDF-")
    assert printed.count(b"/Type /Page\n") > 3
