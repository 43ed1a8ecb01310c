"""A target suggests a task; the user decides in the end; what spoils a model is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.tables.conftest import inspected, table_of
from tuner.errors import DataError, UsageError
from tuner.tables.inspection import inspect_table
from tuner.tables.schema import TableSchema

NUMBERS = [cell * 37 % 101 / 7 for cell in range(100)]
OTHERS = [cell * 53 % 97 / 3 for cell in range(100)]
CLASSES = [["a", "b", "b", "c"][cell * 31 % 4] for cell in range(100)]


@pytest.mark.parametrize(
    ("cells", "task", "certain"),
    [
        (NUMBERS, "regression", True),
        ([cell % 2 for cell in range(100)], "binary", True),
        ([1 + cell % 2 for cell in range(100)], "binary", True),
        (["Yes", "No"] * 50, "binary", True),
        (CLASSES, "multiclass", True),
        ([cell % 3 for cell in range(99)], "multiclass", False),
        ([3 + cell % 7 for cell in range(99)], "regression", False),
        (list(range(1000, 1200)), "regression", True),
    ],
)
def test_the_task_follows_from_the_target(cells: Sequence[object], task: str, certain: bool) -> None:
    """In doubt, a note says what it was taken for and the option that changes it."""
    schema = inspected("y", y=cells)

    assert schema.target is not None
    assert (schema.target.task, schema.target.certain) == (task, certain)
    option = "--column 'y=category'" if task == "regression" else "--column 'y=number'"
    assert any(f"was taken for {task}" in note and option in note for note in schema.notes) is not certain


@pytest.mark.parametrize(
    ("kind", "cells", "task"),
    [("category", [3 + cell % 7 for cell in range(99)], "multiclass"), ("number", [0, 1, 2] * 33, "regression")],
)
def test_the_user_names_the_kind_of_the_target(kind: str, cells: Sequence[object], task: str) -> None:
    """Then there is no doubt left."""
    schema = inspect_table(table_of(y=cells), "y", {"y": kind}).schema

    assert schema.target is not None
    assert (schema.target.task, schema.target.certain) == (task, True)


@pytest.mark.parametrize(
    ("asked", "cells", "kind", "missing"),
    [
        ("category", ["1", "2", "3"], "category", 0),
        ("number", ["0", "1", "0"], "number", 0),
        ("number", ["1", "x", "y"], "number", 2),
        ("boolean", ["male", "female"], "boolean", 0),
        ("date:%m/%d/%Y", ["01/02/2011", "13/02/2011"], "date", 1),
        ("text", ["a", "b"], "text", 0),
        ("identifier", ["a", "b"], "identifier", 0),
        ("number", ["", "NA"], "empty", 2),
    ],
)
def test_every_decision_can_be_overridden(asked: str, cells: Sequence[object], kind: str, missing: int) -> None:
    """What does not fit counts as missing."""
    column = inspect_table(table_of(x=cells), kinds={"x": asked}).schema.columns[0]

    assert (column.kind, column.missing) == (kind, missing)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("number", "column 'x' cannot be read as number: row 2 holds 'red'"),
        ("boolean", "column 'x' cannot be read as boolean: row 2 holds 'red'"),
        ("date", "column 'x' cannot be read as date: row 2 holds 'red'"),
        ("date:%Y", "column 'x' cannot be read as date:%Y: row 2 holds 'red'"),
    ],
)
def test_a_kind_that_does_not_fit_at_all_is_refused(asked: str, message: str) -> None:
    """With the first cell that does not."""
    with pytest.raises(DataError) as error:
        inspect_table(table_of(x=["", "red", "green", "blue"]), kinds={"x": asked})

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"target": "prize"}, "has no column 'prize'", "did you mean 'price'?"),
        ({"drop": ["prize"]}, "has no column 'prize'", "did you mean 'price'?"),
        ({"kinds": {"prize": "number"}}, "has no column 'prize'", "did you mean 'price'?"),
        ({"kinds": {"price": "numbr"}}, "'numbr' is no kind of column, in price=numbr", "did you mean 'number'?"),
        ({"kinds": {"price": "number:x"}}, "'number:x' is no kind", "did you mean 'number'?"),
        ({"target": "price", "drop": ["price"]}, "cannot be both the target and left out", "omit one"),
    ],
)
def test_unknown_names_and_kinds_are_refused(arguments: dict[str, object], message: str, hint: str) -> None:
    """With the most similar name."""
    with pytest.raises(UsageError) as error:
        inspect_table(table_of(price=[1, 2], size=[3, 4]), **arguments)  # type: ignore[arg-type]

    assert message in str(error.value)
    assert hint in str(error.value.hint)


def warnings_of(target: str | None = "y", **columns: Sequence[object]) -> str:
    """Return all warnings about a table."""
    return "\n".join(inspected(target, **columns).warnings)


def test_a_feature_that_almost_equals_the_target_is_named() -> None:
    """Whatever its unit; a feature that only helps is not."""
    twice = [2 * number + index % 2 / 100 for index, number in enumerate(NUMBERS)]
    noisy = [number + other for number, other in zip(NUMBERS, OTHERS, strict=True)]

    assert "'x' almost equals the target (correlation 1.0000)" in warnings_of(y=NUMBERS, x=twice)
    assert "almost" not in warnings_of(y=NUMBERS, x=noisy)


def test_two_features_that_sum_to_the_target_are_named() -> None:
    """Also as a difference, and with the command that leaves them out."""
    total = [number + other for number, other in zip(NUMBERS, OTHERS, strict=True)]
    difference = [number - other for number, other in zip(NUMBERS, OTHERS, strict=True)]

    summands: dict[str, Any] = {"y": total, "a": NUMBERS, "b c": OTHERS}

    assert "'a' + 'b c' is the target in each row" in warnings_of(**summands)
    assert "use --drop a --drop 'b c'" in warnings_of(**summands)
    assert "'a' - 'b' is the target" in warnings_of(y=difference, a=NUMBERS, b=OTHERS)
    assert "'b' - 'a' is the target" in warnings_of(y=[-cell for cell in difference], a=NUMBERS, b=OTHERS)


def test_a_sum_must_hold_in_most_rows() -> None:
    """Rows without one of the values say nothing, and a target may be infinite."""
    total = [number + other for number, other in zip(NUMBERS, OTHERS, strict=True)]
    gaps = ["" if cell % 7 == 3 else number for cell, number in enumerate(NUMBERS)]
    rare = [number if cell % 7 == 3 else "" for cell, number in enumerate(NUMBERS)]

    assert "'a' + 'b' is the target" in warnings_of(y=total, a=gaps, b=OTHERS)
    assert "is the target" not in warnings_of(y=total, a=rare, b=OTHERS)
    assert "is the target" not in warnings_of(y=[*total[:-1], "inf"], a=list(reversed(NUMBERS)), b=OTHERS)


def test_a_category_that_decides_the_target_is_named() -> None:
    """And one that is filled for some classes only, such as the reason for leaving."""
    left = [int(cell in "bc") for cell in CLASSES]
    reasons = ["moved" if gone else "" for gone in left]

    assert "'x' has one value of the target for each of its own" in warnings_of(y=left, x=CLASSES, z=NUMBERS)
    assert "'x' has one value of the target" in warnings_of(y=left, x=reasons, z=NUMBERS)
    assert "'x' is missing for some values of the target only" in warnings_of(
        y=left, x=[number if gone else "" for gone, number in zip(left, NUMBERS, strict=True)]
    )
    assert "has one value" not in warnings_of(y=CLASSES, x=["u", "v"] * 50, z=NUMBERS)


def test_an_identifier_that_sorts_by_the_target_is_named() -> None:
    """And rows that are sorted by it."""
    codes = [f"k{cell}" for cell in range(100)]
    order = sorted(range(100), key=lambda cell: NUMBERS[cell])
    ranks: Sequence[object] = [order.index(cell) for cell in range(100)]

    assert "the identifier 'id' sorts the rows by the target" in warnings_of(y=NUMBERS, id=ranks)
    assert "are sorted by the target" in warnings_of(y=sorted(NUMBERS), id=codes)
    assert "sort" not in warnings_of(y=NUMBERS, id=list(range(100)), code=codes)


def test_repeated_rows_are_counted() -> None:
    """Whatever their identifier."""
    warning = warnings_of(None, id=list(range(200)), x=NUMBERS * 2, y=OTHERS * 2)

    assert "100 of 200 rows repeat an earlier row (the first: row 101)" in warning


def test_rows_without_a_target_are_counted_with_their_lines() -> None:
    """They are left out."""
    warning = warnings_of(y=["NA", *NUMBERS, "?", "", "-"], x=[*range(5), *NUMBERS[1:]])

    assert "4 of 104 rows have no value in the target 'y' and are left out: rows 1, 102, 103 and 1 more" in warning


def test_rows_in_the_order_of_time_are_named() -> None:
    """By a date, or by its parts in columns of their own."""
    days: Sequence[object] = [f"2024-{1 + cell // 28:02d}-{1 + cell % 28:02d}" for cell in range(100)]
    assert "the rows are in the order of 'day'" in warnings_of(None, day=days, x=NUMBERS)
    assert "the rows are in the order of 'year', 'month'" in warnings_of(
        None, year=[2020 + cell // 24 for cell in range(100)], month=[cell // 2 % 12 for cell in range(100)], x=NUMBERS
    )
    assert "order" not in warnings_of(None, day=[*days[50:], *days[:50]], x=NUMBERS)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["a"] * 100, "the target 'y' holds one value: name another column"),
        ([""] * 100, "the target 'y' holds no value: name another column"),
        ([f"k{cell}" for cell in range(100)], "the target 'y' holds an identifier: name another column"),
        ([*CLASSES[:98], "rare", "once"], "2 classes have fewer than 5 rows, too few to split: 'once' (1), 'rare' (1)"),
        (["a"] * 99 + [""], "the target 'y' has only one class, 'a': there is nothing to learn"),
    ],
)
def test_a_target_that_cannot_be_learned_is_named(cells: Sequence[object], message: str) -> None:
    """Before anything is trained."""
    assert message in warnings_of(y=cells, x=NUMBERS)


def test_the_schema_survives_json() -> None:
    """It will be stored with a study."""
    schema = inspected("y", y=CLASSES, x=NUMBERS, day=["2024-01-01"] * 50 + ["2024-01-02"] * 50, price=["$5"] * 100)

    assert TableSchema.model_validate_json(schema.model_dump_json()) == schema
