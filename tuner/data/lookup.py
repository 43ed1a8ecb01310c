"""Finds a data set in the user's folder or in the Keras cache, or downloads it into that cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tuner.command_line import command
from tuner.config.data_files import is_data_file
from tuner.config.recipe import TaskSetting
from tuner.config.table_settings import TableSettings
from tuner.data.catalog import CATALOG, CatalogEntry, Source
from tuner.data.dataset import Dataset
from tuner.data.digits import load_digits
from tuner.data.download import Progress, download_dataset
from tuner.data.readers import IDX_FILES, read_idx_folder, read_npz
from tuner.data.sklearn_tables import NAMED_TABLES, file_of
from tuner.data.user_file import load_user_file
from tuner.errors import DataError, UsageError, did_you_mean
from tuner.paths import StrPath, user_path

if TYPE_CHECKING:
    from tuner.data.table_dataset import TableDataset

FRAME = "the frame"  # the source of rows that are in no file
D = TypeVar("D", bound="Dataset | TableDataset")


def load_dataset(
    name: StrPath,
    data_dir: Path | None = None,
    *,
    progress: Progress | None = None,
    download: bool = True,
    sources: Sequence[Source] | None = None,
    fingerprint: str | None = None,
    also: Sequence[Path] = (),
) -> Dataset:
    """Return a data set from the first place that has it.

    A user's file is looked for at its path, then under its name in ``data_dir``. If its ``fingerprint`` is known and
    its path does not exist, the paths in ``also`` count too. A file with another fingerprint is passed over. If no file
    has the right one, the result is the first file: the caller compares.

    A damaged file is an error. Without a fingerprint, the next place is searched only if a file is absent.

    Args:
        name: A name of the catalogue, or the path of an ``.npz`` file
            (see :func:`tuner.data.user_file.load_user_file`).
        data_dir: Folder that is searched for ``NAME.npz``: first for a name of the catalogue, second for a file.
        progress: Shows the progress of a download.
        download: Whether to download the data set into the Keras cache if it is not on this machine.
        sources: Sources to use instead of those of the catalogue.
        fingerprint: The fingerprint of the rows that are needed, if it is known.
        also: Further paths at which a user's file may be.

    Raises:
        DataError: If the name is unknown, if the data set is nowhere, or if the file is damaged or holds other data.
    """
    name = os.fspath(name)
    entry = CATALOG.get(name)
    if entry is None:
        return _choose(places(name, data_dir, also if fingerprint else ()), load_user_file, fingerprint)
    if entry.embedded:
        return load_digits(entry)
    found = _all(entry, data_dir) or [_obtain(entry, data_dir, sources, progress, allowed=download)]
    return _choose(found, lambda path: _read(entry, path), fingerprint)


def load_table_file(
    name: StrPath,
    settings: TableSettings,
    task: TaskSetting,
    data_dir: Path | None = None,
    *,
    fingerprint: str | None = None,
    also: Sequence[Path] = (),
) -> TableDataset:
    """Return a table from the first place that has it. The other arguments are those of :func:`load_dataset`.

    Args:
        name: The path of the file.
        settings: The target, the columns and the split.
        task: Whether to predict a class or a number.
        data_dir: Folder that is searched second.
        fingerprint: The fingerprint of the rows that are needed, if it is known.
        also: Further paths at which the file may be.

    Raises:
        DataError: If the file is nowhere, is no table, or cannot be used.
        UsageError: If the table has no column that the settings name.
    """
    from tuner.data.table_loading import load_table  # imports polars, which starts threads

    name = os.fspath(name)
    if name == FRAME:
        raise DataError(
            "the rows of this study were a frame, which is not on the disk",
            hint="pass it again: open_study(frame, name=NAME)",
        )
    if name in NAMED_TABLES:
        source = file_of(name, data_dir) or NAMED_TABLES[name].load()
        return load_table(source, settings, task, name=name)
    found = places(name, data_dir, also if fingerprint else ())
    return _choose(found, lambda path: load_table(path, settings, task), fingerprint)


def load_frame(frame: Any, settings: TableSettings, task: TaskSetting, name: str) -> TableDataset:
    """Return a frame of polars or pandas as a data set. The arguments are those of :func:`load_table_file`.

    Raises:
        DataError: If it cannot be used.
        UsageError: If it is no frame, or has no column that the settings name.
    """
    from tuner.data.table_loading import load_table

    return load_table(frame, settings, task, name=name)


def path_of(name: str, dataset: Dataset | TableDataset) -> str:
    """Return how to name a data set that was loaded as ``name``, so that it is found from any folder.

    A user's file is named by the absolute path at which it was found.
    """
    return name if name in CATALOG or name in NAMED_TABLES or name == FRAME else str(Path(dataset.source).absolute())


def places(name: str, data_dir: Path | None = None, also: Sequence[Path] = ()) -> list[Path]:
    """Return the existing files that may be the user's file ``name``, the likeliest first.

    Args:
        name: The path of the file.
        data_dir: A folder that the user named; it may hold the file under its name.
        also: Further paths. They count only if there is no file at the path itself.

    Raises:
        DataError: If there is none, or ``name`` cannot be a data set.
    """
    path = _user_path(name)
    named = [path, *([data_dir / path.name] if data_dir else [])]
    found = [place for place in named if place.exists()]
    if not path.exists():
        found += [place for place in also if place.exists()]
    if not found:
        searched = "".join(f", nor {place}" for place in named[1:])
        raise DataError(
            f"there is no file {path}{searched}",
            hint="name its folder with --data-dir; `tuner data list` shows the data sets that have a name",
        )
    return list(dict.fromkeys(found))


def _choose(found: Sequence[Path], read: Callable[[Path], D], fingerprint: str | None) -> D:
    """Return the first data set with the fingerprint, else the first one.

    Raises:
        DataError: If no file has the fingerprint and one of them is damaged.
    """
    if fingerprint is None:
        return read(found[0])
    first: D | None = None
    problem: DataError | None = None
    for path in found:
        try:
            dataset = read(path)
        except DataError as error:
            problem = problem or error
            continue
        if dataset.fingerprint == fingerprint:
            return dataset
        first = first or dataset
    if problem is not None or first is None:
        raise problem or DataError(f"{found[0]} cannot be read")
    return first


def _read(entry: CatalogEntry, path: Path) -> Dataset:
    return entry.dataset(read_npz(path) if path.suffix == ".npz" else read_idx_folder(path), str(path))


def is_at_hand(name: str, data_dir: Path | None = None) -> bool:
    """Return whether :func:`load_dataset` needs no download for a data set. The arguments are the same.

    The path of a file counts as at hand: if there is no such file, it cannot be downloaded either.
    """
    if name in NAMED_TABLES:
        return NAMED_TABLES[name].is_here or file_of(name, data_dir) is not None
    entry = CATALOG.get(name)
    return entry is None or entry.embedded or find(entry, data_dir) is not None


def files_of(name: str, data_dir: Path | None = None) -> list[Path]:
    """Return the files and folders that may hold a data set, whether they exist or not; none if it is embedded.

    Args:
        name: A name of the catalogue, or the path of a file.
        data_dir: Folder that is searched first.
    """
    entry = CATALOG.get(name)
    if entry is None:
        path = user_path(name)
        return [path, *([data_dir / path.name] if data_dir else [])]
    return [] if entry.embedded else _all(entry, data_dir)


def find(entry: CatalogEntry, data_dir: Path | None = None) -> Path | None:
    """Return the path of a data set without opening it; ``None`` if it is absent or embedded.

    The path is an ``.npz`` file, or the folder in which Keras stores the four IDX files.
    """
    return next(iter(_all(entry, data_dir)), None)


def _all(entry: CatalogEntry, data_dir: Path | None) -> list[Path]:
    """Return every place that has a data set of the catalogue, the first one to use first."""
    file = f"{entry.name}.npz"
    cache = keras_cache()
    found = [path for path in ([data_dir / file] if data_dir else []) + [cache / file] if path.exists()]
    folder = cache / entry.name.replace("_", "-")
    return [*found, *([folder] if all((folder / name).exists() for name in IDX_FILES) else [])]


def keras_cache() -> Path:
    """Return the folder in which Keras stores its data sets.

    Raises:
        DataError: If the user has no home folder and ``KERAS_HOME`` is not set.
    """
    home = os.environ.get("KERAS_HOME")
    try:
        return user_path(home or "~/.keras") / "datasets"
    except UsageError as error:
        raise DataError(
            "this user has no home folder for the Keras cache", hint="set KERAS_HOME to a folder"
        ) from error


def _user_path(name: str) -> Path:
    if is_data_file(name):
        return user_path(name)
    suggestion = did_you_mean(name, CATALOG)
    raise DataError(f"unknown data set '{name}'", hint=f"{suggestion} (or the path of a table or of an .npz file)")


def _obtain(
    entry: CatalogEntry,
    data_dir: Path | None,
    sources: Sequence[Source] | None,
    progress: Progress | None,
    *,
    allowed: bool,
) -> Path:
    """Download a data set that is not on this machine, or raise an error that says where to put it."""
    cache = keras_cache()
    place = f"put {entry.name}.npz into {data_dir or cache}, or set TUNER_DATA to its folder"
    hint = f"{place}; `{command('study start', 'digits')}` needs no download"
    if allowed:
        return download_dataset(entry, cache, sources=sources, progress=progress, hint=hint)
    searched = f"{data_dir} and {cache}" if data_dir else cache
    raise DataError(f"{entry.name} is not on this machine, searched {searched}", hint=hint)
