"""The login, TLS and a proxy's path in a real browser."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from tuner_storage import locate

from tests.browser import SECONDS, requested, serious_faults, show_as, wait_for_text, wait_until
from tests.dashboard.client import contents
from tests.dashboard.conftest import PASSWORD, Finished, served
from tests.dashboard.test_browser import browser
from tests.dashboard.test_browser_security import foreign_page
from tuner.dashboard.access import Access
from tuner.dashboard.server import DashboardServer

__all__ = ["browser"]  # the fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LINKS = "return [...document.links].map(link => link.href)"
FETCH = "const done = arguments[1]; fetch(arguments[0]).then(answer => answer.text()).then(done)"
SEEN = "return document.referrer + performance.getEntriesByType('navigation')[0].name"


@contextmanager
def proxied(address: str, path: str) -> Iterator[str]:
    """Offer a server below a path of another one, as a proxy does, and yield the address with the path."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not self.path.startswith(f"{path}/"):  # what the page loads from elsewhere is an error in the console
                self.send_error(404, "outside of the path")
                return
            upstream = http.client.HTTPConnection(urlsplit(address).netloc, timeout=SECONDS)
            upstream.request(self.command, self.path.removeprefix(path), body, dict(self.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
            upstream.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"content-length", "transfer-encoding", "connection", "date"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = pass_on  # noqa: N815 - names that the library calls

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Print nothing: a browser ends requests of a page that it leaves."""

    with Server(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{path}"
        finally:
            server.shutdown()


def log_in(browser: Chrome, password: str = PASSWORD) -> None:
    """Fill in the form of the login."""
    browser.find_element(By.ID, "password").send_keys(password)
    browser.find_element(By.TAG_NAME, "button").click()


def errors(browser: Chrome) -> list[str]:
    """Return what the console shows as an error."""
    log = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [line["message"] for line in log if line["level"] == "SEVERE"]


def test_a_visit_with_login_and_logout(browser: Chrome, finished: Finished, password_file: Path) -> None:
    """A page asks for the password, then shows itself. After the logout it asks again. No row is changed."""
    before = contents(finished)
    with served(finished, access=Access(password_file=password_file)) as address:
        browser.get(f"{address}/dashboard/studies/1/trialTable")
        log_in(browser, "wrong")
        wait_for_text(browser, "That is not the password.")
        assert [line for line in errors(browser) if "403" not in line] == []
        log_in(browser)
        wait_for_text(browser, "small", "read-only")
        assert browser.current_url == f"{address}/dashboard/studies/1/trialTable"
        assert errors(browser) == []
        browser.find_element(By.XPATH, "//button[text()='Log out']").click()
        wait_until(browser, lambda b: b.current_url == f"{address}/login")
        browser.get(f"{address}/dashboard")
        wait_for_text(browser, "Password")
        browser.back()
        assert "small" not in browser.find_element(By.TAG_NAME, "body").text
    assert contents(finished) == before


def test_the_link_with_the_token_works_from_anywhere(browser: Chrome, finished: Finished) -> None:
    """Also as a link in a page of another site. The token is neither in the address bar nor in the history."""
    access = Access(allow_hosts=("localhost",))
    with DashboardServer(locate(home=finished.home), 0, access=access) as server, server.serving():
        with foreign_page(f'<!doctype html><a href="{server.link}">dashboard</a>') as elsewhere:
            browser.get(elsewhere)
            browser.find_element(By.TAG_NAME, "a").click()
            wait_for_text(browser, "1. small")
            assert browser.current_url.partition("?")[0] == server.address
            assert "token" not in browser.execute_script(SEEN)
        with foreign_page(f'<!doctype html><a href="{server.address}/studies/1">dashboard</a>') as elsewhere:
            browser.get(elsewhere)
            browser.find_element(By.TAG_NAME, "a").click()
            wait_for_text(browser, "small")
            assert browser.current_url == f"{server.address}/studies/1"


def test_the_dashboard_works_below_a_path_of_a_proxy(browser: Chrome, finished: Finished, password_file: Path) -> None:
    """Pages, charts, downloads, the live page and the login, without a request outside of the path."""
    access = Access(password_file=password_file, behind_proxy=True, root_path="/a/tuner")
    with served(finished, access=access) as direct, proxied(direct.removesuffix("/a/tuner"), "/a/tuner") as address:
        browser.get(f"{address}/")
        log_in(browser)
        wait_for_text(browser, "1. small")
        assert browser.current_url.partition("?")[0] == f"{address}/dashboard"
        assert f"{address}/dashboard/studies/1" in browser.execute_script(LINKS)
        browser.get(f"{address}/dashboard/studies/1")
        wait_until(browser, lambda b: len(b.find_elements(By.CLASS_NAME, "main-svg")) > 1)
        script = browser.execute_async_script(FETCH, f"{address}/static/bundle.js")
        assert script.count("`/a/tuner/csv/${") == 2  # the links of downloads
        assert browser.execute_async_script(FETCH, f"{address}/csv/1").startswith("Number,State,")
        loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
        assert [url for url in loaded if not url.startswith((f"{address}/", "data:", "blob:"))] == []
        browser.get(f"{address}/live")
        wait_for_text(browser, "small")
        assert errors(browser) == []


def test_https_in_a_browser(
    browser: Chrome, finished: Finished, password_file: Path, certificate: tuple[Path, Path]
) -> None:
    """The cookie is for HTTPS only, and all charts arrive."""
    access = Access(password_file=password_file, tls_cert=certificate[0], tls_key=certificate[1])
    browser.execute_cdp_cmd("Security.setIgnoreCertificateErrors", {"ignore": True})
    with served(finished, access=access) as address:
        browser.get(f"{address}/dashboard/studies/1")
        log_in(browser)
        wait_until(browser, lambda b: len(b.find_elements(By.CLASS_NAME, "main-svg")) > 1)
        cookie = browser.get_cookies()[0]
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_login(
    browser: Chrome, finished: Finished, password_file: Path, scheme: Literal["light", "dark"]
) -> None:
    """In both colour schemes, on a phone too, and without JavaScript."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    show_as(browser, scheme=scheme, width=380)
    with served(finished, access=Access(password_file=password_file)) as address:
        browser.get(address)
        log_in(browser, "wrong")
        wait_for_text(browser, "That is not the password.")
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        assert serious_faults(browser) == []
        assert {url for url in requested(browser) if not url.startswith(address)} == set()
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        log_in(browser)
        wait_until(browser, lambda b: b.current_url.startswith(f"{address}/dashboard"))
