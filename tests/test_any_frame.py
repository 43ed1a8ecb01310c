"""Any frame that pandas can hold is trained on, or refused with a message that names the column."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tuner.config.hyperparameters import Hyperparameters
from tuner.config.table_settings import TableSettings
from tuner.data.settle import settle
from tuner.data.table_loading import load_table
from tuner.data.training_rows import encoded_rows
from tuner.errors import TunerError
from tuner.jobs import TrainerSetup, TrialJob
from tuner.records import Outcome
from tuner.training.model_file import load_model
from tuner.training.trainer import Trainer

pytestmark = pytest.mark.slow
pandas = pytest.importorskip("pandas")

CELLS: dict[str, st.SearchStrategy[Any]] = {
    "numbers": st.floats(allow_nan=True, allow_infinity=True, width=64) | st.none(),
    "small": st.integers(0, 3),
    "whole": st.integers(-(2**62), 2**62),
    "truth": st.booleans() | st.none(),
    "words": st.sampled_from(["red", "green", "Blue ", "", "NA", "Köln, Nord", 'say "x"', "=1+1", "\u202e"]),
    "texts": st.text(max_size=6),
    "times": st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1)) | st.none(),  # noqa: DTZ001 - tables have no zones
    "mixed": st.one_of(st.integers(-9, 9), st.text(max_size=3), st.none()),
}
NAMES = st.sampled_from(["a", "b c", "price", "=x", "Name\n2", "Größe", "id", "0"])


@st.composite
def frames(draw: st.DrawFn) -> tuple[Any, str]:
    """A frame and the column to predict."""
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    kinds = {name: draw(st.sampled_from(sorted(CELLS))) for name in names}
    few = draw(st.integers(4, 12))  # distinct rows; they are repeated, so that classes have several rows
    columns = {name: draw(st.lists(CELLS[kind], min_size=few, max_size=few)) for name, kind in kinds.items()}
    times = draw(st.integers(1, 8))
    return pandas.DataFrame({name: cells * times for name, cells in columns.items()}), draw(st.sampled_from(names))


def train(frame: Any, target: str, folder: Path) -> None:
    """Train a small network for two epochs, and check that the saved model predicts what it predicted in training."""
    data = load_table(frame, TableSettings(target=target))
    schema = settle(data, 0.25, 0).schema
    with encoded_rows(data, schema, 0.25, 0) as rows:
        metric = f"val_{schema.task.metrics[0]}"
        setup = TrainerSetup("the frame", None, 0.25, 0, metric, maximize=False, device="cpu", schema=schema, rows=rows)
        hyperparameters = Hyperparameters(layers=1, units=4, batch_size=16, numeric_embedding="periodic")
        job = TrialJob(0, 0, 0, hyperparameters, epochs=2, patience=None, model_path=folder / "model.keras")
        end = Trainer(setup, threads=1).train(job, lambda _: None, lambda _: None)
    assert end.outcome is Outcome.COMPLETE, end
    assert end.model is not None
    assert all(map(math.isfinite, end.metrics.values()))
    predicted = load_model(end.model.path, end.model.sha256).predict(data.encode(schema, data.test), verbose=0)
    assert predicted.shape == (data.test_rows, schema.outputs)
    assert np.isfinite(predicted).all()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(given_frame=frames())
def test_any_frame_is_trained_on_or_refused(given_frame: tuple[Any, str], tmp_path: Path) -> None:
    """A refusal names the target, another column or the rows, and never shows a traceback."""
    frame, target = given_frame
    try:
        train(frame, target, tmp_path)
        event("trained")
    except TunerError as error:
        event("refused")
        message = str(error)
        assert any(repr(name)[1:-1] in message or name in message for name in frame.columns) or "rows" in message
