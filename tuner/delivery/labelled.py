"""Reads labelled rows of a user's own from an ``.npz`` file, which needs no training rows."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.config.data_files import is_data_file, is_table
from tuner.data.lookup import places
from tuner.data.numpy_files import BROKEN, check_text, member_header
from tuner.delivery.manifest import InputSpec
from tuner.delivery.rows import check_rows, fit_rows
from tuner.errors import DataError
from tuner.memory import require_memory

_HINT = "expected an .npz file with the arrays x_test and y_test, or x and y"


def file_of_labelled_rows(data: str, data_dir: Path | None) -> Path | None:
    """Return the file of a user that ``data`` names, if it has no training rows; ``None`` if it is a whole data set.

    Raises:
        DataError: If there is no such file, or it cannot be read.
    """
    path = places(data, data_dir)[0] if is_data_file(data) and not is_table(data) else None
    return None if path is None or "x_train" in _names(path) else path


def read_labelled(path: Path, spec: InputSpec) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read rows and their labels: the arrays ``x_test`` and ``y_test``, else ``x`` and ``y``.

    Args:
        path: The file. If it has an array ``class_names``, the labels are numbers from 0 into it.
        spec: The model's input.

    Returns:
        The rows in the model's input type, shape ``(rows, *input shape)``, and the labels as they are in the file.

    Raises:
        DataError: If the file cannot be read, lacks an array, or its rows do not fit the model.
    """
    present = _names(path)
    x_name, y_name = ("x_test", "y_test") if "x_test" in present else ("x", "y")
    missing = [name for name in (x_name, y_name) if name not in present]
    if missing:
        raise DataError(f"{path} lacks {' and '.join(missing)}; it holds {', '.join(present)}", hint=_HINT)
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {name: member_header(archive, f"{name}.npy") for name in (x_name, y_name)}
        if headers[y_name].dtype.hasobject:
            raise DataError(
                f"{path}: {y_name} holds Python objects, and loading those could run code",
                hint=f"save text or numbers: np.savez(FILE, ..., {y_name}={y_name}.astype(str))",
            )
        check_rows(headers[x_name].shape, headers[x_name].dtype, spec, f"{x_name} of {path}")
        require_memory(sum(2 * header.nbytes for header in headers.values()), str(path))
        with np.load(path, allow_pickle=False) as arrays:
            x, y = arrays[x_name], arrays[y_name]
            names = arrays["class_names"] if "class_names" in present else None
        for array in (y,) if names is None else (y, names):
            check_text(array)
    except BROKEN as error:
        raise DataError(f"{path} is damaged: {error}", hint=_HINT) from None
    if y.shape[:1] != (len(x),):
        raise DataError(f"{path}: {x_name} has {len(x)} rows and {y_name} has the shape {y.shape}", hint=_HINT)
    return fit_rows(x, spec, f"{x_name} of {path}"), y if names is None else _named(y, names, path)


def _named(y: NDArray[Any], names: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return the names of labels that are numbers of the file's own classes."""
    if y.dtype.kind not in "iu" or y.ndim != 1:
        return y
    if not (y.size and y.min() >= 0 and y.max() < len(names)):
        raise DataError(f"{path}: class_names has {len(names)} names for labels from {y.min()} to {y.max()}")
    named: NDArray[Any] = names[y]
    return named


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except BROKEN as error:
        raise DataError(f"{path} is damaged: {error}", hint=_HINT) from None
