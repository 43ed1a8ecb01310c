"""The recorded tables are read as their authors describe them, with no word of configuration but the target."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tuner.tables.inspection import inspect_table
from tuner.tables.reading import read_table
from tuner.tables.schema import TableSchema

TARGETS = {
    "bank_churn": ("Exited", 10000, 14, "binary"),
    "bike_hour": ("cnt", 17379, 17, "regression"),
    "california_housing": ("median_house_value", 20640, 10, "regression"),
    "cars": ("MSRP", 11914, 16, "regression"),
    "pollution": ("pm2.5", 43824, 13, "regression"),
    "sms_spam": ("type", 5574, 2, "binary"),
    "telco_churn": ("Churn", 7043, 21, "binary"),
    "winequality-red": ("quality", 1599, 12, "regression"),
    "winequality-white": ("quality", 4898, 12, "regression"),
}


@cache
def known(folder: Path, name: str) -> TableSchema:
    return inspect_table(read_table(folder / f"{name}.csv"), TARGETS[name][0]).schema


def kinds(schema: TableSchema) -> dict[str, str]:
    return {column.name: column.kind for column in schema.columns}


@pytest.mark.parametrize("name", TARGETS)
def test_rows_columns_and_task_are_those_of_the_description(shared_data: Path, name: str) -> None:
    """Nothing is left over or lost."""
    schema = known(shared_data, name)

    assert schema.target is not None
    assert (schema.target.column, schema.rows, len(schema.columns), schema.target.task) == TARGETS[name]
    assert schema.csv is not None
    assert schema.csv.separator == (";" if name.startswith("wine") else ",")
    assert schema.target.certain is not name.startswith("wine")


def test_telco_churn(shared_data: Path) -> None:
    """A number with blanks among its cells, an identifier, truth values of two spellings."""
    schema = known(shared_data, "telco_churn")
    columns = {column.name: column for column in schema.columns}

    assert (columns["TotalCharges"].kind, columns["TotalCharges"].missing) == ("number", 11)
    assert columns["customerID"].reason == "identifier"
    assert columns["SeniorCitizen"].kind == columns["Partner"].kind == columns["Churn"].kind == "boolean"
    assert columns["MultipleLines"].kind == columns["gender"].kind == "category"
    assert columns["tenure"].kind == "number"


def test_bank_churn(shared_data: Path) -> None:
    """A row number and an identifier are left out, names of people are a category with many values."""
    schema = known(shared_data, "bank_churn")

    assert [column.name for column in schema.columns if column.role == "left out"] == ["RowNumber", "CustomerId"]
    assert kinds(schema)["Surname"] == "category"
    assert schema.warnings == ()


def test_bike_hour(shared_data: Path) -> None:
    """The two counts that sum to the target are named, and so is the order in time."""
    schema = known(shared_data, "bike_hour")

    assert kinds(schema)["instant"] == "identifier"
    assert (kinds(schema)["dteday"], kinds(schema)["season"], kinds(schema)["holiday"]) == ("date", "code", "boolean")
    assert [warning.split(":")[0] for warning in schema.warnings] == [
        "'casual' + 'registered' is the target in each row",
        "the rows are in the order of 'dteday'",
    ]


def test_cars(shared_data: Path) -> None:
    """Lists in cells are categories; a missing market category is no category of its own name."""
    schema = known(shared_data, "cars")
    columns = {column.name: column for column in schema.columns}

    assert (columns["Market Category"].kind, columns["Market Category"].missing) == ("category", 3742)
    assert columns["Model"].kind == columns["Engine Fuel Type"].kind == "category"
    assert columns["Year"].kind == columns["Engine HP"].kind == "number"
    assert (columns["MSRP"].median, columns["MSRP"].maximum) == (29995, 2065902)
    assert schema.warnings[0].startswith("the target 'MSRP' has a long tail (median 29,995, largest 2,065,902)")


def test_pollution(shared_data: Path) -> None:
    """Rows without a target are named, and the time that is spread over four columns is noticed."""
    schema = known(shared_data, "pollution")

    assert kinds(schema)["No"] == "identifier"
    assert [warning.partition(":")[0] for warning in schema.warnings] == [
        "2,067 of 43,824 rows have no value in the target 'pm2.5' and are left out",
        "the rows are in the order of 'year', 'month', 'day', 'hour'",
    ]


def test_california_housing(shared_data: Path) -> None:
    """One category, and 207 cells without a number."""
    columns = {column.name: column for column in known(shared_data, "california_housing").columns}

    assert columns["ocean_proximity"].kind == "category"
    assert columns["total_bedrooms"].missing == 207
    assert {column.kind for name, column in columns.items() if name != "ocean_proximity"} == {"number"}


def test_messages_and_reviews_are_free_text(shared_data: Path) -> None:
    """They are left out, and a note says so."""
    schema = known(shared_data, "sms_spam")

    assert kinds(schema) == {"type": "category", "text": "text"}
    assert schema.notes == ("free text is left out, because models do not read it yet (text)",)
