"""Finds a data set in the user's folder or in the Keras cache, or downloads it into that cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tuner.data.catalog import CATALOG, CatalogEntry, Source
from tuner.data.dataset import Dataset
from tuner.data.digits import load_digits
from tuner.data.download import Progress, download_dataset
from tuner.data.readers import IDX_FILES, read_idx_folder, read_npz
from tuner.data.user_file import load_user_file
from tuner.errors import DataError, did_you_mean


def load_dataset(
    name: str,
    data_dir: Path | None = None,
    *,
    progress: Progress | None = None,
    download: bool = True,
    sources: Sequence[Source] | None = None,
) -> Dataset:
    """Return a data set from the first place that has it.

    A damaged file is an error. The next place is searched only if a file is absent.

    Args:
        name: A name of the catalogue, or the path of an ``.npz`` file
            (see :func:`tuner.data.user_file.load_user_file`).
        data_dir: Folder that is searched first, for ``NAME.npz``.
        progress: Shows the progress of a download.
        download: Whether to download the data set into the Keras cache if it is not on this machine.
        sources: Sources to use instead of those of the catalogue.

    Raises:
        DataError: If the name is unknown, if the data set is nowhere, or if the file is damaged or holds other data.
    """
    entry = CATALOG.get(name)
    if entry is None:
        return load_user_file(_user_path(name))
    if entry.embedded:
        return load_digits(entry)
    path = find(entry, data_dir)
    if path is None:
        path = _obtain(entry, data_dir, sources, progress, allowed=download)
    arrays = read_npz(path) if path.suffix == ".npz" else read_idx_folder(path)
    return entry.dataset(arrays, str(path))


def find(entry: CatalogEntry, data_dir: Path | None = None) -> Path | None:
    """Return the path of a data set without opening it; ``None`` if it is absent or embedded.

    The path is an ``.npz`` file, or the folder in which Keras stores the four IDX files.
    """
    file = f"{entry.name}.npz"
    cache = keras_cache()
    for path in ([data_dir / file] if data_dir else []) + [cache / file]:
        if path.exists():
            return path
    folder = cache / entry.name.replace("_", "-")
    return folder if all((folder / name).exists() for name in IDX_FILES) else None


def keras_cache() -> Path:
    """Return the folder in which Keras stores its data sets.

    Raises:
        DataError: If the user has no home folder and ``KERAS_HOME`` is not set.
    """
    home = os.environ.get("KERAS_HOME")
    try:
        return Path(home).expanduser() / "datasets" if home else Path.home() / ".keras" / "datasets"
    except RuntimeError as error:
        raise DataError(
            "this user has no home folder for the Keras cache", hint="set KERAS_HOME to a folder"
        ) from error


def _user_path(name: str) -> Path:
    if name.endswith(".npz"):
        return Path(name).expanduser()
    suggestion = did_you_mean(name, CATALOG)
    raise DataError(f"unknown data set '{name}'", hint=f"{suggestion} (or the path of an .npz file)")


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
    hint = f"{place}; `tuner study start digits` needs no download"
    if allowed:
        return download_dataset(entry, cache, sources=sources, progress=progress, hint=hint)
    searched = f"{data_dir} and {cache}" if data_dir else cache
    raise DataError(f"{entry.name} is not on this machine, searched {searched}", hint=hint)
