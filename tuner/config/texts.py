"""Checks that every text of a new recipe can be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tuner.errors import RecipeError
from tuner.printable import check_printable

_LONG = "description"  # the one text that may have several lines


def check_texts(recipe: Mapping[str, object], source: str) -> None:
    """Check the texts of a recipe, such as the labels of start configurations.

    Raises:
        RecipeError: If one has a control character, or one other than the description has a line break.
    """
    for place, text in _texts(recipe, ""):
        for line in text.splitlines() if place == _LONG else [text]:
            check_printable(line, f"{place} of {source}", RecipeError)


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Yield every text in nested settings with its place, such as ``start.label``."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, place)
