"""A study in words, as the Markdown note of its page in the dashboard."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from tuner.recipe import Recipe
from tuner.report.text import brief, duration, metric, number
from tuner.results import TrialResult, ranked

TOP = 5
BELOW = "*Every run rewrites what stands above this line. What you write below it stays.*"


def note(name: str, recipe: Recipe, trials: Sequence[TrialResult], before: str = "") -> str:
    """Return a study in words, as Markdown.

    Args:
        name: The study's name.
        recipe: What is searched.
        trials: Every trial.
        before: The note as it stands now: what its readers wrote into it is kept.
    """
    budget, search, objective = recipe.budget, recipe.search, recipe.objective
    states = Counter(trial.state for trial in trials)
    counts = ", ".join(f"{states[state]} {state}" for state in ("complete", "pruned", "failed") if states[state])
    facts = (
        f"Data **{recipe.data}**, objective **{objective.metric}** ({objective.direction}), "
        f"sampler {search.sampler}, pruner {search.pruner}, seed {search.seed}, "
        f"{budget.trials} trials of up to {budget.epochs} epochs: {counts or 'none done yet'}."
    )
    parts = [
        f"# {name}",
        recipe.description,
        facts,
        *_results(name, recipe, trials),
        "---",
        BELOW,
        _written_by_readers(before),
    ]
    return "\n\n".join(part for part in parts if part)


def _results(name: str, recipe: Recipe, trials: Sequence[TrialResult]) -> list[str]:
    top = ranked(list(trials), recipe)[:TOP]
    if not top:
        return []
    best, objective = top[0], recipe.objective.metric
    tested = f", test accuracy {metric(best.test['accuracy'])}" if best.test else ""
    rows = [
        (str(t.number), metric(t.value), f"{(t.best_epoch or 0) + 1} of {t.epochs}", duration(t.seconds), _config(t))
        for t in top
    ]
    return [
        f"## Best: trial {best.number}, {objective} {metric(best.value)}{tested}",
        _table(("parameter", "value"), ((key, number(value)) for key, value in best.all_params.items())),
        f"Get its model: `tuner export {shlex.quote(name)} -o model/`",
        "## The best trials",
        _table(("trial", objective, "best epoch", "time", "configuration"), rows),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; wide spaces stand between its columns, for the dashboard draws no lines there."""
    lines = [head, [":---"] * len(head), *rows]
    return "\n".join(f"| {(' |' if i == 1 else ' | &emsp;').join(cells)} |" for i, cells in enumerate(lines))


def _config(trial: TrialResult) -> str:
    return brief(trial.all_params).replace("  ", ", ")


def _written_by_readers(before: str) -> str:
    """Return what is not ours in a note: all of it where our line is missing."""
    above, line, below = before.partition(BELOW)
    return (below if line else above).strip()
