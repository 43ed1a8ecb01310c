"""A cell of a CSV file is never run by a spreadsheet, and its text can be restored."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.spreadsheet import safe_cell

# As in docs/results.md.
APOSTROPHE = re.compile(r"(?:^|(?<=[;\t\r\n]))'(?='*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("\t=1", "'\t'=1"),
        ("\uff1d1", "'\uff1d1"),
        ("cat;=1", "cat;'=1"),  # a spreadsheet of a country with decimal commas splits here
        ("'=1", "''=1"),
    ],
)
def test_text_that_begins_like_a_formula_gets_an_apostrophe(text: str, safe: str) -> None:
    """Also after a character at which a spreadsheet may split the cell."""
    assert safe_cell(text) == safe


@pytest.mark.parametrize("cell", ["-1", "+1e-5", "-inf", -0.5, 3, None, True, "", "cat", "a=b", "a-b", "'", "O'Neill"])
def test_all_other_cells_stay_as_they_are(cell: object) -> None:
    """Numbers, text that is a number, and ordinary text."""
    assert safe_cell(cell) is cell


@given(st.text(alphabet="=+-@';\t\r\n a1\uff1d", max_size=8))
def test_the_original_text_can_be_restored(text: str) -> None:
    """Removing one apostrophe at each place, as the documentation says, gives the text back."""
    assert APOSTROPHE.sub("", str(safe_cell(text))) == text
