"""Prints a page to PDF with a Chromium that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tuner.errors import RunError, UsageError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_SECONDS = 120
_PATIENCE = 20_000  # milliseconds of the page's own clock until it is printed; a page that is idle is printed at once
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pdf-header-footer",
    f"--virtual-time-budget={_PATIENCE}",
)


def find_browser() -> str:
    """Return the program that prints.

    Raises:
        UsageError: If there is none.
    """
    found = next((program for name in BROWSERS if (program := shutil.which(name))), None)
    if found is None:
        raise UsageError(
            "--pdf needs Chromium or Chrome, and none is on the PATH",
            hint="install it, or write --html and print that page from any browser",
        )
    return found


def print_pdf(page: str, file: Path) -> None:
    """Print a page.

    Args:
        page: The page as HTML.
        file: The file to write.

    Raises:
        UsageError: If there is no browser.
        RunError: If the browser prints nothing.
    """
    program = find_browser()
    with tempfile.TemporaryDirectory(prefix="tuner-pdf-", ignore_cleanup_errors=True) as folder:
        source, profile, printed = Path(folder, "report.html"), Path(folder, "profile"), Path(folder, "report.pdf")
        source.write_text(page, encoding="utf-8")
        # Chromium's sandbox does not work for root. The page is ours, and its policy lets it run nothing else.
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        places = [f"--user-data-dir={profile}", f"--print-to-pdf={printed}", source.as_uri()]
        try:
            done = subprocess.run(  # noqa: S603 - a browser that the user installed, with our own page
                [program, *_FLAGS, *root, *places], capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RunError(f"{program} could not print the report: {error}", hint="print the page of --html") from None
        if done.returncode or not printed.is_file():
            raise RunError(
                f"{program} printed nothing (exit code {done.returncode})", hint="print the page of --html instead"
            )
        shutil.copyfile(printed, file)
