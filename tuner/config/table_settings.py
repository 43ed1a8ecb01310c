"""The table ``[table]`` of a recipe: what a user says about the columns and the split of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from tuner.config.numbers import refuse_text_and_truth
from tuner.config.tables import Table
from tuner.config.validation_messages import explain
from tuner.errors import UsageError

Share = Annotated[float, BeforeValidator(refuse_text_and_truth), Field(gt=0, lt=1)]


class TableSettings(Table):
    """What is predicted from a table, from which columns, and how its rows are split.

    Attributes:
        target: The column to predict.
        columns: Kinds of columns that were not found out as the user knows them, by name: see
            :func:`tuner.tables.overrides.read_as`.
        drop: Columns to leave out.
        header: Whether the first line of a CSV file holds names; ``None`` finds it out.
        test: A file with the test rows, or the share of the rows that is held out; ``None`` decides by their number.
        group: A column whose values are never on both sides of a split, such as a customer. It is no feature.
        time: A column by which rows are sorted before they are split: the last rows are the test rows.
    """

    target: str
    columns: dict[str, str] = Field(default_factory=dict)
    drop: tuple[str, ...] = ()
    header: Annotated[bool | None, Field(strict=True)] = None
    test: Share | str | None = None
    group: str | None = None
    time: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The settings that differ from their defaults."""
        return self.model_dump(exclude_defaults=True)

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        if self.group is not None and self.time is not None:
            raise ValueError(f"rows are split by group ('{self.group}') or by time ('{self.time}'), not by both")
        if self.target in {self.group, self.time}:
            raise ValueError(f"'{self.target}' is the target, so rows cannot be split by it")
        return self


def table_settings(values: Mapping[str, Any]) -> TableSettings:
    """Validate settings that were given as options or in Python.

    Raises:
        UsageError: If a value is not possible.
    """
    try:
        return TableSettings.model_validate(values)
    except ValidationError as error:
        explained = explain(error, TableSettings, "the options for tables")
        raise UsageError(str(explained), hint=explained.hint) from None
