"""Measure what it costs to send an epoch from a worker to the coordinator: as JSON with a strict schema, or pickled.

python benchmarks/messages.py [--events 20000]

The table has the microseconds per event, for writing and reading together, and the bytes of its message.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tuner.config.hyperparameters import Hyperparameters
from tuner.events import EpochEnd
from tuner.executors.messages import read_event, write_event
from tuner.jobs import CheckpointFile, TrialJob
from tuner.report.tables import new_table

JOB = TrialJob(7, 0, 1, Hyperparameters(), 20, None, Path("project/.tuner/artifacts/1/trial-7.keras"))
METRICS = {name: 1 / (3 + len(name)) for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")}
EVENT = EpochEnd(7, 4, METRICS, 0.21, CheckpointFile(5, JOB.checkpoint_path(5), "0123456789abcdef" * 4, 123456))


def microseconds(action: Callable[[], object], times: int) -> float:
    """Return the mean time of an action."""
    began = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - began) / times * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20000)
    times = parser.parse_args().events
    table = new_table()
    for name in ("message", "µs per event", "bytes"):
        table.add_column(name)
    strict = microseconds(lambda: read_event(write_event(EVENT), JOB), times)
    pickled = microseconds(lambda: pickle.loads(pickle.dumps(EVENT)), times)  # noqa: S301 - made here
    table.add_row("JSON, strict", f"{strict:.0f}", str(len(write_event(EVENT))))
    table.add_row("pickle", f"{pickled:.0f}", str(len(pickle.dumps(EVENT))))
    Console().print(table)


if __name__ == "__main__":
    main()
