"""Draws a run as a table that fits a terminal of 60 columns and more: what does not fit ends in an ellipsis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuner.printable import escaped
from tuner.report.tables import new_table
from tuner.report.text import brief, duration, metric, sparkline
from tuner.run.progress import Ended, RunView

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions  # noqa: TID251 - only their names

_GAP = "   "  # between two facts on one line
_BAR = 30  # columns, a quarter of a narrow terminal
_SPARKLINE_FROM = 80  # columns of the terminal; in a narrower one the configuration needs the room


def render(view: RunView, last: Text | None = None) -> Group:
    """Return the state of a run: counts of trials, the best trial, the running trials, and what happened last.

    Args:
        view: The run.
        last: What happened last, as one line.
    """
    facts = [Text(f"elapsed {duration(view.elapsed)}")]
    if view.remaining is not None:
        facts.append(Text(f"about {duration(view.remaining)} to go"))
    if view.best is not None:
        facts.insert(0, Text(f"best {view.objective} {metric(view.best[1])} (trial {view.best[0]})"))
    lines: list[RenderableType] = [_Head(view), _Flow(_counts(view)), _Flow(facts)]
    if view.status:
        lines.append(_one_line(Text(view.status, style="dim")))
    if view.running:
        lines.append(_Running(view))
    if last is not None:
        lines.append(_one_line(last))
    return Group(*lines)


def describe_end(end: Ended, view: RunView) -> str:
    """Return one line about a trial that has ended."""
    value = f"{view.objective} {metric(end.value)}" if end.value is not None else (end.reason or "")
    return f"trial {end.number:>3} {end.outcome:<11} {value}  {end.epochs} epochs  {duration(end.seconds)}"


def _counts(view: RunView) -> list[Text]:
    """Return how many trials there are in each state; states that are rare are left out while there is none."""
    counts = view.counts
    return [
        Text(f"{counts.complete} complete", style="green"),
        Text(f"{counts.pruned} pruned", style="yellow"),
        *([Text(f"{counts.paused} paused", style="magenta")] if counts.paused else []),
        *([Text(f"{counts.refused} refused", style="dim")] if counts.refused else []),
        Text(f"{counts.failed} failed", style="red" if counts.failed else "dim"),
        Text(f"{len(view.running)} running", style="cyan"),
    ]


def _one_line(text: Text) -> Text:
    """Return the text so that it takes one line, with an ellipsis at its end if it is too long."""
    return Text(text.plain, style=text.style, no_wrap=True, overflow="ellipsis")


class _Flow:
    """Facts side by side, and on further lines if they do not fit."""

    def __init__(self, facts: Iterable[Text]) -> None:
        self._facts = list(facts)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        line: list[Text] = []
        for fact in self._facts:
            if line and Text(_GAP).join([*line, fact]).cell_len > options.max_width:
                yield Text(_GAP, no_wrap=True, overflow="ellipsis").join(line)
                line = []
            line.append(fact)
        yield Text(_GAP, no_wrap=True, overflow="ellipsis").join(line)


class _Head:
    """The name of the study and how far it is."""

    def __init__(self, view: RunView) -> None:
        self._view = view

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        counts, limit = self._view.counts, self._view.limit
        done = counts.ended + counts.paused
        trials, bar = f"{done}/{limit} trials", min(_BAR, options.max_width // 4)
        name = Text(escaped(self._view.study), style="bold")
        name.truncate(max(1, options.max_width - bar - len(trials) - 2 * len(_GAP)), overflow="ellipsis")
        grid = Table.grid(padding=(0, len(_GAP)))
        grid.add_row(name, ProgressBar(total=max(limit, 1), completed=done, width=bar), trials)
        yield grid


class _Running:
    """One row per running trial."""

    def __init__(self, view: RunView) -> None:
        self._view = view

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _SPARKLINE_FROM
        table = new_table()
        for name in ("trial", "epoch", self._view.objective):
            table.add_column(name, justify="right", no_wrap=True)
        if wide:
            table.add_column("", no_wrap=True)
        table.add_column("configuration", overflow="ellipsis", no_wrap=True)
        for trial in self._view.running:
            origin = "" if trial.promoted is None else f"promoted after {trial.promoted}: "
            table.add_row(
                str(trial.number),
                f"{len(trial.values)}/{trial.epochs}",
                metric(trial.values[-1]) if trial.values else "",
                *([Text(sparkline(trial.values), style="cyan")] if wide else []),
                origin + brief(trial.params),
            )
        yield table
