"""Finds a data set: in the user's folder, in the Keras cache, or by a download into that cache."""

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
    """Return a data set, from the first place that has it.

    A file that is there and damaged is an error; the next place is asked only where a file is absent.

    Args:
        name: A name of the catalogue, or the path of an ``.npz`` file
            (see :func:`tuner.data.user_file.load_user_file`).
        data_dir: Folder that is searched first, for ``NAME.npz``.
        progress: Hears how a download goes on.
        download: Whether a data set that is not on this machine is downloaded into the Keras cache.
        sources: Where to download from, instead of the catalogue's sources.

    Raises:
        DataError: If the name is unknown, the data cannot be had, or the file is damaged or something else.
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
    """Return where a data set lies on this machine, without opening it; ``None`` where it is absent or embedded.

    The path is an ``.npz`` file, or the folder in which Keras keeps the four IDX files.
    """
    file = f"{entry.name}.npz"
    cache = keras_cache()
    for path in ([data_dir / file] if data_dir else []) + [cache / file]:
        if path.exists():
            return path
    folder = cache / entry.name.replace("_", "-")
    return folder if all((folder / name).exists() for name in IDX_FILES) else None


def keras_cache() -> Path:
    """Return the folder in which Keras keeps its data sets.

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
    known = did_you_mean(name, CATALOG)
    raise DataError(f"unknown data set '{name}'", hint=f"{known} (or the path of an .npz file)")


def _obtain(
    entry: CatalogEntry,
    data_dir: Path | None,
    sources: Sequence[Source] | None,
    progress: Progress | None,
    *,
    allowed: bool,
) -> Path:
    """Download what is not on this machine, or say where it has to be put."""
    cache = keras_cache()
    place = f"put {entry.name}.npz into {data_dir or cache}, or set TUNER_DATA to its folder"
    hint = f"{place}; `tuner study start digits` needs no download"
    if allowed:
        return download_dataset(entry, cache, sources=sources, progress=progress, hint=hint)
    searched = f"{data_dir} and {cache}" if data_dir else cache
    raise DataError(f"{entry.name} is not on this machine, searched {searched}", hint=hint)
