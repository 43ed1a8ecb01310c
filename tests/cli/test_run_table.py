"""The live table of a run, in real terminals of several widths."""

from __future__ import annotations

import os
import sys

import pytest
from rich.cells import cell_len

from tests.terminal import in_terminal, without_codes
from tuner.cli.live import LiveTable
from tuner.records import Counts, Params
from tuner.run.progress import Ended, RunView, TrialView

WIDTHS = (60, 72, 80, 100, 140, 200)
LONG = "a search for the best network of all with a very long name that does not fit 数"
PARAMS: Params = {
    "layers": 2, "units_0": 512, "units_1": 256, "optimizer": "adamw", "learning_rate": 0.00123, "dropout": 0.25,
    "batch_size": 128, "activation": "relu",
}  # fmt: skip


def draw() -> None:
    """Draw one state of a run, as a run does; a process of its own calls this."""
    running = tuple(TrialView(number, 100, PARAMS, 9, [0.1 * i for i in range(9)]) for number in (118, 119))
    counts = Counts(complete=80, pruned=20, failed=3, running=2, waiting=0, paused=14, refused=1)
    view = RunView(LONG, "val_average_precision", counts, 1200, (17, 0.98765), running, 3723.0, 7384.0, status="")
    with LiveTable() as table:
        table.update(view)
        table.ended(Ended(117, "complete", 0.97, 100, 61.0, None), view)


def drawn(columns: int, **env: str) -> str:
    """Return what a terminal of so many columns receives."""
    words = [sys.executable, "-c", "from tests.cli.test_run_table import draw; draw()"]
    return in_terminal(words, columns=columns, env={**os.environ, "NO_COLOR": "", **env})


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_table_fits_its_terminal(columns: int) -> None:
    """No line is longer than the terminal, no fact is torn apart, and what is cut ends in an ellipsis."""
    text = without_codes(drawn(columns))
    lines = text.splitlines()

    assert max(map(cell_len, lines)) <= columns
    for fact in ("80 complete", "20 pruned", "14 paused", "1 refused", "3 failed", "2 running", "117/1200 trials"):
        assert fact in text
    for fact in ("best val_average_precision 0.9877 (trial 17)", "about 2:03:04 h to go", "val_average_precision\n"):
        assert fact.strip() in text
    assert any(LONG in line or (f"{LONG[:10]}" in line and "…" in line) for line in lines)
    configurations = [line for line in lines if "promoted after 9" in line]
    assert configurations
    assert all(line.rstrip().endswith(("…", "relu")) for line in configurations)


@pytest.mark.parametrize("columns", WIDTHS)
def test_what_happened_last_stays_in_the_table_and_after_it(columns: int) -> None:
    """The line about the last trial is below the running trials, and remains when the table is removed."""
    lines = [line for line in without_codes(drawn(columns)).splitlines() if line.strip()]

    assert lines[-1].startswith("trial 117 complete    val_average_precision 0.9700  100 epochs"[: columns - 1])
    assert sum(line.startswith("trial 117 complete") for line in lines) >= 2


def test_a_terminal_without_colours_gets_none() -> None:
    """With NO_COLOR there is no code that sets a colour; without it, there are some."""
    coloured = "\x1b[32m"  # green

    assert coloured in drawn(100)
    assert not {f"\x1b[{code}m" for code in (*range(30, 38), *range(90, 98))} & set(_codes(drawn(100, NO_COLOR="1")))


def _codes(text: str) -> list[str]:
    return [f"\x1b[{part.partition('m')[0]}m" for part in text.split("\x1b[")[1:]]
