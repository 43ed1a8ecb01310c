"""What a page of another site can do to the dashboard in a real browser, and what a visit changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from tests.browser import wait_for_text, wait_until
from tests.dashboard.client import contents
from tests.dashboard.conftest import Finished, served
from tests.dashboard.test_browser import browser

__all__ = ["browser"]  # the fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# What a foreign page tries. Each line of its title is the outcome of one attempt.
ATTACK = """<!doctype html><title>-</title><body><iframe src="DASHBOARD/dashboard"></iframe><script>
const attempts = [
  ["DELETE", "/api/studies/1", {}],
  ["POST", "/api/studies/1/rename", {"headers": {"Content-Type": "text/plain"}, "body": '{"study_name": "theirs"}'}],
  ["POST", "/api/studies/1/1/skip", {"mode": "no-cors"}],
  ["PUT", "/api/studies/1/note", {"headers": {"Content-Type": "application/json"}, "body": "{}"}],
  ["GET", "/api/studies", {}],
]
Promise.all(attempts.map(([method, path, options]) =>
  fetch("DASHBOARD" + path, {method, ...options}).then(answer => `${method} ${answer.type}`, () => `${method} failed`)
)).then(outcomes => { document.title = outcomes.join(", ") })
</script>"""
PAGES = ["", "/analytics", "/trials", "/trialTable", "/note"]


@contextmanager
def foreign_page(text: str) -> Iterator[str]:
    """Serve one page at a port of its own, and yield its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("allow_edit", [False, True])
def test_a_foreign_page_can_neither_frame_nor_change_the_dashboard(
    browser: WebDriver, finished: Finished, allow_edit: bool
) -> None:
    """The frame stays empty, no answer can be read, and no row is changed, even if the dashboard may edit."""
    before = contents(finished)
    with (
        served(finished, allow_edit=allow_edit) as address,
        foreign_page(ATTACK.replace("DASHBOARD", address)) as attacker,
    ):
        browser.get(attacker)
        wait_until(browser, lambda b: b.title != "-")
        outcomes = browser.title
        browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))
        framed = browser.find_element(By.TAG_NAME, "body").get_attribute("innerHTML") or ""

    assert outcomes == "DELETE failed, POST failed, POST failed, PUT failed, GET failed"
    assert "Optuna" not in framed
    assert "root" not in framed
    assert contents(finished) == before


def test_a_visit_changes_no_row_and_breaks_no_policy(
    browser: webdriver.Chrome, address: str, finished: Finished
) -> None:
    """All pages of a study are shown with their charts. The console shows no violation of the content policy."""
    before = contents(finished)
    for page in PAGES:
        browser.get(f"{address}/dashboard/studies/1{page}")
        wait_for_text(browser, "small")
        if not page or page == "/analytics":
            wait_until(browser, lambda b: len(b.find_elements(By.CLASS_NAME, "main-svg")) > 1)
    browser.get(f"{address}/dashboard/compare-studies?ids=1")
    wait_for_text(browser, "small")
    log = browser.get_log("browser")  # type: ignore[no-untyped-call]

    assert [line for line in log if "Content Security Policy" in line["message"]] == []
    assert [line["message"] for line in log if line["level"] == "SEVERE"] == []
    assert contents(finished) == before
