"""Shows a run on stderr: as a live table on a terminal, else as one line per trial."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.styled import Styled
from rich.table import Table
from rich.text import Text

from tuner.cli.output import console, err
from tuner.report.tables import new_table
from tuner.report.text import brief, duration, metric, sparkline
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
        value = f"{view.objective} {metric(end.value)}" if end.value is not None else (end.reason or "")
        done = view.counts.ended + view.counts.paused
        best = f", best {metric(view.best[1])} of trial {view.best[0]}" if view.best else ""
        err(
            f"trial {end.number:>3} {end.outcome:<11} {value}  {end.epochs} epochs  {duration(end.seconds)}"
            f"  ({done}/{view.limit}{best})"
        )


class LiveTable:
    """Draws the run as a table, several times per second; implements :class:`tuner.run.progress.Progress`."""

    def __init__(self) -> None:
        self._live = Live(console=console(stderr=True), refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        """Start drawing."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the table, so that only the result remains."""
        self._live.stop()

    def planned(self, plan: Plan) -> None:
        """Print the plan of the run above the table."""
        self._live.console.print(announce(plan))

    def update(self, view: RunView) -> None:
        """Draw the current state of the run."""
        self._live.update(render(view))

    def ended(self, end: Ended, view: RunView) -> None:
        """Draw the current state; if the trial failed, print the reason above the table."""
        if end.reason is not None:
            self._live.console.print(f"trial {end.number} {end.outcome}: {end.reason}", style="red")
        self.update(view)


def progress_display(*, quiet: bool) -> Lines | LiveTable | None:
    """Return the display for this terminal, or ``None`` if ``quiet``."""
    if quiet:
        return None
    return LiveTable() if sys.stderr.isatty() else Lines()


def render(view: RunView) -> Group:
    """Return the state of a run: counts of trials, the best trial, and the running trials."""
    counts = view.counts
    done = counts.ended + counts.paused
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Styled(view.study, "bold"),
        ProgressBar(total=view.limit, completed=done, width=30),
        Text(f"{done}/{view.limit} trials"),
        Text(f"{counts.complete} complete", style="green"),
        Text(f"{counts.pruned} pruned", style="yellow"),
        *([Text(f"{counts.paused} paused", style="magenta")] if counts.paused else []),
        *([Text(f"{counts.refused} refused", style="dim")] if counts.refused else []),
        Text(f"{counts.failed} failed", style="red" if counts.failed else "dim"),
        Text(f"{len(view.running)} running", style="cyan"),
    )
    parts = [f"elapsed {duration(view.elapsed)}"]
    if view.remaining is not None:
        parts.append(f"about {duration(view.remaining)} to go")
    if view.best is not None:
        parts.insert(0, f"best {view.objective} {metric(view.best[1])} (trial {view.best[0]})")
    lines: list[RenderableType] = [head, Text("   ".join(parts))]
    if view.status:
        lines.append(Styled(view.status, "dim"))
    return Group(*lines, _running(view)) if view.running else Group(*lines)


def _running(view: RunView) -> Table:
    """Return one row per running trial."""
    table = new_table()
    for name, justify in (("trial", "right"), ("epoch", "right"), (view.objective, "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("configuration", overflow="ellipsis", no_wrap=True)
    for trial in view.running:
        table.add_row(
            str(trial.number),
            f"{len(trial.values)}/{trial.epochs}",
            metric(trial.values[-1]) if trial.values else "",
            Text(sparkline(trial.values), style="cyan"),
            ("" if trial.promoted is None else f"promoted after {trial.promoted}: ") + brief(trial.params),
        )
    return table
