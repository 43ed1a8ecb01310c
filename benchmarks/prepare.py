"""Time from a CSV file to the arrays that all trainers map, which a study of a table spends once per run.

python benchmarks/prepare.py [--rows 50000] [--columns 20] [--json]

The file has numbers, some of them missing, categories of few and of many values, and dates. Imports are not measured:
every command pays for scikit-learn's, whatever the size of the table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import sklearn.model_selection  # noqa: F401 - so that the first split does not import it

from tuner.config.table_settings import TableSettings
from tuner.data.settle import settle
from tuner.data.table_loading import load_table
from tuner.data.training_rows import encoded_rows


def write_table(path: Path, rows: int, columns: int) -> None:
    """Write a table whose columns are of each kind in turn, and a target."""
    random = np.random.default_rng(0)
    frame: dict[str, pl.Series] = {}
    for i in range(columns):
        name = f"column {i}"
        match i % 4:
            case 0:
                frame[name] = pl.Series(random.normal(size=rows).round(4))
            case 1:
                values = random.uniform(0, 1000, rows).round(2)
                frame[name] = pl.Series(np.where(random.random(rows) < 0.1, np.nan, values)).fill_nan(None)
            case 2:
                frame[name] = pl.Series(random.choice([f"value {k}" for k in range(4 + 20 * i)], rows))
            case _:
                days = np.datetime64("2000-01-01") + random.integers(0, 9000, rows)
                frame[name] = pl.Series(days.astype("datetime64[us]")).dt.strftime("%d.%m.%Y")
    frame["target"] = pl.Series(random.normal(size=rows).round(4))
    pl.DataFrame(frame).write_csv(path)


def measure(path: Path) -> dict[str, float]:
    """Return the seconds of each step."""
    begin = time.perf_counter()
    data = load_table(path, TableSettings(target="target"))
    loaded = time.perf_counter()
    schema = settle(data, 0.2, 0).schema
    fitted = time.perf_counter()
    with encoded_rows(data, schema, 0.2, 0):
        encoded = time.perf_counter()
    _ = data.fingerprint
    hashed = time.perf_counter()
    return {
        "read and inspect": loaded - begin,
        "split and fit": fitted - loaded,
        "encode and write": encoded - fitted,
        "fingerprint": hashed - encoded,
        "total": hashed - begin,
    }


def main() -> None:
    """Measure once and print the seconds of each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_table(path, options.rows, options.columns)
        seconds = measure(path)
    if options.as_json:
        print(json.dumps(seconds))
        return
    for step, value in seconds.items():
        print(f"{step:<18} {value:6.2f} s")


if __name__ == "__main__":
    main()
