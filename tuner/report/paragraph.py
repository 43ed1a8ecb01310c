"""Describes a study in one paragraph: the counts, the best trial, what matters, and what to do next."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from tuner.config.recipe import Recipe
from tuner.report.advice import TOP_TRIALS, ended_trials, next_step, still_learning, trials_after, value_of
from tuner.report.confirmation import describe_winner
from tuner.report.pareto import describe_front
from tuner.report.text import join_words, metric, number, rough
from tuner.results.best_regions import Interval, Region
from tuner.results.importance import Importances
from tuner.results.trials import TrialResult, front_of, ranked, standings_of

_MIN_FOR_CERTAINTY = 20  # trials; with fewer, importances are called a rough estimate
_MIN_FOR_PROGRESS = 10  # ended trials; with fewer, nothing is said about improvement
_LATE = 1 / 5  # if the best trial is in this last share of the ended trials, the study was still improving
_STANDS_OUT = 1.5  # times the share that a parameter would have if all were equally important
_NARROW = 0.4  # of the searched range; wider intervals are not mentioned


def describe_study(
    name: str, recipe: Recipe, trials: Sequence[TrialResult], importances: Importances, regions: Sequence[Region]
) -> str:
    """Return a paragraph about a study. A sentence appears only if the data support it.

    Args:
        name: Name of the study.
        recipe: Its recipe.
        trials: All its trials.
        importances: The importance of each parameter.
        regions: Where the best trials lie in the search space.
    """
    done = [trial for trial in ranked(list(trials), recipe) if value_of(trial) is not None]
    sentences = (
        _counts(trials),
        _best(done, recipe),
        describe_winner(standings_of(list(trials), recipe)),
        describe_front(front_of(trials, recipe), recipe.objective),
        _importance(importances, len(done), len(done) + sum(trial.state == "pruned" for trial in trials)),
        _best_region(importances, regions),
        _progress(trials, done, recipe),
        next_step(name, recipe, trials, done, regions),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _counts(trials: Sequence[TrialResult]) -> str:
    """Return how many trials there are in each state; unknown states appear under their own name."""
    counts = Counter(trial.state for trial in trials)
    states = dict.fromkeys(("complete", "pruned", "failed", *counts))
    clauses, verb_missing = [], True
    for state in states:
        if count := counts[state]:
            be = "" if state == "failed" or not verb_missing else "is " if count == 1 else "are "
            verb_missing = verb_missing and not be  # one verb is enough: "6 are complete, 5 pruned and 1 failed"
            clauses.append((count, f"{be}{state}{_failure_reason(trials, state)}"))
    if not clauses:
        return "There is no trial yet."
    if len(clauses) > 1:
        return f"Of {len(trials)} trials, {join_words([f'{count} {clause}' for count, clause in clauses])}."
    ((count, clause),) = clauses
    return f"{'Its only trial' if count == 1 else f'All {count} trials'} {clause}."


def _failure_reason(trials: Sequence[TrialResult], state: str) -> str:
    """Return the most frequent reason of the failed trials, in parentheses."""
    reasons = Counter(trial.reason.splitlines()[0] for trial in trials if trial.state == "failed" and trial.reason)
    if state != "failed" or not reasons:
        return ""
    ((reason, _),) = reasons.most_common(1)
    return f" ({'mostly: ' if len(reasons) > 1 else ''}{reason})"


def _best(done: Sequence[TrialResult], recipe: Recipe) -> str:
    """Return which trial is the best, and how far it is ahead of the second and of the median."""
    values = [value for trial in done if (value := value_of(trial)) is not None]
    if not values:
        return ""
    best = f"{recipe.objective.metric} of {metric(values[0])}"
    equals = sum(value == values[0] for value in values) - 1
    if len(values) == 1:
        return f"Trial {done[0].number} reached a {best}."
    if equals == len(values) - 1:
        return f"All complete trials have the same {best}."
    if equals:
        ahead = [f"as good as {f'trial {done[1].number}' if equals == 1 else f'{equals} others'}"]
    else:
        ahead = [f"{_difference(values[0] - values[1])} better than trial {done[1].number}"]
    lead = values[0] - statistics.median(values)
    if lead and len(values) > 2:  # noqa: PLR2004 - the median of two is their mean
        ahead.append(f"{_difference(lead)} better than the median")
    return f"The best is trial {done[0].number} with a {best}, {join_words(ahead)}."


def _importance(importances: Importances, complete: int, judged: int) -> str:
    """Return the most important parameters; fANOVA is mentioned if it ranks another parameter first.

    Args:
        importances: Both measures of each parameter.
        complete: Complete trials.
        judged: Complete and pruned trials.
    """
    if len(importances.ped_anova) < 2:  # noqa: PLR2004 - nothing to compare
        return ""
    average = 1 / len(importances.ped_anova)
    leading = [name for name, share in importances.ped_anova.items() if share > _STANDS_OUT * average][:2]
    strongest = max(importances.fanova, key=lambda name: importances.fanova[name], default="")
    share = importances.fanova.get(strongest, 0.0)
    # With few trials, a single bad one dominates fANOVA.
    clear = complete >= _MIN_FOR_CERTAINTY and share > _STANDS_OUT * average
    effect = f"{strongest} has the largest effect ({_percent(share)} by fANOVA)" if clear else ""
    caveat = "" if judged >= _MIN_FOR_CERTAINTY else f" This is a rough estimate from {judged} trials."
    if not leading:
        return f"{effect or 'No parameter is much more important than the others'}.{caveat}"
    shares = join_words([f"{name} ({_percent(importances.ped_anova[name])})" for name in leading])
    other = f"; over the whole range, {effect}" if effect and strongest not in leading else ""
    subject = "The most important parameter is" if len(leading) == 1 else "The most important parameters are"
    return f"{subject} {shares}{other}.{caveat}"


def _best_region(importances: Importances, regions: Sequence[Region]) -> str:
    """Return where the best trials lie in the most important parameters, and which ends of ranges they reach."""
    shared = [region for region in regions if region.trials == region.top]
    shared.sort(key=lambda region: -importances.ped_anova.get(region.name, 0.0))
    ends = [region for region in shared if isinstance(region, Interval) and region.end and not region.limit]
    narrow = [_extent(region) for region in shared if region not in ends and _is_narrow(region)][:2]
    clauses = [f"have {join_words(narrow)}"] if narrow else []
    if ends:
        named = [f"the {region.end} end of {region.name} ({_end_value(region)})" for region in ends[:2]]
        clauses.append(f"reach {join_words(named)}")
    return f"The best {regions[0].top} trials {join_words(clauses)}." if clauses else ""


def _progress(trials: Sequence[TrialResult], done: Sequence[TrialResult], recipe: Recipe) -> str:
    """Return whether the study, and its best trials, were still improving at the end."""
    clauses = []
    ended = ended_trials(trials)
    if done and len(ended) >= _MIN_FOR_PROGRESS:
        after = trials_after(ended, done[0])
        if after >= _LATE * len(ended):
            clauses.append(f"the {after} trials after trial {done[0].number} brought no improvement")
        else:
            place = f"among the last {after + 1}" if after else "the last"
            clauses.append(f"the study was still improving (its best trial is {place} of {len(ended)})")
    if count := still_learning(done, recipe):
        top = min(TOP_TRIALS, len(done))
        share = "all" if count == top else str(count)
        subject = f"{share} of the best {top} trials" if top > 1 else f"trial {done[0].number}"
        clauses.append(f"{subject} had the best value in the last of {recipe.budget.epochs} epochs")
    sentence = join_words(clauses) if clauses else ""
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _is_narrow(region: Region) -> bool:
    """Return whether the best trials lie close together."""
    if isinstance(region, Interval):
        first, last = region.extent
        return last - first <= _NARROW
    return len(region.values) == 1


def _extent(region: Region) -> str:
    """Return a parameter with the value or the interval of the best trials."""
    if not isinstance(region, Interval):
        return f"{region.name} {number(region.values[0][0])}"
    if region.low == region.high:
        return f"{region.name} {number(region.low)}"
    return f"{region.name} from {rough(region.low)} to {rough(region.high)}"


def _end_value(region: Interval) -> str:
    """Return the end of the searched range that the best trials reach."""
    return number(region.searched[0] if region.end == "lower" else region.searched[1])


def _difference(difference: float) -> str:
    """Return a difference as a metric; one that would round to zero is shown with one significant digit."""
    return metric(abs(difference)) if abs(difference) >= 1e-4 else f"{abs(difference):.1g}"  # noqa: PLR2004


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
