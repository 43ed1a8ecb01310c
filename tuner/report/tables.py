"""Tables of studies, trials, attempts, settings and times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from tuner.report.text import brief, duration, metric, number, objective_value
from tuner.times import for_people

if TYPE_CHECKING:  # tuner.results imports Optuna, which `tuner study list` must not load
    from tuner_storage.copies import Attempt

    from tuner.config.recipe import Recipe
    from tuner.results.overview import StudySummary
    from tuner.results.trials import TrialResult

LADDER_TOLERANCE = 0.3  # percentage points below the book that count as equal
_STYLES = {
    "complete": "green",
    "pruned": "yellow",
    "failed": "red",
    "running": "cyan",
    "waiting": "dim",
    "paused": "magenta",
    "refused": "dim",
}


def new_table(title: str | None = None) -> Table:
    """Return an empty table in the style of all tables."""
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def studies_table(studies: Iterable[StudySummary]) -> Table:
    """Return one row per study."""
    table = new_table()
    for name in ("study", "data", "objective"):
        table.add_column(name, overflow="fold")
    for name in ("best", "trial", "complete", "pruned", "paused", "failed", "budget"):
        table.add_column(name, justify="right")
    table.add_column("running")
    for study in studies:
        best = (metric(study.best[1]), str(study.best[0])) if study.best else ("", "")
        counts = study.counts
        numbers = (counts.complete, counts.pruned, counts.paused, counts.failed, study.limit)
        names = (study.name, study.data, ", ".join(study.objectives))
        table.add_row(*names, *best, *(str(count) for count in numbers), study.running or "")
    return table


def trials_table(trials: Sequence[TrialResult], recipe: Recipe, title: str | None = None) -> Table:
    """Return one row per trial, in the order given; a label replaces the parameters."""
    table = new_table(title)
    table.add_column("trial", justify="right")
    table.add_column("state")
    # Seconds and parameters have columns already.
    others = [name for name in recipe.objective.also if name not in {"seconds", "parameters"}]
    for name in (recipe.objective.metric, *others, "epochs", "time", "weights"):
        table.add_column(name, justify="right")
    table.add_column("configuration", overflow="fold")
    for trial in trials:
        table.add_row(
            str(trial.number),
            Text(trial.state, style=_STYLES[trial.state]),
            metric(trial.value),
            *(objective_value(name, trial.values[name]) if trial.values else "" for name in others),
            str(trial.epochs),
            duration(trial.seconds) if trial.seconds else "",
            f"{trial.parameters:,}" if trial.parameters else "",
            trial.reason or trial.label or _origin(trial) + brief(trial.all_params),
        )
    return table


def _origin(trial: TrialResult) -> str:
    """Return after how many epochs a trial was promoted, or of which trial it is another seed."""
    promoted = "" if trial.promoted is None else f"promoted after {trial.promoted}: "
    return promoted if trial.repeats is None else f"trial {trial.repeats} with another seed: "


def attempts_table(attempts: Sequence[Attempt]) -> Table:
    """Return one row per attempt, in the order given; times are those of this machine."""
    table = new_table()
    for name in ("trial", "attempt"):
        table.add_column(name, justify="right")
    for name in ("started", "took", "from epoch"):
        table.add_column(name, justify="right")
    for name in ("outcome", "device", "owner", "reason"):
        table.add_column(name, overflow="fold")
    for row in attempts:
        took = "" if row.ended is None else duration((row.ended - row.started).total_seconds())
        outcome = row.outcome or "running"
        numbers = (str(row.number), str(row.attempt), for_people(row.started, seconds=True), took, str(row.first_epoch))
        owner = row.owner.rsplit(":", 1)[0]
        table.add_row(*numbers, Text(outcome, style=_STYLES.get(outcome, "")), row.device or "", owner, row.reason)
    return table


def params_table(params: Mapping[str, object], title: str) -> Table:
    """Return a table with two columns: names and values."""
    table = new_table(title)
    table.add_column("parameter")
    table.add_column("value")
    for name, value in params.items():
        table.add_row(name, number(value) if isinstance(value, bool | int | float | str) else str(value))
    return table


def timing_table(timing: Mapping[str, Any]) -> Table:
    """Return where the time went, the trainers first; ``timing`` comes from :mod:`tuner.run.timing`."""
    table = new_table("Where the time went")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    sides = (
        (f"trainers ({timing['slots']} at a time)", "trainers", "green"),
        ("coordinator, at the same time", "coordinator", "cyan"),
    )
    for title, side, colour in sides:
        whole = sum(timing[side].values()) or 1.0
        table.add_row(Text(title, style="bold"), f"{whole:.1f}", "", "")
        for phase, seconds in timing[side].items():
            share = seconds / whole
            bar = Text("█" * round(30 * share), style=colour)
            table.add_row(f"  {phase}", f"{seconds:.1f}", f"{100 * share:.1f} %", bar)
        table.add_section()
    return table


def ladder_table(rows: Sequence[tuple[str, float | None, float | None]]) -> Table:
    """Return one row per network: its name, the published test accuracy, our accuracy, and the difference."""
    table = new_table("The ladder: test accuracy")
    table.add_column("network")
    table.add_column("book", justify="right")
    table.add_column("ours", justify="right")
    table.add_column("points", justify="right")
    for label, published, ours in rows:
        gain = 100 * (ours - published) if ours is not None and published is not None else None
        style = "" if gain is None else "green" if gain >= -LADDER_TOLERANCE else "red"
        table.add_row(
            label,
            "" if published is None else f"{100 * published:.2f} %",
            "not run" if ours is None else f"{100 * ours:.2f} %",
            Text("" if gain is None else f"{gain:+.2f}", style=style),
        )
    return table
