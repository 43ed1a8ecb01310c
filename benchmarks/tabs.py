"""Measure what open tabs of the live page cost a study that runs with two workers.

python benchmarks/tabs.py [--tabs 5] [--seconds 120] [--window 10]

The dashboard serves beside one run. In every second window the tabs ask as the page does: each loads the page of the
study, waits 1.5 s and loads it again. Prints the epochs per second with and without them, their ratio, and how busy the
dashboard was. The windows
alternate within the run, so that both sides see the same machine, the same study and the same number of stored trials.
Browsers also draw what they load; that takes time of the machine where the browser runs, and is not measured.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import tempfile
import threading
import time
from pathlib import Path
from queue import Queue
from urllib.parse import urlsplit

import psutil

from tuner.dashboard.beside import DashboardBeside
from tuner.run.progress import Ended, Plan, RunView
from tuner.study import open_study

SEARCH = """
name = "tabs"
data = "digits"
[budget]
trials = 100000
epochs = 20
[search]
sampler = "random"
pruner = "none"
[space]  # all epochs take the same time
learning_rate = { type = "float", low = 0.0001, high = 0.01, log = true }
layers = 2
units = 128
batch_size = 16
"""
INTERVAL = 1.5  # seconds, as in live.js
WORKERS = 2


class Meter:
    """Counts the epochs of a run."""

    def __init__(self) -> None:
        self._ended = self.trials = 0
        self._running = 0

    @property
    def epochs(self) -> int:
        """The epochs so far."""
        return self._ended + self._running

    def planned(self, plan: Plan) -> None:
        pass

    def update(self, view: RunView) -> None:
        self._running = sum(len(trial.values) for trial in view.running)

    def ended(self, end: Ended, view: RunView) -> None:
        self._ended += end.epochs
        self.trials += 1
        self.update(view)


class Tab(threading.Thread):
    """Loads one page again and again while ``is_open`` is set."""

    def __init__(self, address: str, is_open: threading.Event, done: threading.Event) -> None:
        super().__init__(daemon=True)
        self._address = urlsplit(address)
        self._is_open = is_open
        self._done = done
        self.seconds: list[float] = []

    def run(self) -> None:
        """Load the page until the run is over."""
        while not self._done.is_set():
            if not self._is_open.wait(0.1):
                continue
            began = time.perf_counter()
            connection = http.client.HTTPConnection(self._address.netloc, timeout=60)
            connection.request("GET", f"{self._address.path}/1")
            answer = connection.getresponse()
            answer.read()
            connection.close()
            if answer.status == 200:
                self.seconds.append(time.perf_counter() - began)
            self._done.wait(INTERVAL)


def watch(meter: Meter, address: Queue[str], pid: int, options: argparse.Namespace, done: threading.Event) -> None:
    """Open and close the tabs in turn while the study runs, then print the figures."""
    live, is_open = address.get().removeprefix("Live page: "), threading.Event()
    tabs = [Tab(live, is_open, done) for _ in range(options.tabs)]
    for tab in tabs:
        tab.start()
    while not meter.epochs and not done.is_set():
        time.sleep(0.1)
    rates: dict[bool, list[float]] = {False: [], True: []}
    shares: dict[bool, list[float]] = {False: [], True: []}
    process = psutil.Process(pid)
    while not done.is_set():
        for opened in (False, True):
            (is_open.set if opened else is_open.clear)()
            began, before, busy = time.perf_counter(), meter.epochs, sum(process.cpu_times()[:2])
            if done.wait(options.window):
                break
            seconds = time.perf_counter() - began
            rates[opened].append((meter.epochs - before) / seconds)
            shares[opened].append((sum(process.cpu_times()[:2]) - busy) / seconds)
    pairs = list(zip(rates[False], rates[True], strict=False))
    ratios = [opened / closed for closed, opened in pairs if closed]
    answers = sorted(second for tab in tabs for second in tab.seconds)
    print(f"{meter.trials} trials ended; {len(pairs)} pairs of windows of {options.window:g} s, {WORKERS} workers")
    for opened, name in ((False, "without tabs"), (True, f"with {options.tabs} tabs")):
        rate, share = statistics.median(rates[opened]), statistics.median(shares[opened])
        print(f"{name:<14} {rate:8.1f} epochs per second, the dashboard used {100 * share:.1f} % of one core (medians)")
    spread = f"median of the pairs; {min(ratios):.3f} to {max(ratios):.3f}"
    print(f"{'ratio':<14} {statistics.median(ratios):8.3f} ({spread})")
    median, longest = statistics.median(answers), answers[-1]
    print(f"{len(answers)} answers, median {1000 * median:.0f} ms, longest {1000 * longest:.0f} ms")


def main() -> None:
    """Run the study with the dashboard beside it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tabs", type=int, default=5, help="[5]")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the run [120]")
    parser.add_argument("--window", type=float, default=10.0, help="seconds [10]")
    options = parser.parse_args()
    meter, address, done = Meter(), Queue[str](), threading.Event()
    with tempfile.TemporaryDirectory() as home:
        search = Path(home) / "tabs.toml"
        search.write_text(SEARCH, encoding="utf-8")
        study = open_study(search, home=Path(home))
        with DashboardBeside(study.location, address.put) as beside:
            watcher = threading.Thread(target=watch, args=(meter, address, beside.pid, options, done))
            watcher.start()
            try:
                study.run(timeout=options.seconds, workers=WORKERS, progress=meter)
            finally:
                done.set()
                watcher.join()


if __name__ == "__main__":
    main()
