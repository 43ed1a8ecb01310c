"""Long texts as optuna-dashboard stores them: in numbered pieces among the attributes of a study.

optuna-dashboard has functions for this. To import them, with scikit-learn, takes longer than the rest of a short run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTE, NOTE_VERSION = "dashboard:note_str:", "dashboard:note_ver"  # the version grows with each change of the note
FIGURE = "dashboard:plot_data:{}:"  # with the id of a figure
_PIECE = 2045  # characters


def joined(attributes: Mapping[str, Any], prefix: str) -> str:
    """Return the text whose pieces begin with a prefix; empty if there is none."""
    return "".join(str(attributes[key]) for key in _keys(attributes, prefix))


def pieces(text: str, prefix: str, before: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes that store a text in place of an earlier one, of which nothing is left.

    Args:
        text: The text.
        prefix: What the names of the pieces begin with.
        before: The attributes so far.
    """
    parts = {f"{prefix}{i}": text[i * _PIECE : (i + 1) * _PIECE] for i in range(-(-len(text) // _PIECE))}
    return dict.fromkeys(_keys(before, prefix), "") | parts


def _keys(attributes: Mapping[str, Any], prefix: str) -> list[str]:
    """Return the names of the pieces in order; they are numbered without a gap."""
    count = sum(key.startswith(prefix) for key in attributes)
    return [f"{prefix}{i}" for i in range(count)]
