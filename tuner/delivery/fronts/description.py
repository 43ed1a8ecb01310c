"""Describes in ``columns.json`` what a model for tables takes, for programs that encode rows themselves."""

from __future__ import annotations

import json
from typing import Any

from tuner.data.schema import DataSchema
from tuner.delivery.fronts.columns import code_of_missing, codes_of, raw_columns, table_of
from tuner.tables.inputs import UNSEEN

COLUMNS = "columns.json"


def describe_columns(schema: DataSchema) -> str:
    """Return the contents of ``columns.json``.

    ``inputs`` has one entry per raw column: ``column``, ``input`` (its name in the formats that take raw columns) and
    ``kind``. ``encoded`` has one entry per value of an encoded row, in order. A number has ``column``, ``part``, and
    how it is written as text: ``written``, ``date_format``. A code has ``column``, the code of each text in ``codes``,
    that of a missing value in ``missing``, and that of all other texts in ``unseen``. ``outputs`` names the target and
    the classes, in the order of the probabilities.

    Args:
        schema: The schema of the table.
    """
    table = table_of(schema)
    encoded: list[dict[str, Any]] = [
        number.model_dump(mode="json", include={"column", "part", "written", "date_format"}) for number in table.numbers
    ]
    encoded.extend(
        {"column": code.column, "codes": codes_of(code), "missing": code_of_missing(code), "unseen": UNSEEN}
        for code in table.codes
    )
    description = {
        "inputs": [{"column": c.name, "input": c.argument, "kind": c.kind} for c in raw_columns(table)],
        "encoded": encoded,
        "outputs": {"target": schema.target, "classes": list(schema.classes)},
    }
    return json.dumps(description, ensure_ascii=False, indent=1) + "\n"
