"""Any table gives models whose files predict the same from its raw columns."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.delivery import tables
from tests.delivery.fronts.test_formats import BEGIN, END, FORMATS, write
from tuner.delivery.fronts.columns import table_of
from tuner.tables.columns import read_column
from tuner.tables.encoder import encode
from tuner.tables.fit import fit_inputs
from tuner.tables.kinds import kind_of

pytestmark = pytest.mark.slow

ROWS = 12
LEFT_OUT = {"identifier", "constant", "empty", "nested", "text"}

words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Co")), max_size=6)
phrases = st.lists(words, min_size=1, max_size=3).map(" ".join)
CELLS: tuple[st.SearchStrategy[Any], ...] = (
    st.sampled_from(["red", "dark blue", '"', "x;y", "ß", "-", "", "NA", "3", "3.0", "007", "True", "yes"]),
    phrases,
    st.floats(),
    st.floats().map(repr),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 5),
    st.booleans(),
    st.datetimes(BEGIN, END),
    st.dates(BEGIN.date(), END.date()),
    st.dates(BEGIN.date(), END.date()).map(lambda day: day.strftime("%d/%m/%Y")),
)


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Draw a table with columns of one type each, and missing cells."""
    columns = []
    for name in draw(
        st.lists(st.text(min_size=1, max_size=5).map(str.strip).filter(bool), min_size=1, max_size=4, unique=True)
    ):
        cells = draw(st.sampled_from(CELLS))
        columns.append(pl.Series(name, draw(st.lists(st.none() | cells, min_size=ROWS, max_size=ROWS))))
    return pl.DataFrame(columns)


@pytest.mark.parametrize("name", FORMATS)
@given(frame=frames(), seen=st.integers(2, ROWS))
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each example writes a model: to shrink one takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
def test_any_table_gives_files_that_predict_the_same(name: str, frame: pl.DataFrame, seen: int) -> None:
    """The model knows some of the rows; the others may have unseen categories."""
    read = {column.name: read_column(column, decimal_comma=False) for column in frame}
    features = {key: (column, kind_of(column)) for key, column in read.items()}
    features = {key: found for key, found in features.items() if found[1] not in LEFT_OUT}
    table = fit_inputs(features, np.arange(seen, dtype=np.int32))
    if not table.width:
        return
    schema = tables.schema(table=table)
    core = tables.core(schema)
    expected = np.asarray(core(encode(frame.to_dict(), table_of(schema)).rows))
    texts = {key: column.cast(pl.String) for key, column in frame.to_dict().items()}

    with TemporaryDirectory() as folder:
        runner = write(name, core, schema, Path(folder))
        for raw in (frame.to_dict(), texts):
            assert np.abs(runner(raw) - expected).max() <= 1e-5
