"""Shows studies side by side: tables for the terminal, and sentences for all."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from tuner.report.tables import new_table
from tuner.report.text import brief, duration, join_words, metric
from tuner.results.side_by_side import Comparison, Side


def describe_comparison(comparison: Comparison) -> str:
    """Return who won, by how much, and whether that is more than noise; or why that cannot be said."""
    if comparison.unfair:
        return f"This comparison is not fair: {join_words(comparison.unfair)}. So none is called the better one."
    verdict = comparison.verdict
    if verdict is None:
        empty = [f"'{side.name}'" for side in comparison.sides if side.value is None]
        return f"There is nothing to compare: {join_words(empty)} has no complete trial."
    metric_name = comparison.sides[0].recipe.objective.metric
    if not verdict.difference:
        return f"'{verdict.winner}' and '{verdict.second}' have the same {metric_name}."
    lead = f"'{verdict.winner}' is better than '{verdict.second}' by {metric(verdict.difference)} in {metric_name}"
    if verdict.error is None:
        return (
            f"{lead}. Whether that is more than noise is unknown: not both winners were trained again with two or more "
            "further seeds (`--confirm 3 --seeds 3`)."
        )
    noise = f"the standard error of the difference, between seeds, is {metric(verdict.error)}"
    if verdict.real:
        return f"{lead}. This is more than the noise: {noise}."
    return f"{lead}. This is within the noise: {noise}. Either may be the better one."


def sides_table(comparison: Comparison) -> Table:
    """Return one row per study: its winner, how sure its value is, and its effort."""
    table = new_table("Studies")
    head, rows = sides_cells(comparison)
    for i, name in enumerate(head):
        table.add_column(name, justify="left" if i in {0, len(head) - 1} else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def sides_cells(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return the head and the cells of the table of studies."""
    test = list(dict.fromkeys(name for side in comparison.sides for name in side.test if name != "loss"))
    head = ["study", "objective", "value", "± error", "seeds", "trial", *(f"test {name}" for name in test)]
    head += ["complete", "time", "configuration"]
    return head, [_cells(side, test) for side in comparison.sides]


def differences_table(comparison: Comparison) -> Table:
    """Return one row per difference, with the value in each study."""
    table = new_table("What differed")
    table.add_column("")
    for side in comparison.sides:
        table.add_column(Text(side.name), overflow="fold")
    for difference in comparison.differences:
        table.add_row(difference.name, *difference.values)
    return table


def _cells(side: Side, test: list[str]) -> list[str]:
    best, standing = side.best, side.standing
    return [
        side.name,
        side.recipe.objective.metric,
        metric(side.value),
        "" if standing is None else metric(standing.error),
        "" if standing is None else str(len(standing.seeds)),
        "" if best is None else str(best.number),
        *(metric(side.test.get(name)) for name in test),
        str(side.complete),
        duration(side.seconds),
        "" if best is None else best.label or brief(best.all_params),
    ]
