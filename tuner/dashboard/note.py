"""A study in words, as the Markdown note of its page in the dashboard."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from tuner.config.objectives import Objective
from tuner.config.recipe import Recipe
from tuner.report.pareto import cells, describe_front
from tuner.report.text import brief, duration, metric, number
from tuner.results.trials import TrialResult, front_of, ranked

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
    counts = ", ".join(
        f"{states[state]} {state}" for state in ("complete", "pruned", "failed", "refused") if states[state]
    )
    facts = (
        f"Data **{recipe.data}**, {_objectives(objective)}, "
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


def _objectives(objective: Objective) -> str:
    told = [f"**{name}** ({direction})" for name, direction in zip(objective.names, objective.directions, strict=True)]
    return f"{'objectives' if objective.several else 'objective'} {', '.join(told)}"


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
        *_front(trials, recipe),
    ]


def _front(trials: Sequence[TrialResult], recipe: Recipe) -> list[str]:
    """Return the trials that none is better than in every objective, where there are several."""
    front, objective = front_of(trials, recipe), recipe.objective
    if not front:
        return []
    table = _table(
        ("trial", *objective.names, "configuration"), ((*cells(each, objective), _config(each)) for each in front)
    )
    return ["## The Pareto front", describe_front(front, objective), table]


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
