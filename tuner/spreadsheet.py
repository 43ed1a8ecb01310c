"""Makes text safe for spreadsheets, which run a cell that begins like a formula."""

from __future__ import annotations

import re

# At the start of a cell, or after a character at which a spreadsheet may split it: a sign that begins a formula.
# Apostrophes before the sign are skipped, so that one more can be told from those of the text itself.
# The last four signs are the wide forms of the first four.
_FORMULA = re.compile(r"(?:^|(?<=[;\t\r\n]))(?='*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


def safe_cell(cell: object) -> object:
    """Return a cell that no spreadsheet runs: text that begins like a formula gets a leading apostrophe.

    Numbers stay as they are, and so does text that is a number, such as the class name ``-1``. Nothing is lost: to get
    the original text back, remove one apostrophe from each place where one stands before a sign (see
    ``docs/results.md``).
    """
    return cell if not isinstance(cell, str) or _is_number(cell) else _FORMULA.sub("'", cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
