"""Built-in searches as TOML files, and functions that find a search by its name.

Another package can add searches with entry points of the group ``tuner.search_spaces``. The name of the entry point is
the name of the search. Its object is the path of a TOML file, as a ``pathlib.Path`` or as text.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from tuner.errors import RecipeError, did_you_mean

GROUP = "tuner.search_spaces"
_HERE = Path(__file__).parent


def names() -> list[str]:
    """Return the sorted names of all installed searches."""
    return sorted(_built_in() | {entry.name for entry in entry_points(group=GROUP)})


def find(search: str) -> Path:
    """Return the TOML file of a search.

    Args:
        search: The path of a file ending in ``.toml``, or the name of a built-in or registered search.

    Raises:
        RecipeError: If there is no such file or search, or its entry point is broken.
    """
    if search.endswith(".toml"):
        path = Path(search)
        if not path.is_file():
            raise RecipeError(f"there is no file {search}", hint="`tuner space list` shows the built-in searches")
        return path
    if search in _built_in():
        return _HERE / f"{search}.toml"
    for entry in entry_points(group=GROUP, name=search):
        return _registered(search, entry)
    raise RecipeError(f"there is no search '{search}'", hint=did_you_mean(search, names()))


def _built_in() -> set[str]:
    return {path.stem for path in _HERE.glob("*.toml")}


def _registered(search: str, entry: EntryPoint) -> Path:
    try:
        target = entry.load()
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"the entry point '{search}' of group {GROUP} is broken: {error}") from None
    if not isinstance(target, str | Path) or not Path(target).is_file():
        raise RecipeError(
            f"the entry point '{search}' of group {GROUP} is {target!r}",
            hint="it must be the path of a TOML file",
        )
    return Path(target)
