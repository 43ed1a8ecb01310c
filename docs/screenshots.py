"""Make the pictures of the dashboard for the docs: a real run, in a headless Chromium. Look at each of them.

python docs/screenshots.py [--output docs] [--trials 40]

Needs chromium and chromedriver. A study of the digits runs in a temporary folder while the pictures are made.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from queue import Queue

from PIL import Image
from selenium.webdriver import Chrome

sys.path.insert(0, str(Path(__file__).parent.parent))  # the browser of the tests

from tests.browser import show_as, start_browser
from tuner.dashboard.beside import DashboardBeside
from tuner.run.progress import Ended, Plan, RunView
from tuner.study import open_study

COLOURS = 64  # of a picture: enough for text and lines, and small
ENOUGH = 8  # trials that have ended, and epochs of a running trial


class Camera:
    """Takes the pictures when the run has enough to show."""

    def __init__(self) -> None:
        self.ready = threading.Event()

    def planned(self, plan: Plan) -> None:
        """Wait for trials."""

    def update(self, view: RunView) -> None:
        """Be ready when several trials have ended and one has a curve."""
        long = any(len(trial.values) >= ENOUGH for trial in view.running)
        if view.counts.ended + view.counts.paused >= ENOUGH and long:
            self.ready.set()

    def ended(self, end: Ended, view: RunView) -> None:
        """Wait for more trials."""


def main() -> None:
    """Run a study, and save the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder [that of this script]")
    parser.add_argument("--trials", type=int, default=40, help="[40]")
    options = parser.parse_args()
    lines, camera = Queue[str](), Camera()
    with tempfile.TemporaryDirectory() as folder:
        study = open_study("digits", home=Path(folder) / "home")
        with DashboardBeside(study.location, lines.put):
            browser = start_browser(Path(folder) / "profile")
            try:
                address = Queue[str]()
                during = threading.Thread(target=take_live, args=(browser, lines, camera, address, options.output))
                during.start()
                study.run(trials=options.trials, epochs=60, workers=2, progress=camera)
                camera.ready.set()
                during.join()
                show_as(browser, scheme="light", width=1300, height=1000)
                save(browser, options.output / "dashboard.png", f"{address.get()}/dashboard/studies/1")
            finally:
                browser.quit()


def take_live(browser: Chrome, lines: Queue[str], camera: Camera, address: Queue[str], folder: Path) -> None:
    """Take the pictures of the live page while the study runs."""
    live = lines.get().removeprefix("Live page: ")
    address.put(live.removesuffix("/live"))
    camera.ready.wait()
    show_as(browser, scheme="light", width=1000, height=760)
    save(browser, folder / "live.png", f"{live}/1")
    show_as(browser, scheme="dark", width=380, height=760)
    save(browser, folder / "live-phone.png", f"{live}/1")


def save(browser: Chrome, file: Path, address: str) -> None:
    """Save a page as a small PNG."""
    browser.get(address)
    time.sleep(4)  # figures are drawn
    browser.save_screenshot(str(file))
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(COLOURS).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
