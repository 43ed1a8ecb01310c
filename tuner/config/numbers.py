"""Types of numbers in a recipe: text and truth values are no numbers, although pydantic would convert them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field


def refuse_text_and_truth(value: object) -> object:
    """Return a value unless it is text or a truth value.

    Raises:
        ValueError: With the value.
    """
    if isinstance(value, bool | str):
        raise ValueError(f"must be a number, got {value!r}")  # noqa: TRY004 - pydantic converts a ValueError only
    return value


Integer = Annotated[int, BeforeValidator(refuse_text_and_truth)]
# PostgreSQL stores numbers of trials and epochs in four bytes.
Count = Annotated[Integer, Field(ge=0, le=2**31 - 1)]
Number = Annotated[float, BeforeValidator(refuse_text_and_truth)]
