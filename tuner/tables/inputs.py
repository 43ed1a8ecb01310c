"""Describes how a row of raw columns becomes the numbers that a model reads. Stored as JSON in the data schema."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tuner.config.tables import Table
from tuner.tables.schema import NumberStyle

Part = Literal["value", "days", "year", "month", "day", "weekday", "hour", "minute"]

ONE_HOT = 8  # categories; more are embedded. Source: Holzmüller et al. 2024, Better by Default, appendix A
UNSEEN = 0  # the code of a category that no training row has
LIMIT = 3.0  # standardised features are squashed smoothly into (-LIMIT, LIMIT)


class NumberInput(Table):
    """One number of a row: a column of numbers, or a part of a column of dates.

    A part is a number of whole units, but ``days`` is the time since 1970-01-01 in days, with a fraction.

    Attributes:
        column: Name of the raw column.
        part: ``value`` for a column of numbers.
        fill: The value that replaces a missing one: the median of the training rows.
        indicator: Whether the model reads a feature that is 1 where the value is missing.
        written: How the numbers are written, if they were text.
        date_format: How the dates are written, as in ``strftime``, if they were text.
        knots: Quantiles of the training rows, ascending and distinct, for piecewise-linear embeddings.
    """

    column: str
    part: Part = "value"
    fill: float
    indicator: bool = False
    written: NumberStyle | None = None
    date_format: str | None = None
    knots: tuple[float, ...] = ()


class CodeInput(Table):
    """One category of a row, as a code.

    The code is 0 for a category that is not in the vocabulary, and ``n`` for the n-th category of the vocabulary,
    counted from 1. If ``missing`` is set, a missing value has the code after those. If not, its code is 0.

    Attributes:
        column: Name of the raw column.
        vocabulary: The categories, without blanks around them, the most frequent first.
        spellings: Other spellings of categories, such as ``YES``, with the category that they mean.
        missing: Whether a missing value has its own code.
        embedded: Whether the model learns a vector for each code; if not, it reads one feature per category.
    """

    column: str
    vocabulary: tuple[str, ...]
    spellings: dict[str, str] = Field(default_factory=dict)
    missing: bool = False
    embedded: bool = False

    @property
    def codes(self) -> int:
        """Number of codes, with that of unseen categories."""
        return 1 + len(self.vocabulary) + self.missing

    @property
    def one_hot(self) -> tuple[tuple[int, int], ...]:
        """The features that replace the code, if it is not embedded: each is 1 for one code, and -1 for another.

        Two codes besides that of unseen categories are one feature, which is -1 or 1. Otherwise, each code has a
        feature of its own, and the other code is -1, which is none. An unseen category is 0 in all features.
        """
        if self.embedded:
            return ()
        if self.codes == 3:  # noqa: PLR2004 - two categories and the unseen ones
            return ((2, 1),)
        return tuple((code, -1) for code in range(1, self.codes))


class TableInput(Table):
    """The input of a model for tables.

    A row is *encoded* as ``float32`` numbers, NaN where one is missing, followed by codes as whole numbers. From these,
    the model computes its *features*: the numbers, the indicators of missing ones, and the one-hot features, in this
    order. Each is centered, scaled and squashed: ``z = (feature - center) * scale``, then ``z / sqrt(1 + (z / 3)^2)``.
    Codes that are embedded stay codes.

    Attributes:
        numbers: The numbers of an encoded row.
        codes: The codes that follow them.
        center: Median of each feature in the training rows.
        scale: Factor of each feature; 0 if it is constant.

    Source: Holzmüller et al. 2024, Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data,
    section 3: robust scaling and smooth clipping.
    """

    numbers: tuple[NumberInput, ...] = ()
    codes: tuple[CodeInput, ...] = ()
    center: tuple[float, ...] = ()
    scale: tuple[Annotated[float, Field(ge=0)], ...] = ()

    @model_validator(mode="after")
    def _one_scale_per_feature(self) -> Self:
        if {len(self.center), len(self.scale)} != {self.features}:
            raise ValueError(f"expected {self.features} centers and scales, got {len(self.center)}, {len(self.scale)}")
        return self

    @property
    def width(self) -> int:
        """Number of values in an encoded row."""
        return len(self.numbers) + len(self.codes)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the raw columns, each once."""
        names = [*(number.column for number in self.numbers), *(code.column for code in self.codes)]
        return tuple(dict.fromkeys(names))

    @property
    def indicators(self) -> tuple[int, ...]:
        """Positions of the numbers whose absence is a feature."""
        return tuple(i for i, number in enumerate(self.numbers) if number.indicator)

    @property
    def one_hot(self) -> tuple[tuple[int, int, int], ...]:
        """The one-hot features: position of the code, the code that is 1, and the code that is -1 (or -1)."""
        return tuple((i, *pair) for i, code in enumerate(self.codes) for pair in code.one_hot)

    @property
    def embedded(self) -> tuple[int, ...]:
        """Positions of the codes that are embedded."""
        return tuple(i for i, code in enumerate(self.codes) if code.embedded)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where the vectors of each embedded code begin in the table of all vectors; at the end, its length."""
        return tuple(itertools.accumulate((self.codes[i].codes for i in self.embedded), initial=0))

    @property
    def features(self) -> int:
        """Number of features, without embedded codes."""
        return len(self.numbers) + len(self.indicators) + len(self.one_hot)


class NumericTarget(Table):
    """A target that is a number. All values are in its units, and those of the training rows.

    Attributes:
        mean: Mean.
        deviation: Standard deviation; positive.
        smallest: The smallest value.
        largest: The largest value.
        log_mean: Mean of the logarithm, if all values are positive.
        log_deviation: Standard deviation of the logarithm, if all values are positive.
    """

    mean: float
    deviation: Annotated[float, Field(gt=0)]
    smallest: float
    largest: float
    log_mean: float | None = None
    log_deviation: Annotated[float | None, Field(gt=0)] = None

    @property
    def variance(self) -> float:
        """Variance, in squared units."""
        return math.pow(self.deviation, 2)
