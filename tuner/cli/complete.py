"""Completes names on the command line: studies, and what a search may begin with. Never fails, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from tuner.printable import is_printable

Items = list[CompletionItem[str]]


def study_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a study."""
    return _matching(_studies(context), incomplete)


def study_list(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Complete the last of several names of studies that are separated by commas."""
    before, comma, last = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{item.value}") for item in _matching(_studies(context), last)]


def recipes(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Complete the name of a built-in search."""
    return _matching(_recipes(), incomplete)


def searches(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Complete a search: a built-in one, a study, or else a file."""
    found = _matching([*_recipes(), *_studies(context)], incomplete)
    return found or [CompletionItem(incomplete, type="file")]


def _matching(names: Iterable[str], incomplete: str) -> Items:
    """Return the names that begin as typed. One with a control character cannot be typed."""
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete) and is_printable(name)]


def _recipes() -> list[str]:
    import tuner_search_spaces

    return sorted({*tuner_search_spaces.built_in(), *tuner_search_spaces.registered()})


def _studies(context: click.Context) -> list[str]:
    """Return the names of the studies where the options before the cursor or the environment say."""
    from tuner_storage import locate
    from tuner_storage.names import read_names

    try:
        location = locate(context.params.get("storage"), context.params.get("home"))
        if not location.is_server and not location.file.is_file():  # SQLite would create it
            return []
        return read_names(location)
    except Exception:  # noqa: BLE001 - a message would stand in the middle of what the user types
        return []
