"""An archive holds everything that a study holds: property tests."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import insert
from tuner_storage import Store, locate
from tuner_storage.models import replace_model
from tuner_storage.tables import AttemptRow, EpochRow, RunRow

from tests.recipes import small_recipe
from tests.scripted import write_model
from tuner import studies
from tuner.archive.read import import_archive
from tuner.archive.write import write_archive
from tuner.events import RefitEnd
from tuner.output_file import OutputFile
from tuner.records import Outcome

SPACE = {
    "learning_rate": FloatDistribution(1e-5, 1.0, log=True),
    "dropout": FloatDistribution(0.0, 0.5, step=0.1),
    "units_0": IntDistribution(1, 2**20, log=True),
    "optimizer": CategoricalDistribution(["adam", "sgd", "rmsprop"]),
    "batch_norm": CategoricalDistribution([True, False]),
}
PARAMS = {
    "learning_rate": st.floats(1e-5, 1.0),
    "dropout": st.sampled_from([0.0, 0.1, 0.2, 0.30000000000000004, 0.5]),
    "units_0": st.integers(1, 2**20),
    "optimizer": st.sampled_from(["adam", "sgd", "rmsprop"]),
    "batch_norm": st.booleans(),
}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
NUMBERS = st.floats(-1e300, 1e300).map(lambda number: number + 0.0) | st.sampled_from(
    [float("inf"), float("-inf"), 0.1 + 0.2, 5e-324]
)
FACTS = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | TEXT, max_size=3)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001 - Optuna's times have no time zone


@st.composite
def trials(draw: st.DrawFn) -> FrozenTrial:
    """Draw a trial of Optuna."""
    state = draw(st.sampled_from(list(TrialState)))
    params = draw(st.fixed_dictionaries({}, optional=PARAMS))
    scored = state == TrialState.COMPLETE or (state == TrialState.PRUNED and draw(st.booleans()))
    value = draw(NUMBERS)
    trial = create_trial(
        state=state,
        values=[value] if scored else None,
        params=params,
        distributions={name: SPACE[name] for name in params},
        user_attrs=draw(FACTS) | ({"val_accuracy": value} if state == TrialState.COMPLETE else {}),  # else not ours
        system_attrs=draw(st.fixed_dictionaries({}, optional={"fixed_params": st.just(params)})),
        intermediate_values=draw(st.dictionaries(st.integers(0, 50), NUMBERS | st.just(float("nan")), max_size=4)),
    )
    if state != TrialState.WAITING:
        trial.datetime_start = draw(MOMENTS)
    if state.is_finished() and trial.datetime_start is not None:
        trial.datetime_complete = trial.datetime_start + draw(st.timedeltas(timedelta(), timedelta(days=9)))
    return trial


def fill(store: Store, frozen: list[FrozenTrial], data: st.DataObject) -> None:
    """Create a study with these trials, and draw the rows and models that belong to them."""
    _, study, record = studies.create_or_resume(store, "any", small_recipe(), "0" * 64)
    study.set_user_attr("note", data.draw(TEXT))
    study.add_trials(frozen)
    lines: dict[type, list[dict[str, Any]]] = {EpochRow: [], AttemptRow: [], RunRow: []}
    for number, trial in enumerate(frozen):
        for epoch in trial.intermediate_values:
            metrics = {"loss": data.draw(NUMBERS), "val_loss": 0.5}
            lines[EpochRow].append({"trial_number": number, "epoch": epoch, "metrics": metrics, "seconds": 0.1 + 0.2})
        if trial.state == TrialState.WAITING:
            continue
        outcome = (
            Outcome.COMPLETE if trial.state == TrialState.COMPLETE else data.draw(st.sampled_from([None, *Outcome]))
        )
        started = trial.datetime_start
        attempt = {"trial_number": number, "attempt": 0, "owner": "host:1:2", "started": started, "outcome": outcome}
        lines[AttemptRow].append(attempt | {"reason": data.draw(st.none() | TEXT), "traceback": data.draw(TEXT)})
        if trial.state == TrialState.COMPLETE:
            model = write_model(store.artifacts.model_path(record.id, number), f"weights {data.draw(TEXT)}")
            with store.database.write() as session:
                replace_model(session, store.artifacts, record.id, number, model)
    complete = [number for number, trial in enumerate(frozen) if trial.state == TrialState.COMPLETE]
    winner = data.draw(st.sampled_from([None, *complete]))
    if winner is not None:
        model = write_model(store.artifacts.refit_path(record.id, winner), f"weights {data.draw(TEXT)}")
        store.set_refit(record.id, RefitEnd(winner, {"loss": data.draw(NUMBERS)}, 3, 60000, model, seconds=0.1 + 0.2))
    lines[RunRow].append({"owner": "host:1:2", "workers": 2, "started": record.created, "timing": {"train": 1.5}})
    with store.database.write() as session:
        for table, rows in lines.items():
            if rows:
                session.execute(insert(table), [{**row, "study_id": record.id} for row in rows])


@settings(max_examples=10)
@given(frozen=st.lists(trials(), max_size=5), data=st.data())
def test_export_and_import_keep_every_study(frozen: list[FrozenTrial], data: st.DataObject) -> None:
    """The archive of the imported study has the same bytes, and Optuna reads the same trials."""
    with tempfile.TemporaryDirectory() as folder:
        here, there = locate(home=Path(folder, "here")), locate(home=Path(folder, "there"))
        with studies.opened(here, create=True) as store:
            fill(store, frozen, data)
        files = [Path(folder, name) for name in ("one.zip", "two.zip")]
        with studies.existing(here, "any") as study:
            write_archive(study, OutputFile(files[0]))
        import_archive(files[0], there)
        with studies.existing(there, "any") as study:
            write_archive(study, OutputFile(files[1]))
            imported = study.study.get_trials()
        assert files[0].read_bytes() == files[1].read_bytes()

    ended = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    assert [trial.number for trial in imported] == list(range(len(frozen)))
    for before, after in zip(frozen, imported, strict=True):
        assert after.state == (before.state if before.state in ended else TrialState.WAITING)
        assert (after.params, after.distributions) == (before.params, before.distributions)
        assert (after.user_attrs, after.system_attrs) == (before.user_attrs, before.system_attrs)
        if before.state in ended:
            assert after.values == before.values
            # Compared as text, because NaN is not equal to itself.
            assert str(sorted(after.intermediate_values.items())) == str(sorted(before.intermediate_values.items()))
