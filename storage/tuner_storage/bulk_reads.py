"""Reads many trials of a study with one query per table; Optuna's storage, which does so and writes so.

Optuna makes an object of each row: with 10,000 trials of 20 epochs, half a million, which takes
35 s. Plain rows take 3.
"""

from __future__ import annotations

import functools
import gc
import json
from collections import defaultdict
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from tuner.errors import StorageError
from tuner_storage.optuna_rows import add_params

Rows = dict[int, list[Any]]  # the rows of one table by trial_id


class BulkStorage(RDBStorage):
    """Optuna's storage, which is fast where it reads many trials of a study, or writes a trial's parameters."""

    def set_trial_params(self, trial_id: int, params: Mapping[str, tuple[float, BaseDistribution]]) -> None:
        """Add parameters to a trial, which has none of them: internal values and distributions.

        Raises:
            KeyError: If there is no such trial.
            UpdateFinishedTrialError: If it has ended.
        """
        written = {name: (value, distribution_to_json(distribution)) for name, (value, distribution) in params.items()}
        with _create_scoped_session(self.scoped_session) as session:
            trial: Any = models.TrialModel.find_or_raise_by_id(trial_id, session)
            self.check_trial_is_updatable(trial_id, trial.state)
            add_params(session, trial_id, written)

    def get_trials(self, study_id: int, trial_ids: Collection[int]) -> list[FrozenTrial]:
        """Return trials of a study, in the order of their ids.

        Raises:
            KeyError: If one of them does not exist, as Optuna does for a single trial.
        """
        with self.scoped_session() as session:
            trials = read_trials(session, study_id, ids=trial_ids)
        if len(trials) != len(trial_ids):
            raise KeyError(models.NOT_FOUND_MSG)
        return trials

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """Return the trials of a study, as Optuna does. Later reads ask for a few trials, which Optuna reads."""
        if states is not None or trial_id_greater_than >= 0:
            return super()._get_trials(study_id, states, included_trial_ids, trial_id_greater_than)
        with self.scoped_session() as session:
            models.StudyModel.find_or_raise_by_id(study_id, session)
            return read_trials(session, study_id)


def read_trials(
    session: Session,
    study_id: int,
    numbers: Collection[int] | None = None,
    *,
    ids: Collection[int] | None = None,
    reports: bool = True,
) -> list[FrozenTrial]:
    """Return trials of a study, in the order of their ids.

    Args:
        session: A session of the database.
        study_id: Optuna's id of the study.
        numbers: The trials to read, a few thousand at most; ``None`` reads all.
        ids: The same, by Optuna's row ids.
        reports: Whether to read what all of them reported. If not, only trials without a result of ours have it: that
            is a third of the time, and :func:`tuner_storage.epochs.read_epochs` reads the same.
    """
    with _without_collection():
        columns = models.TrialModel.__table__.c
        chosen = [columns.study_id == study_id]
        chosen += [
            column.in_(some)
            for column, some in ((columns.number, numbers), (columns.trial_id, ids))
            if some is not None
        ]
        return _read_trials(session, chosen, reports=reports)


def _read_trials(session: Session, chosen: Sequence[ColumnElement[bool]], *, reports: bool) -> list[FrozenTrial]:
    trial_table, attribute_table = models.TrialModel.__table__, models.TrialUserAttributeModel.__table__

    def rows(model: Any, *names: str, only: Sequence[ColumnElement[bool]] = ()) -> Rows:
        columns: Any = model.__table__.c
        query = select(columns.trial_id, *(columns[name] for name in names))
        query = query.join(trial_table, trial_table.c.trial_id == columns.trial_id)
        found: Rows = defaultdict(list)
        for trial_id, *row in session.execute(query.where(*chosen, *only)):
            found[trial_id].append(row)
        return found

    has_result = (attribute_table.c.trial_id == trial_table.c.trial_id, attribute_table.c.key == "epochs")
    without_result = select(trial_table.c.trial_id).where(*chosen, ~exists().where(*has_result))
    reported: Any = models.TrialIntermediateValueModel
    in_order = select(models.TrialModel).where(*chosen).order_by(models.TrialModel.trial_id)
    trials: Sequence[Any] = session.scalars(in_order).all()
    params = rows(models.TrialParamModel, "param_id", "param_name", "param_value", "distribution_json")
    values = rows(models.TrialValueModel, "objective", "value", "value_type")
    only = () if reports else (reported.__table__.c.trial_id.in_(without_result),)
    steps = rows(reported, "step", "intermediate_value", "intermediate_value_type", only=only)
    user = rows(models.TrialUserAttributeModel, "key", "value_json")
    system = rows(models.TrialSystemAttributeModel, "key", "value_json")
    distribution = functools.cache(json_to_distribution)  # most trials have the same ones
    result = []
    for trial in trials:
        own = sorted(params[trial.trial_id])
        distributions: dict[str, BaseDistribution] = {name: distribution(text) for _, name, _, text in own}
        result.append(
            FrozenTrial(
                number=trial.number,
                state=trial.state,
                value=None,
                values=_values(values[trial.trial_id]),
                datetime_start=trial.datetime_start,
                datetime_complete=trial.datetime_complete,
                params={name: distributions[name].to_external_repr(value) for _, name, value, _ in own},
                distributions=distributions,
                user_attrs={key: json.loads(text) for key, text in user[trial.trial_id]},
                system_attrs={key: json.loads(text) for key, text in system[trial.trial_id]},
                intermediate_values={
                    step: models.TrialIntermediateValueModel.stored_repr_to_intermediate_value(value, kind)
                    for step, value, kind in steps[trial.trial_id]
                },
                trial_id=trial.trial_id,
            )
        )
    return result


@contextmanager
def json_errors() -> Iterator[None]:
    """Explain values in Optuna's tables that are not JSON.

    Raises:
        StorageError: Instead of the error of the parser.
    """
    try:
        yield
    except (json.JSONDecodeError, RecursionError) as error:
        raise StorageError(f"Optuna's tables hold a value that is not JSON: {error}") from None


@contextmanager
def _without_collection() -> Iterator[None]:
    """Turn Python's garbage collector off: while a million objects are made, it takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _values(rows: list[Any]) -> list[float] | None:
    """Return the objectives in order; ``None`` if a trial has none."""
    stored = models.TrialValueModel.stored_repr_to_value
    return [stored(value, kind) for _, value, kind in sorted(rows, key=lambda row: int(row[0]))] or None
