"""The target of labelled rows of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tuner.data.schema import DataSchema
from tuner.delivery.targets import read_targets
from tuner.errors import DataError
from tuner.tables.inputs import CodeInput, NumberInput, NumericTarget, TableInput

INPUT = TableInput(numbers=(NumberInput(column="x", fill=0.0),), center=(0.0,), scale=(1.0,))
CLASSES = DataSchema(
    kind="table",
    shape=(1,),
    dtype="float32",
    table=INPUT,
    target="Churn",
    labels=CodeInput(column="Churn", vocabulary=("No", "Yes"), spellings={"YES": "Yes"}),
    classes=("No", "Yes"),
)
NUMBERS = DataSchema(
    kind="table",
    shape=(1,),
    dtype="float32",
    table=INPUT,
    target="price",
    labels=NumberInput(column="price", fill=0.0),
    numeric=NumericTarget(mean=1.0, deviation=1.0, smallest=0.0, largest=2.0),
)


def file(folder: Path, text: str) -> Path:
    """Write a CSV file."""
    path = folder / "rows.csv"
    path.write_text(text)
    return path


def test_classes_become_their_numbers(tmp_path: Path) -> None:
    """With blanks around them and in another spelling too. A row without a class is known to have none."""
    y, known = read_targets(file(tmp_path, "Churn,x\nYes,1\n No ,2\n,3\nYES,4\n"), CLASSES)

    assert known.tolist() == [True, True, False, True]
    assert y[known].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "expected"), [("x,price\n1,2.5\n2,NA\n3,4\n", [2.5, 4.0]), ("x;price\n1;2,5\n2;\n3,5;4,25\n", [2.5, 4.25])]
)
def test_numbers_are_read_as_the_file_writes_them(tmp_path: Path, text: str, expected: list[float]) -> None:
    """With decimal commas, if the file has them. A missing one is known to be missing."""
    y, known = read_targets(file(tmp_path, text), NUMBERS)

    assert known.tolist() == [True, False, True]
    assert y[known].tolist() == expected


def test_the_target_may_come_from_a_frame() -> None:
    """As everywhere in Python."""
    y, known = read_targets(pl.DataFrame({"price": [1.0, None], "x": [1, 2]}), NUMBERS)

    assert (known.tolist(), y[0]) == ([True, False], 1.0)


@pytest.mark.parametrize(
    ("schema", "text", "message", "hint"),
    [
        (CLASSES, "x,Churn\n1,Yes\n2,maybe\n", "line 3: the target 'maybe' is no class of the model", "No, Yes"),
        (NUMBERS, "x,price\n1,2\n2,dear\n", "line 3: the target 'dear' is no number", "'price' was a number"),
        (CLASSES, "x,churn\n1,Yes\n", "has no column 'Churn', which is the target", "did you mean 'churn'"),
        (CLASSES, "x,Churn\n1,\n", "no row has a target", "the column 'Churn'"),
    ],
)
def test_a_target_that_the_model_does_not_know_is_refused(
    tmp_path: Path, schema: DataSchema, text: str, message: str, hint: str
) -> None:
    """The message names the line and the value, the hint what was expected."""
    with pytest.raises(DataError, match=message) as raised:
        read_targets(file(tmp_path, text), schema)
    assert hint in (raised.value.hint or "")


def test_infinite_targets_are_refused() -> None:
    """They would make every error infinite."""
    with pytest.raises(DataError, match="row 2: the target 'inf' is no number"):
        read_targets(pl.DataFrame({"price": [1.0, np.inf]}), NUMBERS)
