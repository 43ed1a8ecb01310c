"""A study at one moment, read from the database: for the live page and for ``tuner study watch``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from tuner_storage import Store
from tuner_storage.copies import Attempt
from tuner_storage.live import (
    LastRun,
    StudyStates,
    read_best,
    read_confirmations,
    read_ended,
    read_last_run,
    read_model_sizes,
    read_results,
    read_running,
    read_states,
)
from tuner_storage.owner import describe_owners, is_alive

from tuner.config.recipe import Recipe, parse_recipe
from tuner.records import Counts, Outcome
from tuner.results.live_study import EndedAttempt, LiveLine, LiveModel, LiveStudy, view_of
from tuner.run.progress import Ended
from tuner.search.confirmation import standings

FAILURES = 10  # the last failed attempts that are shown
RECENT = 40  # the attempts from which the rate follows


class LiveReader:
    """Reads studies in few queries. Nothing is written.

    The winner is looked for only after the number of complete trials has changed.

    Args:
        store: An open store.
    """

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._recipes: dict[int, tuple[Any, Recipe]] = {}
        self._ends: dict[int, dict[tuple[int, int], Ended]] = {}
        self._values: dict[int, dict[int, float | None]] = {}  # of trials with a model
        self._winners: dict[int, tuple[object, tuple[int, float] | None, int]] = {}

    def studies(self) -> list[LiveLine]:
        """Return all studies, sorted by name."""
        with self._database.read() as session:
            now = self._database.now(session)
            return [self._line(session, states, now) for states in read_states(session)]

    def study(self, optuna_id: int) -> LiveStudy | None:
        """Return one study, or ``None`` if there is none with this id of Optuna."""
        with self._database.read() as session:
            found = read_states(session, optuna_id)
            if not found:
                return None
            now = self._database.now(session)
            line = self._line(session, found[0], now)
            run = read_last_run(session, found[0].id)
            running = read_running(session, found[0]) if line.running else []
            recent = read_ended(session, found[0].id, RECENT)
            ended = self._ended(session, found[0], recent, line.recipe)
            models = self._models(session, found[0], line.recipe)
            failures = read_ended(session, found[0].id, FAILURES, [Outcome.FAILED]) if line.counts.failed else []
        rate = _rate(run, recent, now)
        return LiveStudy(
            line=line,
            view=view_of(line, run, running, now, rate),
            trials=tuple(running),
            run=run,
            rate=rate,
            failures=tuple(failures),
            ended=ended,
            models=models,
        )

    def _ended(
        self, session: Session, study: StudyStates, recent: list[Attempt], recipe: Recipe
    ) -> tuple[EndedAttempt, ...]:
        """Return the ends of attempts, the newest first. Those that were read before are not read again."""
        known = self._ends.get(study.id, {})
        metric = recipe.objective.metric
        new = {attempt.number for attempt in recent if (attempt.number, attempt.attempt) not in known}
        results = read_results(session, study, sorted(new), [metric, "epochs", "seconds"]) if new else {}
        ends = {}
        for attempt in recent:
            key = (attempt.number, attempt.attempt)
            ends[key] = known.get(key) or _end(attempt, results.get(attempt.number, {}), metric)
        self._ends[study.id] = ends
        return tuple(EndedAttempt(attempt, end) for (_, attempt), end in ends.items())

    def _models(self, session: Session, study: StudyStates, recipe: Recipe) -> tuple[LiveModel, ...]:
        """Return the kept models, the best first. Values that were read before are not read again."""
        sizes, known = read_model_sizes(session, study.id), self._values.setdefault(study.id, {})
        metric, sign = recipe.objective.metric, -1 if recipe.objective.maximize else 1
        if new := sizes.keys() - known.keys():
            results = read_results(session, study, sorted(new), [metric])
            known.update({number: results.get(number, {}).get(metric) for number in new})
        models = (LiveModel(number, known[number], size) for number, size in sizes.items())
        return tuple(sorted(models, key=lambda model: (model.value is None, sign * (model.value or 0.0), model.number)))

    def _line(self, session: Session, study: StudyStates, now: datetime) -> LiveLine:
        recipe = self._recipe(study)
        best, confirmations = self._winner(session, study, recipe)
        held = [lease for lease in study.leases if lease.expires > now and is_alive(lease.owner)]
        states = {**study.states, "FAILED": study.states.get("FAIL", 0)}
        return LiveLine(
            id=study.optuna_id,
            name=study.name,
            recipe=recipe,
            counts=Counts(**{field.name: states.get(field.name.upper(), 0) for field in fields(Counts)}),
            limit=recipe.trial_limit(states.get("REFUSED", 0)) + confirmations,
            best=best,
            running=describe_owners([lease.owner for lease in held]),
            stopping=bool(held) and all(lease.stop_requested for lease in held),
        )

    def _recipe(self, study: StudyStates) -> Recipe:
        raw, parsed = self._recipes.get(study.id, (None, None))
        if parsed is None or raw != study.recipe:
            parsed = parse_recipe(study.recipe, f"the snapshot of '{study.name}'")
            self._recipes[study.id] = study.recipe, parsed
        return parsed

    def _winner(self, session: Session, study: StudyStates, recipe: Recipe) -> tuple[tuple[int, float] | None, int]:
        """Return number and value of the winner, and how many confirmations there are."""
        stamp = (study.name, sorted(study.states.items()))
        if self._winners.get(study.id, (None, None, 0))[0] != stamp:
            objective = recipe.objective
            confirms, values = read_confirmations(session, study)
            ranking = standings(values, confirms, maximize=objective.maximize)
            winner = ranking[0].representative if ranking else None
            best = (winner, values[winner]) if winner is not None else None
            if best is None:
                best = read_best(session, study, objective.metric, maximize=objective.maximize)
            self._winners[study.id] = stamp, best, len(confirms)
        _, best, confirmations = self._winners[study.id]
        return best, confirmations


def _end(attempt: Attempt, result: Mapping[str, float], metric: str) -> Ended:
    outcome = attempt.outcome or Outcome.INTERRUPTED
    has_result = outcome in {Outcome.COMPLETE, Outcome.PRUNED, Outcome.PAUSED}
    seconds = ((attempt.ended or attempt.started) - attempt.started).total_seconds()
    return Ended(
        number=attempt.number,
        outcome=outcome,
        value=result.get(metric) if has_result else None,
        epochs=int(result.get("epochs", 0)),
        seconds=result.get("seconds", seconds),
        reason=attempt.reason,
    )


def _rate(run: LastRun | None, recent: list[Attempt], now: datetime) -> float | None:
    """Return how many trials per second the last run has finished or paused lately; ``None`` if it is none."""
    of_run = [attempt for attempt in recent if run is not None and attempt.started >= run.started]
    finished = [attempt for attempt in of_run if attempt.outcome != Outcome.INTERRUPTED]
    if run is None or not finished:
        return None
    seconds = ((run.ended or now) - min(attempt.started for attempt in of_run)).total_seconds()
    return len(finished) / seconds if seconds > 0 else None
