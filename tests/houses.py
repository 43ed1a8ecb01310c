"""A small table of houses: numbers, categories, dates, missing cells, an identifier, and two targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl


def houses(rows: int = 240, seed: int = 0) -> pl.DataFrame:
    """Return a table from which ``price`` and ``sold`` can be predicted well, but not exactly."""
    random = np.random.default_rng(seed)
    size = random.uniform(40, 200, rows).round(1)
    town = random.choice(["Bonn", "Ulm", "Kiel", "Köln, Nord"], rows, p=[0.5, 0.3, 0.15, 0.05])
    worth = np.select([town == "Bonn", town == "Ulm"], [1.5, 1.2], 1.0)
    price = (1000 * size * worth * random.lognormal(0, 0.1, rows)).round(2)
    missing = random.random(rows) < 0.1
    built = [str(day) for day in np.datetime64("1990-01-01") + random.integers(0, 9999, rows)]
    return pl.DataFrame(
        {
            "id": [f"H{number:05}" for number in range(rows)],
            "size": [None if gone else value for gone, value in zip(missing, size.tolist(), strict=True)],
            "town": town.tolist(),
            "street": [f"street {number}" for number in random.integers(0, 12, rows)],
            "built": built,
            "price": price.tolist(),
            "sold": np.where(price < np.median(price), "yes", "no").tolist(),
        }
    )


def houses_csv(folder: Path, rows: int = 240, seed: int = 0) -> Path:
    """Write the table as ``houses.csv`` into a folder."""
    path = folder / "houses.csv"
    houses(rows, seed).write_csv(path)
    return path
