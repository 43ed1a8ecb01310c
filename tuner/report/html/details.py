"""The details of a report as tables: trials, settings, failures, time, data, versions."""

from __future__ import annotations

from collections.abc import Iterator

from tuner.config.kept import KEPT
from tuner.report.evaluation import interval_of, label_of
from tuner.report.html.facts import Findings, StudyFacts
from tuner.report.html.tables import PageTable
from tuner.report.parameters import importance_notes
from tuner.report.text import brief, count, duration, figure, metric, number, objective_value, rough, validation_metrics
from tuner.results.best_regions import Interval
from tuner.results.trials import TrialResult
from tuner.tasks import Task
from tuner.times import for_people

TOP = 10  # trials in the table of the best
MAX_REASONS = 20
MAX_NAMED = 200  # columns and classes of the data
_NAMED_TRIALS = 8


def best_trials(facts: StudyFacts) -> PageTable | None:
    """Return the best trials; ``None`` without a complete one."""
    objective = facts.recipe.objective
    others = [name for name in objective.also if name not in {"seconds", "parameters"}]
    head = ("trial", objective.metric, *others, "best epoch", "time", "weights", "configuration")
    rows = [
        (
            trial.number,
            metric(trial.value),
            *(objective_value(name, trial.values[name]) for name in others),
            "" if trial.best_epoch is None else f"{trial.best_epoch + 1} of {trial.epochs}",
            duration(trial.seconds),
            f"{trial.parameters:,}" if trial.parameters else "",
            _configuration(trial),
        )
        for trial in facts.done[:TOP]
    ]
    note = f"{TOP} of {count(len(facts.done), 'complete trial')}." if len(facts.done) > TOP else ""
    return PageTable.of(f"The best {len(rows)} trials", head, rows, note=note) if rows else None


def standings(facts: StudyFacts) -> PageTable | None:
    """Return the confirmed configurations; ``None`` if none was confirmed."""
    head = ("trial", "seeds", f"mean {facts.recipe.objective.metric}", "± standard error", "values", "configuration")
    rows = [
        (
            standing.trial,
            len(standing.seeds),
            metric(standing.mean),
            metric(standing.error),
            ", ".join(metric(value) for value in standing.values),
            _configuration(facts.trials[standing.trial]),
        )
        for standing in facts.standings
    ]
    return (
        PageTable.of("The best configurations, trained again with further seeds", head, rows, best=0) if rows else None
    )


def front(facts: StudyFacts) -> PageTable | None:
    """Return the Pareto front; ``None`` with one objective."""
    names = facts.recipe.objective.names
    rows = [
        (trial.number, *(objective_value(name, trial.values[name]) for name in names), _configuration(trial))
        for trial in facts.front
    ]
    note = "No trial is better than one of these in every objective. Export any of them with --trial N."
    return PageTable.of("The Pareto front", ("trial", *names, "configuration"), rows, note=note) if rows else None


def winner(facts: StudyFacts, *, searched: bool) -> PageTable | None:
    """Return the parameters of the winner that were searched, or the others; ``None`` without a winner."""
    if facts.best is None:
        return None
    params = facts.best.all_params.items()
    rows = [(name, number(value)) for name, value in params if (name in facts.best.params) == searched]
    kind = "Searched" if searched else "Other"
    return PageTable.of(f"{kind} parameters of trial {facts.best.number}", ("parameter", "value"), rows)


def measured(facts: StudyFacts) -> PageTable | None:
    """Return the metrics of the winner on validation and test rows; ``None`` without one."""
    if facts.best is None:
        return None
    validation = validation_metrics(facts.best.metrics)
    task: Task | None = None if facts.schema is None else facts.schema.task
    names = dict.fromkeys([*(task.metrics if task else ()), *validation, *facts.test])
    rows = [(name, metric(validation.get(name)), metric(facts.test.get(name))) for name in names]
    rows = [row for row in rows if any(row[1:])]
    tested = (
        "test rows, after training again on all rows" if facts.refit is not None and facts.refit.test else "test rows"
    )
    return PageTable.of(f"Metrics of trial {facts.best.number}", ("metric", "validation rows", tested), rows)


def evaluated(facts: StudyFacts) -> PageTable | None:
    """Return how the exported model predicts the test rows, with intervals; ``None`` if that is not stored."""
    if facts.evaluation is None:
        return None
    rows = [(label_of(name), figure(each.value), interval_of(each)) for name, each in facts.evaluation.metrics.items()]
    title = f"The model that is exported, on {count(facts.evaluation.rows, 'test row')}"
    note = "The intervals are those of the bootstrap over the test rows."
    return PageTable.of(title, ("metric", "value", "95 % interval"), rows, note=note)


def parameters(findings: Findings) -> tuple[PageTable | None, list[str]]:
    """Return the regions of the best trials, and the sentences below the importances."""
    notes = importance_notes(findings.importances) if findings.importances.ped_anova else []
    if not findings.regions:
        return None, notes
    rows = []
    for region in findings.regions:
        some = "" if region.trials == region.top else f" (in {region.trials})"
        if isinstance(region, Interval):
            best = rough(region.low) + (f" to {rough(region.high)}" if region.high > region.low else "")
            limit = "its limit" if region.limit else "a wider range may be better"
            remark = "" if region.end is None else f"at the {region.end} end: {limit}"
            rows.append((region.name, " to ".join(rough(end) for end in region.searched), best + some, remark))
        else:
            values = ", ".join(f"{number(value)} {times}x" for value, times in region.values)
            rows.append((region.name, ", ".join(number(value) for value in region.searched), values + some, ""))
    title = f"Where the best {findings.regions[0].top} trials lie"
    return PageTable.of(title, ("parameter", "searched", "best trials", ""), rows), notes


def settings(facts: StudyFacts) -> PageTable:
    """Return what the study was asked to do."""
    budget = facts.recipe.budget
    rows = [(setting.name, setting.shown(facts.recipe)) for setting in KEPT]
    rows += [("timeout of a run", duration(budget.timeout) if budget.timeout else "none")]
    rows += [("learned from", f"{name} ({use})") for name, use in facts.learned_from.items()]
    return PageTable.of("Settings", ("setting", "value"), rows)


def failures(facts: StudyFacts) -> PageTable | None:
    """Return the reasons for which trials failed or were refused, the most frequent first; ``None`` if none did."""
    reasons: dict[tuple[str, str], list[int]] = {}
    for trial in facts.trials:
        if trial.state in {"failed", "refused"}:
            reasons.setdefault((trial.state, trial.reason or "no reason is known"), []).append(trial.number)
    if not reasons:
        return None
    ordered = sorted(reasons.items(), key=lambda item: -len(item[1]))
    rows = [(len(numbers), state, reason, _some(numbers)) for (state, reason), numbers in ordered[:MAX_REASONS]]
    note = f"The {MAX_REASONS} most frequent of {len(ordered)} reasons." if len(ordered) > MAX_REASONS else ""
    return PageTable.of("Trials that failed or were refused", ("trials", "state", "reason", "which"), rows, note=note)


def timing(facts: StudyFacts) -> PageTable | None:
    """Return where the time of the trainers went; ``None`` if no run has recorded it."""
    phases = {phase: seconds for phase, seconds in facts.timing["trainers"].items() if seconds}
    whole = sum(phases.values())
    if not whole:
        return None
    rows = [(phase, duration(seconds), f"{100 * seconds / whole:.1f} %") for phase, seconds in phases.items()]
    note = f"{count(len(facts.runs), 'run')}, {duration(facts.timing['wall'])}, {facts.timing['slots']} at a time."
    return PageTable.of("Where the time of the trainers went", ("phase", "time", "share"), rows, note=note)


def runs(facts: StudyFacts) -> PageTable | None:
    """Return the runs of the study; ``None`` without one."""
    rows = [
        (
            for_people(run.started),
            "" if run.ended is None else duration((run.ended - run.started).total_seconds()),
            run.workers,
            run.device or "",
            "killed, or still running" if run.ended is None else run.stopped_by or "all trials were done",
        )
        for run in facts.runs[-TOP:]
    ]
    note = f"The last {TOP} of {len(facts.runs)}." if len(facts.runs) > TOP else ""
    return PageTable.of("Runs", ("started", "took", "workers", "device", "ended by"), rows, note=note) if rows else None


def data(facts: StudyFacts) -> PageTable:
    """Return what the study was trained on."""
    rows: list[tuple[str, object]] = [
        ("data", facts.recipe.data),
        ("fingerprint (SHA-256)", facts.record.data_fingerprint),
    ]
    if (schema := facts.schema) is not None:
        rows += [("task", schema.task.name), ("one row", f"{' x '.join(map(str, schema.shape))} {schema.dtype}")]
        rows += [("target", schema.target)] if schema.target else []
        rows += [("classes", _listed(schema.classes))] if schema.classes else []
    rows += [("validation", f"{facts.recipe.validation:g} of the training rows, split seed {facts.recipe.split_seed}")]
    return PageTable.of("Data", ("", "value"), rows)


def columns(facts: StudyFacts) -> PageTable | None:
    """Return the columns that models of a table read; ``None`` for other data."""
    table = None if facts.schema is None else facts.schema.table
    if table is None:
        return None
    rows: dict[str, tuple[str, str]] = {}
    for item in table.numbers:
        kind = "number" if item.part == "value" else "date"
        rows[item.column] = (kind, f"missing becomes {number(item.fill)}" if kind == "number" else "")
    for code in table.codes:
        rows[code.column] = ("category", count(len(code.vocabulary), "category", "categories"))
    note = f"The first {MAX_NAMED} of {len(rows)}." if len(rows) > MAX_NAMED else ""
    shown = [(name, *row) for name, row in list(rows.items())[:MAX_NAMED]]
    return PageTable.of(f"The {len(rows)} columns that the models read", ("column", "kind", ""), shown, note=note)


def versions(facts: StudyFacts) -> PageTable:
    """Return the environment in which the study began, and its devices."""
    devices = dict.fromkeys(attempt.device for attempt in facts.attempts if attempt.device)
    rows = [*facts.record.environment.items(), ("device", ", ".join(devices))]
    return PageTable.of("Versions and machine", ("", "value"), [row for row in rows if row[1]])


def _configuration(trial: TrialResult) -> str:
    return trial.label or brief(trial.all_params).replace("  ", ", ")


def _some(numbers: list[int]) -> str:
    more = f" and {len(numbers) - _NAMED_TRIALS} more" if len(numbers) > _NAMED_TRIALS else ""
    return ", ".join(map(str, numbers[:_NAMED_TRIALS])) + more


def _listed(names: tuple[str, ...]) -> str:
    return f"{len(names)}: " + ", ".join(_until(names))


def _until(names: tuple[str, ...]) -> Iterator[str]:
    yield from names[:MAX_NAMED]
    if len(names) > MAX_NAMED:
        yield "…"
