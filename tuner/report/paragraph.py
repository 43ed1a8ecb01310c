"""A study in one paragraph: what became of it, what matters, where the best trials lie, and what to do next."""

from __future__ import annotations

import shlex
import statistics
from collections import Counter
from collections.abc import Sequence
from math import isfinite

from tuner.config.recipe import Recipe
from tuner.report.confirmation import describe_winner
from tuner.report.pareto import describe_front
from tuner.report.text import metric, number, rough
from tuner.results.best_regions import Interval, Region
from tuner.results.importance import Importances
from tuner.results.trials import TrialResult, front_of, ranked, standings_of
from tuner.search.stopping import REACHED, enough

_ENDED = ("complete", "pruned", "failed")
_MANY = 20  # trials from which on importances are said without a reserve, and more of them are not the first advice
_JUDGED = 10  # ended trials from which on it is said whether the study still improved
_LATE = 1 / 5  # of the ended trials: a best one among the last of them came late
_STANDS_OUT = 1.5  # times the share that each parameter would have if all were worth the same
_NARROW = 0.4  # of the searched range: an interval that tells something
_FEW = 3  # best trials that show whether there were epochs enough


def describe_study(
    name: str, recipe: Recipe, trials: Sequence[TrialResult], worth: Importances, regions: Sequence[Region]
) -> str:
    """Return a study in two to seven plain sentences, each of which is said only where the data say it.

    ``worth`` says what each parameter is worth, ``regions`` where the best of the ``trials`` lie.
    """
    done = [trial for trial in ranked(list(trials), recipe) if _value(trial) is not None]
    sentences = (
        _states(trials),
        _best(done, recipe),
        describe_winner(standings_of(list(trials), recipe)),
        describe_front(front_of(trials, recipe), recipe.objective),
        _matters(worth, len(done), len(done) + sum(trial.state == "pruned" for trial in trials)),
        _where(worth, regions),
        _progress(trials, done, recipe),
        _next(name, recipe, trials, done, regions),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _states(trials: Sequence[TrialResult]) -> str:
    """Say how many trials there are and what became of them; a state that is new here is called by its name."""
    found = Counter(trial.state for trial in trials)
    known = dict.fromkeys((*_ENDED, *found))
    clauses, verb = [], True
    for state in known:
        if count := found[state]:
            be = "" if state == "failed" or not verb else "is " if count == 1 else "are "
            verb = verb and not be  # "6 are complete, 5 pruned and 1 failed"
            clauses.append((count, f"{be}{state}{_reason(trials, state)}"))
    if not clauses:
        return "There is no trial yet."
    if len(clauses) > 1:
        return f"Of {len(trials)} trials, {_and([f'{count} {became}' for count, became in clauses])}."
    ((count, became),) = clauses
    return f"{'Its only trial' if count == 1 else f'All {count} trials'} {became}."


def _reason(trials: Sequence[TrialResult], state: str) -> str:
    """Return why most of the failed trials failed."""
    reasons = Counter(trial.reason.splitlines()[0] for trial in trials if trial.state == "failed" and trial.reason)
    if state != "failed" or not reasons:
        return ""
    ((reason, _),) = reasons.most_common(1)
    return f" ({'mostly: ' if len(reasons) > 1 else ''}{reason})"


def _best(done: Sequence[TrialResult], recipe: Recipe) -> str:
    """Say which trial is best, and how far ahead it is."""
    values = [value for trial in done if (value := _value(trial)) is not None]
    if not values:
        return ""
    found = f"{recipe.objective.metric} of {metric(values[0])}"
    equals = sum(value == values[0] for value in values) - 1
    if len(values) == 1:
        return f"Trial {done[0].number} reached a {found}."
    if equals == len(values) - 1:
        return f"All complete trials have the same {found}."
    if equals:
        ahead = [f"as good as {f'trial {done[1].number}' if equals == 1 else f'{equals} others'}"]
    else:
        ahead = [f"{_gap(values[0] - values[1])} better than trial {done[1].number}"]
    lead = values[0] - statistics.median(values)
    if lead and len(values) > 2:  # noqa: PLR2004 - that of two is half-way between them
        ahead.append(f"{_gap(lead)} better than the median")
    return f"The best is trial {done[0].number} with a {found}, {_and(ahead)}."


def _matters(worth: Importances, complete: int, judged: int) -> str:
    """Say what matters most, and whether the two measures agree."""
    if len(worth.ped_anova) < 2:  # noqa: PLR2004 - nothing to compare
        return ""
    even = 1 / len(worth.ped_anova)
    leading = [name for name, share in worth.ped_anova.items() if share > _STANDS_OUT * even][:2]
    strongest = max(worth.fanova, key=lambda name: worth.fanova[name], default="")
    share = worth.fanova.get(strongest, 0.0)
    # Of few trials, one that is bad is most of what fANOVA sees.
    clear = complete >= _MANY and share > _STANDS_OUT * even
    moves = f"{strongest} moves the value most ({_percent(share)} by fANOVA)" if clear else ""
    reserve = "" if judged >= _MANY else f", as far as {judged} trials can tell"
    if not leading:
        return f"{moves or 'No parameter matters much more than the others'}{reserve}."
    shares = _and([f"{name} ({_percent(worth.ped_anova[name])})" for name in leading])
    other = f", while over the whole range {moves}" if moves and strongest not in leading else ""
    return f"What matters most to be among the best is {shares}{other}{reserve}."


def _where(worth: Importances, regions: Sequence[Region]) -> str:
    """Say where the best trials lie, in what matters most, and which ends of ranges they press against."""
    shared = [region for region in regions if region.trials == region.top]
    shared.sort(key=lambda region: -worth.ped_anova.get(region.name, 0.0))
    ends = [region for region in shared if isinstance(region, Interval) and region.end and not region.limit]
    narrow = [_spread(region) for region in shared if region not in ends and _tells(region)][:2]
    clauses = [f"have {_and(narrow)}"] if narrow else []
    if ends:
        clauses.append(f"reach {_and([f'the {each.end} end of {each.name} ({_digits(each)})' for each in ends[:2]])}")
    return f"The best {regions[0].top} trials {_and(clauses)}." if clauses else ""


def _progress(trials: Sequence[TrialResult], done: Sequence[TrialResult], recipe: Recipe) -> str:
    """Say whether the study, and its best trials, still improved at their end."""
    clauses = []
    ended = _ended(trials)
    if done and len(ended) >= _JUDGED:
        after = _after(ended, done[0])
        if after >= _LATE * len(ended):
            clauses.append(f"the {after} trials after trial {done[0].number} brought nothing better")
        else:
            place = f"among the last {after + 1}" if after else "the last"
            clauses.append(f"the study was still improving (its best trial is {place} of {len(ended)})")
    if learning := _still_learning(done, recipe):
        few = min(_FEW, len(done))
        share = "all" if learning == few else str(learning)
        who = f"{share} of the best {few} trials" if few > 1 else f"trial {done[0].number}"
        clauses.append(f"{who} did best in the last of {recipe.budget.epochs} epochs")
    return f"{_and(clauses)[0].upper()}{_and(clauses)[1:]}." if clauses else ""


def _next(
    name: str, recipe: Recipe, trials: Sequence[TrialResult], done: Sequence[TrialResult], regions: Sequence[Region]
) -> str:
    """Say what to do next."""
    quoted, ended = shlex.quote(name), _ended(trials)
    refused = sum(trial.state == "refused" for trial in trials)
    left = recipe.room(refused) - len(ended) - sum(trial.state == "paused" for trial in trials)
    if not done:
        return _without_result(quoted, ended, left)
    best, finished = done[0], [trial for trial in ended if trial.state != "failed"]
    knows = enough(recipe, (best.number, best.value or 0.0), lambda _: _after(finished, best))
    use = f"use the best model: `tuner export {quoted} -o model/`"
    if knows == REACHED:
        return f"Its target is reached: {use}."
    if left > 0 and knows is None:
        rest = "1 trial is" if left == 1 else f"{left} trials are"
        running = any(trial.state == "running" for trial in trials)
        return f"{rest} still to come{'' if running else f': `tuner study start {quoted}` goes on'}."
    if 2 * len(finished) < len(ended):
        return _look(quoted)
    if new := _elsewhere(recipe, done, regions):
        return f"Next, try a new study with {_and(new)}."
    late = len(ended) < _MANY or _after(ended, best) < _LATE * len(ended)
    more = f"try more trials: `tuner study start {quoted} --trials {2 * len(ended)}`"
    return f"Next, {more if late and knows is None and recipe.sampler != 'grid' else use}."


def _elsewhere(recipe: Recipe, done: Sequence[TrialResult], regions: Sequence[Region]) -> list[str]:
    """Return what a new study could do that this one cannot."""
    beyond = [region.name for region in regions if isinstance(region, Interval) and region.end and not region.limit]
    epochs = [f"more than {recipe.budget.epochs} epochs"] if _still_learning(done, recipe) else []
    return epochs + ([f"a wider range of {_and(beyond[:2])}"] if beyond else [])


def _without_result(quoted: str, ended: Sequence[TrialResult], left: int) -> str:
    """Say what to do next where no trial is complete."""
    if not ended:
        return f"Next, `tuner study start {quoted}` goes on until a trial is complete."
    if 2 * sum(trial.state == "failed" for trial in ended) > len(ended):
        return _look(quoted)
    more = "" if left > 0 else f" --trials {2 * len(ended)}"
    return f"Next, let trials run to their end: `tuner study start {quoted} --pruner none{more}`."


def _look(quoted: str) -> str:
    return f"Next, look at what went wrong: `tuner study trials {quoted} --attempts`."


def _still_learning(done: Sequence[TrialResult], recipe: Recipe) -> int:
    """Count those of the best trials that did best in their last epoch, if most did: they might go on improving.

    A cosine schedule brings the learning rate to 0, and most trials to their best value, in the last epoch whatever
    the number of epochs: such a trial tells nothing.
    """
    few = done[:_FEW]
    last = sum(
        trial.best_epoch is not None
        and trial.best_epoch + 1 == trial.epochs == recipe.budget.epochs
        and trial.all_params.get("schedule") != "cosine"
        for trial in few
    )
    return last if 2 * last > len(few) and recipe.budget.epochs > 1 else 0


def _tells(region: Region) -> bool:
    """Tell whether the best trials lie close together."""
    if isinstance(region, Interval):
        first, last = region.extent
        return last - first <= _NARROW
    return len(region.values) == 1


def _spread(region: Region) -> str:
    if not isinstance(region, Interval):
        return f"{region.name} {number(region.values[0][0])}"
    if region.low == region.high:
        return f"{region.name} {number(region.low)}"
    return f"{region.name} from {rough(region.low)} to {rough(region.high)}"


def _digits(region: Interval) -> str:
    return number(region.searched[0] if region.end == "lower" else region.searched[1])


def _ended(trials: Sequence[TrialResult]) -> list[TrialResult]:
    return [trial for trial in trials if trial.state in _ENDED]


def _after(ended: Sequence[TrialResult], best: TrialResult) -> int:
    return sum(trial.number > best.number for trial in ended)


def _value(trial: TrialResult) -> float | None:
    return trial.value if trial.value is not None and isfinite(trial.value) else None


def _gap(difference: float) -> str:
    """Return how far two values lie apart, with the digits of a metric; small ones are never shown as none."""
    return metric(abs(difference)) if abs(difference) >= 1e-4 else f"{abs(difference):.1g}"  # noqa: PLR2004


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
