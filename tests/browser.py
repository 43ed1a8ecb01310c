"""A headless Chromium: what a page logs and requests, its colour scheme and width, and its faults of accessibility."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,2400",
)
LOGS = {"browser": "ALL", "performance": "ALL"}
SERIOUS = ("serious", "critical")  # impacts that axe-core gives to a violation
_T = TypeVar("_T")
SECONDS = 60  # longer than the ten seconds between two updates of the dashboard
_LOCAL = ("file:", "data:", "blob:", "about:", "chrome:")
_RUN_AXE = "const done = arguments[0]; axe.run().then(found => done(found.violations), fault => done(String(fault)))"


def start_browser(profile: Path) -> Chrome:
    """Start a headless Chromium with a new profile. If there is none, the test is skipped."""
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip(f"needs chromedriver and one of {', '.join(BROWSERS)}")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", LOGS)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    return Chrome(options=options, service=Service(driver))


def wait_until(browser: WebDriver, condition: Callable[[WebDriver], _T], fault: str = "") -> _T:
    """Wait until a condition is true of the page, and return its value.

    A page may be loaded anew while the condition reads it; then the elements it has found are no longer there, and it
    is asked again.
    """
    waiting = WebDriverWait(browser, SECONDS, ignored_exceptions=[StaleElementReferenceException])
    return waiting.until(condition, fault)


def wait_for_text(browser: WebDriver, *texts: str) -> None:
    """Wait until the page shows all texts."""

    def shows_all(page: WebDriver) -> bool:
        shown = page.find_element(By.TAG_NAME, "body").text
        return all(text in shown for text in texts)

    wait_until(browser, shows_all, f"{texts} do not appear")


def show_as(browser: Chrome, *, scheme: Literal["light", "dark"], width: int, height: int = 1200) -> None:
    """Let pages appear in a colour scheme and in a window of this size, in CSS pixels. A phone is 380 wide."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    _command(browser, "Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    _command(browser, "Emulation.setDeviceMetricsOverride", metrics)


def logged(browser: Chrome) -> list[str]:
    """Return the warnings and errors in the console since the last call."""
    entries: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries if entry["level"] in {"WARNING", "SEVERE"}]


def requested(browser: Chrome) -> list[str]:
    """Return the addresses of other machines and servers that pages requested since the last call.

    Files, and what a page makes of its own data, are left out.
    """
    entries = browser.get_log("performance")  # type: ignore[no-untyped-call]
    messages = [json.loads(entry["message"])["message"] for entry in entries]
    sent = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    return [address for address in sent if not address.startswith(_LOCAL)]


def serious_faults(browser: Chrome) -> list[str]:
    """Return what axe-core finds serious or critical in the page. Without axe-core, the test is skipped."""
    found = importlib.util.find_spec("axe_playwright_python")  # it is not imported: only its copy of axe-core is used
    script = None if found is None or found.origin is None else Path(found.origin).with_name("axe.min.js")
    if script is None or not script.is_file():
        pytest.skip("needs the axe.min.js of axe-playwright-python")
    # Not with execute_script: a page may forbid scripts to make code from text, which the browser does for it.
    _command(browser, "Runtime.evaluate", {"expression": script.read_text(encoding="utf-8")})
    violations = browser.execute_async_script(_RUN_AXE)
    assert isinstance(violations, list), violations
    return [
        f"{each['id']}: {each['help']}: {'; '.join(node['html'][:200] for node in each['nodes'][:3])}"
        for each in violations
        if each["impact"] in SERIOUS
    ]


def full_screenshot(browser: Chrome, file: Path) -> None:
    """Save the whole page as PNG, also what a visitor would have to scroll to."""
    import base64

    shot = _command(browser, "Page.captureScreenshot", {"captureBeyondViewport": True})
    file.write_bytes(base64.b64decode(shot["data"]))


def _command(browser: Chrome, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Run a command of the Chrome DevTools protocol."""
    result: dict[str, Any] = browser.execute_cdp_cmd(name, parameters)
    return result
