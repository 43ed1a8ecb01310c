"""Tables of scikit-learn by name: real data sets that need no file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tuner.errors import DataError

if TYPE_CHECKING:
    import polars as pl


class NamedTable(NamedTuple):
    """A table with a name.

    Attributes:
        description: One line for people.
        target: The column to predict.
        load: Returns the columns.
        cache: Name of the file that scikit-learn downloads into its folder; ``None`` if the table comes with it.
    """

    description: str
    target: str
    load: Callable[[], pl.DataFrame]
    cache: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether no download is needed."""
        if self.cache is None:
            return True
        from sklearn.datasets import get_data_home

        return (Path(get_data_home()) / self.cache).is_file()


def _breast_cancer() -> pl.DataFrame:
    from sklearn.datasets import load_breast_cancer

    return _frame(load_breast_cancer(), "diagnosis")


def _wine() -> pl.DataFrame:
    from sklearn.datasets import load_wine

    return _frame(load_wine(), "cultivar")


def _diabetes() -> pl.DataFrame:
    from sklearn.datasets import load_diabetes

    return _frame(load_diabetes(scaled=False), "progression")


def _california_housing() -> pl.DataFrame:
    from sklearn.datasets import fetch_california_housing

    try:
        return _frame(fetch_california_housing(), "median_house_value")
    except OSError as error:
        raise DataError(
            f"california_housing cannot be downloaded: {error}",
            hint="put california_housing.csv into a folder, and name the folder with --data-dir or TUNER_DATA",
        ) from None


def _frame(bunch: Any, target: str) -> pl.DataFrame:
    import polars as pl

    frame = pl.DataFrame(bunch.data, schema=[str(name) for name in bunch.feature_names])
    names = bunch.target_names if bunch.target.dtype.kind == "i" else None
    values = bunch.target.tolist() if names is None else [str(names[number]) for number in bunch.target]
    return frame.with_columns(pl.Series(target, values))


NAMED_TABLES = {
    "breast_cancer": NamedTable("tumours, malignant or benign, 569 x 30", "diagnosis", _breast_cancer),
    "california_housing": NamedTable(
        "prices of houses, 20640 x 8", "median_house_value", _california_housing, "cal_housing_py3.pkz"
    ),
    "diabetes": NamedTable("progression of diabetes, 442 x 10", "progression", _diabetes),
    "wine": NamedTable("wines of three cultivars, 178 x 13", "cultivar", _wine),
}
"""The tables by name, in alphabetical order."""


def file_of(name: str, data_dir: Path | None) -> Path | None:
    """Return the user's file of a named table, which comes before what scikit-learn has; ``None`` if there is none."""
    path = data_dir / f"{name}.csv" if data_dir else None
    return path if path is not None and path.is_file() else None
