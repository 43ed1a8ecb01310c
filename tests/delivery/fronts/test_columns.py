"""The raw columns that an exported model takes."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.delivery import tables
from tuner.data.schema import DataSchema
from tuner.delivery.fronts.columns import missing_pattern, raw_columns, table_of
from tuner.errors import RunError
from tuner.tables.inputs import NumberInput
from tuner.tables.missing import missing_mask

names = st.lists(st.text(min_size=1), unique=True, min_size=1, max_size=8)


@given(names)
def test_names_of_inputs_are_words_that_differ(columns: list[str]) -> None:
    """Any names of columns give words that differ in more than capitals."""
    numbers = tuple(NumberInput(column=name, fill=0.0) for name in columns)

    arguments = [column.argument for column in raw_columns(tables.table_input(numbers, ()))]

    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_]*", argument) for argument in arguments)
    assert len({argument.lower() for argument in arguments}) == len(columns)


def test_a_plain_name_stays() -> None:
    """A name of letters, digits and underscores is the name of the input; outputs keep theirs."""
    numbers = tuple(NumberInput(column=name, fill=0.0) for name in ("Sex", "zip_2", "Net Price", "net price", "label"))

    arguments = [column.argument for column in raw_columns(tables.table_input(numbers, ()))]

    assert arguments == ["Sex", "zip_2", "Net_Price", "net_price_2", "label_2"]


@given(
    st.one_of(st.text(max_size=6), st.sampled_from([" NA", "n/a\t", "\u00a0?", "\x85", "NULL", "nullx", "#N/A N/A"]))
)
def test_missing_texts_are_those_of_training(text: str) -> None:
    """The regular expression matches what counts as missing, whatever the blanks and capitals."""
    pattern = (
        missing_pattern()
        .replace(r"\x{85}", r"\x85")
        .replace(r"\p{Z}", r"\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000")
    )

    assert (re.fullmatch(pattern, text, re.ASCII) is not None) == missing_mask(pl.Series([text]))[0]


def test_a_model_for_arrays_has_no_columns() -> None:
    """The message names the kind of rows."""
    schema = DataSchema(kind="numbers", shape=(3,), dtype="float32", classes=("a", "b"))

    with pytest.raises(RunError, match="'numbers'"):
        table_of(schema)
