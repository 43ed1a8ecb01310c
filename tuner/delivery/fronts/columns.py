"""The raw columns that an exported model for tables takes, and how their texts are looked up."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tuner.data.schema import DataSchema
from tuner.errors import RunError
from tuner.tables.inputs import UNSEEN, CodeInput, TableInput
from tuner.tables.missing import MISSING, NAMIBIA, is_missing

ColumnKind = Literal["number", "date", "category"]

LABEL, PREDICTION, PROBABILITIES = "label", "prediction", "probabilities"
"""Names of outputs: the most probable class, a number, and the probabilities of the classes."""

BLANK = r"[\t-\r \x{85}\p{Z}]"
"""A blank as polars has it, Unicode's property White_Space, as a regular expression (RE2)."""

WITH_POINT = r"([+-]?\p{Nd}+)\.0*"
"""A whole number with a decimal point, as a regular expression (RE2)."""

_WHOLE = re.compile(r"[+-]?\d+")
_NO_NAME = re.compile("[^A-Za-z0-9_]")
_RESERVED = frozenset({LABEL, PREDICTION, PROBABILITIES, "self"})  # the last one: functions of TensorFlow have it


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A raw column that a model takes.

    Attributes:
        name: Its name in the table.
        kind: A ``number`` is a ``float32``, NaN if it is missing; a ``category`` is a text; a ``date`` is a text or a
            number of seconds, as the format has it.
        argument: The name of the model's input: that of the column, but with an underscore for each character other
            than letters, digits and underscores.
    """

    name: str
    kind: ColumnKind
    argument: str


def raw_columns(table: TableInput) -> tuple[RawColumn, ...]:
    """Return the raw columns of a model for tables, in the order of :attr:`TableInput.columns`."""
    kinds: dict[str, ColumnKind] = {
        number.column: "number" if number.part == "value" else "date" for number in table.numbers
    }
    kinds |= {code.column: "category" for code in table.codes}
    names = table.columns
    return tuple(RawColumn(name, kinds[name], word) for name, word in zip(names, _arguments(names), strict=True))


def _arguments(names: tuple[str, ...]) -> list[str]:
    """Return the names of inputs. TensorFlow does not tell those apart that differ in capitals only."""
    taken = set(_RESERVED)
    arguments = []
    for name in names:
        word = _NO_NAME.sub("_", name)
        word = word if word[:1].isalpha() else f"column_{word}"
        candidates = itertools.chain([word], (f"{word}_{number}" for number in itertools.count(2)))
        argument = next(candidate for candidate in candidates if candidate.lower() not in taken)
        taken.add(argument.lower())
        arguments.append(argument)
    return arguments


def codes_of(code: CodeInput) -> dict[str, int]:
    """Return the code of each text without blanks around it: the categories, and their other spellings."""
    codes = {category: number for number, category in enumerate(code.vocabulary, 1)}
    codes |= {text: codes[category] for text, category in code.spellings.items()}
    return {text: number for text, number in codes.items() if text == NAMIBIA or not is_missing(text)}


def with_blanks(codes: Mapping[str, int]) -> dict[str, int]:
    """Return the codes of texts, also with one space before or after them."""
    around = (("", ""), (" ", ""), ("", " "), (" ", " "))
    return {f"{before}{text}{after}": number for text, number in codes.items() for before, after in around}


def code_of_missing(code: CodeInput) -> int:
    """Return the code of a missing value."""
    return 1 + len(code.vocabulary) if code.missing else UNSEEN


def is_whole(text: str) -> bool:
    """Return whether a category is a whole number, which may also be written with a decimal point, as in ``3.0``."""
    return _WHOLE.fullmatch(text) is not None


def missing_pattern() -> str:
    """Return the regular expression (RE2) of texts that mean a missing value, with blanks around them."""
    words = "|".join(re.escape(word) for word in sorted(MISSING))
    return f"(?i){BLANK}*(?:{words}){BLANK}*"


def table_of(schema: DataSchema) -> TableInput:
    """Return the input of a model for tables.

    Raises:
        RunError: If the schema is that of a model for arrays.
    """
    if schema.table is None:
        raise RunError(f"the model takes rows of kind '{schema.kind}', not the columns of a table")
    return schema.table
