"""Every format takes raw columns and predicts what the model predicts for the encoded rows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.delivery import tables
from tuner.data.schema import DataSchema
from tuner.delivery.fronts import run
from tuner.delivery.fronts.cells import cells_of
from tuner.delivery.fronts.columns import raw_columns, table_of
from tuner.delivery.fronts.keras_model import write_keras
from tuner.delivery.fronts.onnx_model import write_onnx
from tuner.delivery.fronts.saved_model import write_saved_model
from tuner.tables.encoder import encode
from tuner.tables.inputs import CodeInput
from tuner.tables.missing import MISSING

pytestmark = pytest.mark.slow

FORMATS = ("keras", "saved-model", "onnx")
CODES = (*tables.CODES, tables.ODD)


def write(name: str, core: Any, schema: DataSchema, folder: Path) -> run.RawRunner:
    """Write a format and load it."""
    if name == "keras":
        write_keras(core, schema, folder / "model.keras")
        return run.load_keras(folder / "model.keras", schema)
    if name == "saved-model":
        write_saved_model(core, schema, folder / "saved_model")
        return run.load_saved_model(folder / "saved_model", schema)
    core(np.zeros(core.input_shape[1:], np.float32)[None])
    core.export(folder / "core.onnx", format="onnx", verbose=False)
    write_onnx(folder / "core.onnx", schema, folder / "model.onnx")
    return run.load_onnx(folder / "model.onnx", schema)


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_takes_raw_columns(name: str, regression: bool, tmp_path: Path) -> None:
    """Missing, unseen, blank and impossible cells, and other spellings, are read as in training."""
    schema = tables.schema(regression=regression)
    core = tables.core(schema)
    frame = tables.frame()
    expected = np.asarray(core(encode(frame.to_dict(), table_of(schema)).rows))

    actual = write(name, core, schema, tmp_path)(frame.to_dict())

    assert np.abs(actual - expected).max() <= 1e-5


def test_labels_are_outputs_too(tmp_path: Path) -> None:
    """SavedModel and ONNX return the name of the most probable class, also if it is not ASCII."""
    import onnxruntime
    import tensorflow as tf

    schema = tables.schema(classes=("ü,", "b"))
    core = tables.core(schema)
    for name in ("saved-model", "onnx"):
        write(name, core, schema, tmp_path)
    table = table_of(schema)
    columns = raw_columns(table)
    cells = cells_of(tables.frame().to_dict(), columns, table, iso=True)

    served = tf.saved_model.load(tmp_path / "saved_model").signatures["serving_default"](
        **{name: tf.constant(values) for name, values in cells.items()}
    )
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    cells = cells_of(tables.frame().to_dict(), columns, table, iso=False)
    probabilities, labels = session.run(
        ["probabilities", "label"],
        {name: np.array(values, dtype=getattr(values, "dtype", object))[:, None] for name, values in cells.items()},
    )

    expected = np.array(schema.classes)[probabilities.argmax(axis=1)].tolist()
    assert [label.decode() for label in served["label"].numpy()] == labels.tolist() == expected


texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Co")), max_size=8)


@st.composite
def cells(draw: st.DrawFn, code: CodeInput) -> str:
    """Draw a cell of a column of categories, with at most one space before and after it."""
    words = [*code.vocabulary, *code.spellings, *sorted(MISSING)]
    word = draw(st.one_of(st.sampled_from(words), texts))
    word = draw(st.sampled_from([word, word.upper(), word.title(), f"{word}.0", f"{word}x"]))
    return draw(st.sampled_from(["", " "])) + word + draw(st.sampled_from(["", " "]))


numbers = st.one_of(st.floats().map(repr), st.sampled_from(["", "NA", "-", "1e39", "-1e39", "x"]))
BEGIN, END = (datetime(year, 1, 1) for year in (1790, 2210))  # noqa: DTZ001 - times of tables have no zone
dates = st.one_of(
    st.datetimes(BEGIN, END).map(lambda time: time.strftime("%d.%m.%Y %H:%M")),
    st.sampled_from(["", "?", "30.02.2000 00:00", "01.01.2000"]),
)


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Draw raw rows."""
    rows = draw(st.integers(1, 6))
    strategies = {"size": numbers, "Net Price": numbers.map(lambda text: text.replace(".", ",")), "day/hour": dates}
    strategies |= {code.column: cells(code) for code in CODES}
    return tables.frame({name: draw(st.lists(of, min_size=rows, max_size=rows)) for name, of in strategies.items()})


@pytest.fixture(scope="module")
def model() -> tuple[Any, DataSchema]:
    """A model for a table with odd categories."""
    schema = tables.schema(regression=True, table=tables.table_input(codes=CODES))
    return tables.core(schema), schema


@pytest.fixture(scope="module", params=FORMATS)
def runner(
    request: pytest.FixtureRequest, model: tuple[Any, DataSchema], tmp_path_factory: pytest.TempPathFactory
) -> run.RawRunner:
    """The model in one format."""
    return write(request.param, *model, tmp_path_factory.mktemp(request.param))


@given(frame=frames())
@settings(max_examples=60, deadline=None)
def test_any_cells_are_encoded_as_in_training(
    runner: run.RawRunner, model: tuple[Any, DataSchema], frame: pl.DataFrame
) -> None:
    """Whatever the cells hold, the prediction is that of the model: up to 1e-5 of the target's deviation."""
    core, schema = model
    assert schema.numeric is not None
    expected = np.asarray(core(encode(frame.to_dict(), table_of(schema)).rows))

    difference = np.abs(runner(frame.to_dict()) - expected).max()

    assert difference <= 1e-5 * schema.numeric.deviation
