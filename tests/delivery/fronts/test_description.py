"""``columns.json``, and the encoder for it that the documentation shows."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from tests.delivery import tables
from tests.markdown import ROOT
from tuner.delivery.fronts.description import describe_columns
from tuner.tables.cells import read_numbers, read_times
from tuner.tables.encoder import encode
from tuner.tables.missing import MISSING


def documented_encoder(folder: Path) -> dict[str, Any]:
    """Run the code of the documentation and return what it defines."""
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def encode" in block)
    names: dict[str, Any] = {}
    exec(code.replace("model/columns.json", str(folder / "columns.json")), names)  # noqa: S102 - our own documentation
    return names


def test_the_documented_encoder_encodes_as_in_training(tmp_path: Path) -> None:
    """With numbers and dates as Python objects, and categories as text."""
    schema = tables.schema()
    (tmp_path / "columns.json").write_text(describe_columns(schema), encoding="utf-8")
    names = documented_encoder(tmp_path)
    rows_of_text = {**tables.ROWS, "Size": [cell.replace(".0", "").strip(".") for cell in tables.ROWS["Size"]]}
    frame = tables.frame(rows_of_text)  # without 2.0 for 2, which the short encoder does not know
    cells = {name: frame[name].to_list() for name in tables.ROWS}
    cells["size"] = [min(max(x, -3e38), 3e38) if x is not None else None for x in read_numbers(frame["size"], None)]
    price = tables.NUMBERS[1]
    cells["Net Price"] = read_numbers(frame["Net Price"], price.written).clip(-3e38, 3e38).to_list()
    cells["day/hour"] = read_times(frame["day/hour"], "%d.%m.%Y %H:%M").to_list()

    rows = [{name: column[i] for name, column in cells.items()} for i in range(frame.height)]
    encoded = [names["encode"](row, names["columns"]) for row in rows]

    assert schema.table is not None
    for actual, expected in zip(encoded, encode(frame.to_dict(), schema.table).rows.tolist(), strict=True):
        for mine, theirs in zip(actual, expected, strict=True):
            assert math.isclose(mine, theirs, rel_tol=1e-6) or (math.isnan(mine) and math.isnan(theirs))
    assert names["MISSING"] == MISSING


def test_the_description_is_small_and_complete() -> None:
    """Inputs with their names and kinds, the entries of an encoded row in order, and the outputs."""
    described = json.loads(describe_columns(tables.schema(regression=True)))

    assert described["inputs"][1] == {"column": "Net Price", "input": "Net_Price", "kind": "number"}
    assert described["encoded"][1] == {
        "column": "Net Price",
        "part": "value",
        "written": {"decimal": ",", "thousands": ".", "unit": ""},
        "date_format": None,
    }
    assert described["encoded"][-1] == {
        "column": "country",
        "codes": {"DE": 1, "NA": 2, "FR": 3, "US": 4},
        "missing": 5,
        "unseen": 0,
    }
    assert described["outputs"] == {"target": "price", "classes": []}
