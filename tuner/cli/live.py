"""Shows a run on stderr: as a live table on a terminal, else as one line per trial."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.filesize import decimal
from rich.live import Live
from rich.text import Text

from tuner.cli.output import console, err
from tuner.cli.run_table import describe_end, render
from tuner.report.text import duration, metric
from tuner.run.progress import DiskSpace, Ended, Plan, RunView


def announce(plan: Plan) -> str:
    """Return what a run will do and roughly how long it takes, the remarks, and a warning if the disk is small."""
    if plan.finished >= plan.limit:
        more = "there are no other configurations" if plan.whole_grid else "use a larger --trials to add more"
        return f"{plan.study}: all {plan.limit} trials are done; {more}."
    done = f" ({plan.finished} done)" if plan.finished else ""
    limit = f", at most {duration(plan.timeout)}" if plan.timeout is not None else ""
    return (
        f"{plan.study}: {plan.limit} trials{done} of up to {plan.epochs} epochs, {plan.workers} at a time; "
        f"roughly {duration(plan.seconds)}{limit}.{_notes(plan.remarks)}{_warning(plan.disk)}"
    )


def _notes(remarks: Sequence[str]) -> str:
    return "".join(f"\nNote: {remark}." for remark in remarks)


def _warning(disk: DiskSpace) -> str:
    """Return a line about a disk that may become full, else an empty text."""
    if not disk.is_short:
        return ""
    return (
        f"\nWarning: models and checkpoints may need {decimal(disk.needed)}, and {disk.folder} has room for "
        f"{decimal(disk.available)}. Less is needed with a lower `keep` or `keep_checkpoints` in [budget]."
    )


class Lines:
    """Prints one line per finished trial; implements :class:`tuner.run.progress.Progress`."""

    def planned(self, plan: Plan) -> None:
        """Print the plan of the run."""
        err(announce(plan))

    def update(self, view: RunView) -> None:
        """Print nothing between trials."""

    def ended(self, end: Ended, view: RunView) -> None:
        """Print one line for a trial that has ended."""
        done = view.counts.ended + view.counts.paused
        best = f", best {metric(view.best[1])} of trial {view.best[0]}" if view.best else ""
        err(f"{describe_end(end, view)}  ({done}/{view.limit}{best})")


class LiveTable:
    """Draws the run as a table, several times per second; implements :class:`tuner.run.progress.Progress`.

    The last line of the table says what happened last. It stays on the terminal when the table is removed.
    """

    def __init__(self) -> None:
        self._last: Text | None = None
        self._live = Live(console=console(stderr=True), refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        """Start drawing."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the table, so that only the result and what happened last remain."""
        self._live.stop()
        if self._last is not None:
            self._live.console.print(self._last, overflow="ellipsis", no_wrap=True)

    def planned(self, plan: Plan) -> None:
        """Print the plan of the run above the table."""
        self._live.console.print(announce(plan))

    def update(self, view: RunView) -> None:
        """Draw the current state of the run."""
        self._live.update(render(view, self._last))

    def ended(self, end: Ended, view: RunView) -> None:
        """Draw the current state with a line about the trial; if it failed, print the reason above the table."""
        self._last = Text(describe_end(end, view), style="dim")
        if end.reason is not None:
            self._live.console.print(f"trial {end.number} {end.outcome}: {end.reason}", style="red")
        self.update(view)


def progress_display(*, quiet: bool) -> Lines | LiveTable | None:
    """Return the display for this terminal, or ``None`` if ``quiet``."""
    if quiet:
        return None
    return LiveTable() if sys.stderr.isatty() else Lines()
