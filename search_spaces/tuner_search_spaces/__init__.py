"""Built-in searches as TOML files, and functions that find a search by its name.

Another package can add searches with entry points of the group ``tuner.search_spaces``. The name of the entry point is
the name of the search. Its object is the path of a TOML file, as a ``pathlib.Path`` or as text.
"""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

from tuner.errors import RecipeError, did_you_mean
from tuner.paths import user_path

GROUP = "tuner.search_spaces"
MANY = 10_000  # training rows
_HERE = Path(__file__).parent
_log = logging.getLogger(__name__)


def names() -> list[str]:
    """Return the sorted names of all installed searches. No other package is imported."""
    return sorted(built_in() | registered().keys())


def registered() -> dict[str, str]:
    """Return the searches of other packages: for each name, the package that registers it. None is imported."""
    return {
        name: entry.dist.name if entry.dist else "?" for name, entry in _entries().items() if name not in built_in()
    }


def find(search: str) -> Path:
    """Return the TOML file of a search.

    Args:
        search: The path of a file ending in ``.toml``, or the name of a built-in or registered search.

    Raises:
        RecipeError: If there is no such file or search, or its entry point is broken.
    """
    if search.endswith(".toml"):
        path = user_path(search)
        if not path.is_file():
            raise RecipeError(f"there is no file {search}", hint="`tuner space list` shows the built-in searches")
        return path
    if search in built_in():
        return _HERE / f"{search}.toml"
    if entry := _entries().get(search):
        return _load(entry)
    raise RecipeError(f"there is no search '{search}'", hint=did_you_mean(search, names()))


def default(*, rows: int, images: bool) -> Path:
    """Return the TOML file of the default search for a user's data. It names no data set.

    Args:
        rows: Number of training rows. Few rows need small batches and more epochs.
        images: Whether the inputs are pixels in two or more axes.
    """
    name = "few_rows" if rows < MANY else "many_images" if images else "many_rows"
    return _HERE / "defaults" / f"{name}.toml"


def table_default() -> Path:
    """Return the TOML file of the default search for a table, to be completed for its target and its rows."""
    return _HERE / "defaults" / "table.toml"


def built_in() -> set[str]:
    """Return the names of the searches that come with this package."""
    return {path.stem for path in _HERE.glob("*.toml")}


def _entries() -> dict[str, EntryPoint]:
    """Return the entry points of all installed packages. A package whose metadata cannot be read is left out."""
    found: dict[str, EntryPoint] = {}
    for package in distributions():
        try:
            entries = package.entry_points.select(group=GROUP)
        except Exception:  # noqa: BLE001 - the metadata of any package can be damaged in any way
            _log.debug("the entry points of a package cannot be read: %s", package, exc_info=True)
        else:
            found = {entry.name: entry for entry in entries} | found  # as in imports, the first on the path counts
    return found


def _load(entry: EntryPoint) -> Path:
    """Import the package of an entry point and return its TOML file.

    Raises:
        RecipeError: If the import fails in any way, or the object is no path of a file.
    """
    try:
        target = entry.load()
        is_file = isinstance(target, str | Path) and Path(target).is_file()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a foreign package runs here: it can raise anything
        _log.debug("the entry point '%s'", entry.name, exc_info=True)
        first_line = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise RecipeError(f"the entry point '{entry.name}' of group {GROUP} is broken: {first_line}") from None
    if not is_file:
        raise RecipeError(
            f"the entry point '{entry.name}' of group {GROUP} is {target!r}",
            hint="it must be the path of a TOML file",
        )
    return Path(target)
