"""Loads rows for prediction from files: .npy, .npz, .csv, .png, or a folder of .png."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.images import read_image
from tuner.delivery.manifest import InputSpec, Manifest
from tuner.delivery.rows import fit_rows
from tuner.delivery.tables import read_csv
from tuner.errors import DataError, UsageError, did_you_mean

KINDS = (".npy", ".npz", ".csv", ".png")
_PREFERRED = ("x_test", "x")


def load_rows(
    paths: Sequence[Path], manifest: Manifest, *, array: str | None = None, invert: bool = False
) -> NDArray[Any]:
    """Load the rows of all files, in the order of the files.

    Args:
        paths: Files of any of ``KINDS``, or folders of PNG images, which are read in the order of their names.
        manifest: The manifest of the exported model.
        array: The array of ``.npz`` files to use; ``None`` takes ``x_test``, else ``x``, else the only array.
        invert: Swap black and white in images.

    Returns:
        Shape ``(rows, *input shape)``, in the model's input type.

    Raises:
        DataError: If a file is missing, of an unknown kind, or does not fit the model.
        UsageError: If the array to use is not clear, or an option applies to none of the files.
    """
    files = list(_expand(paths))
    kinds = {path.suffix.lower() for path in files}
    for option, given, kind in (("--invert", invert, ".png"), ("--array", array is not None, ".npz")):
        if given and kind not in kinds:
            raise UsageError(
                f"{option} applies to {kind} files, got {', '.join(sorted(kinds))}", hint=f"leave out {option}"
            )
    spec = manifest.input
    return np.concatenate([fit_rows(_read(path, spec, array, invert=invert), spec, str(path)) for path in files])


def _expand(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            images = sorted(child for child in path.iterdir() if child.suffix.lower() == ".png")
            if not images:
                raise DataError(
                    f"the folder {path} holds no .png files", hint=f"known kinds of files: {', '.join(KINDS)}"
                )
            yield from images
        elif not path.exists():
            raise DataError(f"there is no file {path}", hint=f"known kinds of files: {', '.join(KINDS)}")
        elif path.suffix.lower() not in KINDS:
            raise DataError(f"{path} is of an unknown kind", hint=f"known kinds of files: {', '.join(KINDS)}")
        else:
            yield path


def _read(path: Path, spec: InputSpec, array: str | None, *, invert: bool) -> NDArray[Any]:
    try:
        match path.suffix.lower():
            case ".csv":
                return read_csv(path, spec)
            case ".png":
                return read_image(path, spec, invert=invert)
            case _:
                return _read_numpy(path, array)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def _read_numpy(path: Path, array: str | None) -> NDArray[Any]:
    """Read an array. Pickled objects are refused, because loading them runs code."""
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else loaded[_choose_array(path, loaded, array)]
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a NumPy file of numbers: {error}", hint="expected .npy or .npz") from None


def _choose_array(path: Path, arrays: Mapping[str, NDArray[Any]], array: str | None) -> str:
    names = list(arrays)
    if array is not None:
        if array not in names:
            raise UsageError(f"{path} has no array '{array}'", hint=did_you_mean(array, names))
        return array
    for name in _PREFERRED:
        if name in names:
            return name
    if len(names) != 1:
        raise UsageError(f"{path} holds {len(names)} arrays: {', '.join(names)}", hint="choose one with --array NAME")
    return names[0]
