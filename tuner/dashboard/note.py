"""The note of a study in the dashboard: a summary as Markdown, and what users wrote below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tuner.command_line import command_elsewhere
from tuner.config.objectives import Objective
from tuner.config.recipe import Recipe
from tuner.report.pareto import cells, describe_front
from tuner.report.text import brief, duration, metric, number
from tuner.results.trials import TrialResult, front_of, ranked, standings_of, winner

TOP = 5  # trials in the table
# It separates the two parts in stored notes, so it must not change.
_STATES = ("complete", "pruned", "paused", "failed", "refused", "running", "waiting")
BELOW = "*Every run rewrites what stands above this line. What you write below it stays.*"


def note(name: str, recipe: Recipe, trials: Sequence[TrialResult], previous: str = "") -> str:
    """Return the note of a study as Markdown.

    Args:
        name: The study's name.
        recipe: Its recipe.
        trials: All trials.
        previous: The note stored so far. The part that users wrote is kept.
    """
    budget, search, objective = recipe.budget, recipe.search, recipe.objective
    states = Counter(trial.state for trial in trials)
    counts = ", ".join(f"{states[state]} {state}" for state in _STATES if states[state])
    facts = (
        f"Data **{recipe.data}**, {_objectives(objective)}, "
        f"sampler {search.shown}, pruner {search.pruner}, seed {search.seed}, "
        f"{budget.trials} trials of up to {budget.epochs} epochs: {counts or 'none done yet'}."
    )
    parts = [
        f"# {name}",
        recipe.description,
        facts,
        *_results(name, recipe, trials),
        "---",
        BELOW,
        _user_part(previous),
    ]
    return "\n\n".join(part for part in parts if part)


def _objectives(objective: Objective) -> str:
    names = [f"**{name}** ({direction})" for name, direction in zip(objective.names, objective.directions, strict=True)]
    return f"{'objectives' if objective.several else 'objective'} {', '.join(names)}"


def _results(name: str, recipe: Recipe, trials: Sequence[TrialResult]) -> list[str]:
    top, best = ranked(list(trials), recipe)[:TOP], winner(list(trials), recipe)
    if best is None:
        return []
    objective = recipe.objective.metric
    tested = ""
    shown = "accuracy" if recipe.table is None else objective.removeprefix("val_")
    if best.test and shown in best.test:
        tested = f", test {shown} {metric(best.test[shown])}"
    rows = [
        (
            str(trial.number),
            metric(trial.value),
            f"{(trial.best_epoch or 0) + 1} of {trial.epochs}",
            duration(trial.seconds),
            _config(trial),
        )
        for trial in top
    ]
    return [
        f"## Best: trial {best.number}, {objective} {metric(best.value)}{tested}",
        _table(("parameter", "value"), ((key, number(value)) for key, value in best.chosen_params.items())),
        *_confirmed(trials, recipe),
        f"Get its model: `{command_elsewhere('export', name, o='model/')}`",
        f"Go on: `{command_elsewhere('study start', name)}`. Watch: `{command_elsewhere('study watch', name)}`.",
        "The live page, `/live` on this server, shows what runs, and has the models of the best trials to download.",
        "## The best trials",
        _table(("trial", objective, "best epoch", "time", "configuration"), rows),
        *_front(trials, recipe),
    ]


def _confirmed(trials: Sequence[TrialResult], recipe: Recipe) -> list[str]:
    """Return a sentence about the seeds by which the winner was chosen; nothing if no trial was confirmed."""
    ranking = standings_of(list(trials), recipe)
    if not ranking:
        return []
    first = ranking[0]
    mean = f"{metric(first.mean)} on average over {len(first.seeds)} further seeds"
    return [f"The configuration of trial {first.trial} won: {mean}, the best of {len(ranking)} that were confirmed."]


def _front(trials: Sequence[TrialResult], recipe: Recipe) -> list[str]:
    """Return the section on the Pareto front; nothing if the study has one objective."""
    front, objective = front_of(trials, recipe), recipe.objective
    if not front:
        return []
    table = _table(
        ("trial", *objective.names, "configuration"), ((*cells(trial, objective), _config(trial)) for trial in front)
    )
    return ["## The Pareto front", describe_front(front, objective), table]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table with wide spaces between its columns, because the dashboard draws no lines there."""
    lines = [head, [":---"] * len(head), *rows]
    return "\n".join(f"| {(' |' if i == 1 else ' | &emsp;').join(cells)} |" for i, cells in enumerate(lines))


def _config(trial: TrialResult) -> str:
    return brief(trial.all_params).replace("  ", ", ")


def _user_part(text: str) -> str:
    """Return the part of a note that users wrote: what is below the line, or all of it if the line is missing."""
    above, line, below = text.partition(BELOW)
    return (below if line else above).strip()
