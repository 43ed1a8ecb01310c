"""Measure the resident memory of a run's processes while it trains on a data set of some hundred MiB.

python benchmarks/data_memory.py [--mib 300] [--workers 1] [--csv]

The rows are random, so nothing is learned. The run is stopped once a trial trains.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from machine import resident

from tuner.errors import TunerError
from tuner.study import load_study

COLUMNS = 100  # of a row


def write(folder: Path, mib: int, *, csv: bool) -> Path:
    """Write a data set of so many MiB in memory; returns its file."""
    random, rows = np.random.default_rng(0), mib * 2**20 // (4 * COLUMNS)
    x, y = random.random((rows, COLUMNS), np.float32), random.integers(0, 2, rows)
    if csv:
        import polars as pl

        columns = {f"c{number}": x[:, number] for number in range(COLUMNS)}
        pl.DataFrame({**columns, "y": np.where(y == 1, "yes", "no")}).write_csv(folder / "rows.csv", float_precision=4)
        return folder / "rows.csv"
    np.savez(folder / "rows.npz", x_train=x, y_train=y, x_test=x[:1000], y_test=y[:1000])
    return folder / "rows.npz"


def main() -> None:
    """Print the memory of the coordinator and of its workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=300, help="size of the rows as float32 [300]")
    parser.add_argument("--workers", type=int, default=1, help="how many processes train [1]")
    parser.add_argument("--csv", action="store_true", help="write a table instead of arrays")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = write(Path(folder), options.mib, csv=options.csv)
        words = ["study", "start", str(data), "--home", f"{folder}/home", "--workers", str(options.workers)]
        words += ["--trials", "4", "--epochs", "1000", "--device", "cpu", *(["--target", "y"] if options.csv else [])]
        command = [sys.executable, "-m", "tuner", *words]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:  # noqa: S603
            try:
                print(f"{data.stat().st_size / 2**20:.0f} MiB on disk, {options.mib} MiB of rows as float32")
                wait_for_training(Path(folder, "home"))
                print(f"coordinator: {resident(run.pid):.0f} MiB, at most {resident(run.pid, peak=True):.0f} MiB")
                for process in psutil.Process(run.pid).children(recursive=True):
                    print(f"{process.name()} {process.pid}: {resident(process.pid):.0f} MiB")
            finally:
                run.send_signal(signal.SIGINT)
                time.sleep(1)
                run.send_signal(signal.SIGINT)


def wait_for_training(home: Path) -> None:
    """Wait until the first epoch of a trial is recorded."""
    while True:
        with suppress(TunerError):  # there is no study yet
            if load_study("rows", home=home).curves():
                return
        time.sleep(2)


if __name__ == "__main__":
    main()
