"""Reads the arrays of a data set from ``.npz`` files and gzipped IDX files. The callers check the contents."""

from __future__ import annotations

import gzip
import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuner.data.numpy_files import BROKEN, check_text, member_header
from tuner.errors import DataError
from tuner.memory import require_memory

IDX_UINT8 = 0x08
REQUIRED = ("x_train", "y_train", "x_test", "y_test")
REPLACE = "delete it, then fetch or write it again"
HINT = f"a data set is an .npz file with the arrays {', '.join(REQUIRED)}"

# In the order of Arrays. MNIST and Fashion-MNIST use the same names.
IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


class Arrays(NamedTuple):
    """The four arrays of a data set, with the names of ``keras.datasets``, and the class names if the file has them."""

    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]
    class_names: tuple[str, ...] | None = None


def read_npz(path: Path, *, where: str | None = None) -> Arrays:
    """Read the arrays ``x_train y_train x_test y_test``, and ``class_names`` if there is such an array.

    Args:
        path: The file.
        where: Name of the file in messages; by default its path.

    Raises:
        DataError: If the file cannot be read, is damaged, holds pickled objects or lacks an array.
    """
    where = where or str(path)
    try:
        with path.open("rb") as file:
            return _read_archive(file, where)
    except OSError as error:
        raise DataError(f"cannot read {where}: {error.strerror or error}") from error
    except MemoryError as error:
        raise DataError(f"{where} does not fit into memory: {error}") from error
    except BROKEN as error:
        raise DataError(f"{where} is damaged: {error}", hint=REPLACE) from error


def read_idx_folder(folder: Path, *, where: str | None = None) -> Arrays:
    """Read the four gzipped IDX files (:data:`IDX_FILES`) of a folder. The arguments are those of :func:`read_npz`.

    Raises:
        DataError: If a file is missing or damaged, or holds values other than unsigned bytes.
    """
    x_train, y_train, x_test, y_test = (_read_idx(folder / name, f"{where or folder}/{name}") for name in IDX_FILES)
    return Arrays(x_train, y_train, x_test, y_test)


def _read_archive(file: BinaryIO, where: str) -> Arrays:
    if not zipfile.is_zipfile(file):  # NumPy would report it as a pickle
        raise DataError(f"{where} is damaged or no .npz file: it has no zip directory", hint=REPLACE)
    file.seek(0)
    with zipfile.ZipFile(file) as members, np.load(file, allow_pickle=False) as archive:
        missing = [name for name in REQUIRED if name not in archive.files]
        if missing:
            raise DataError(f"{where} lacks {', '.join(missing)}; it holds {', '.join(archive.files)}", hint=HINT)
        present = [name for name in Arrays._fields if name in archive.files]
        _check_headers(members, present, where)
        arrays = {name: archive[name] for name in present}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # NumPy returns other members as bytes
            raise DataError(f"{where}: {name} is no NumPy array", hint=HINT)
        check_text(array)
    return Arrays(**arrays | {"class_names": _class_names(arrays.get("class_names"), where)})


def _check_headers(archive: zipfile.ZipFile, names: Sequence[str], where: str) -> None:
    """Compare the declared sizes of the arrays with the file and with the memory, before NumPy reserves any.

    Arrays of Python objects, as pandas makes them of text, are stored as pickles: they are refused.
    """
    members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
    headers = {name: member_header(archive, members[name]) for name in names}
    for name, header in headers.items():
        if header.dtype.hasobject:
            kind = "'float32'" if name.startswith("x_") else "str"
            raise DataError(
                f"{where}: {name} holds Python objects, and loading those could run code",
                hint=f"save plain values: np.savez(FILE, ..., {name}={name}.astype({kind}))",
            )
    require_memory(sum(header.nbytes for header in headers.values()), where)


def _class_names(array: NDArray[Any] | None, where: str) -> tuple[str, ...] | None:
    if array is None:
        return None
    if array.ndim != 1 or array.dtype.kind not in "USiub":
        raise DataError(f"{where}: class_names must hold text, shape (classes,), got {array.dtype} {array.shape}")
    names = array.tolist()
    try:
        return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: class_names is not UTF-8 text: {error}", hint="save it as str") from None


def _read_idx(path: Path, where: str) -> NDArray[np.uint8]:
    """Read one IDX file: two zero bytes, type, number of axes, size of each axis (big-endian, 32 bits), values."""
    try:
        with gzip.open(path) as file:
            zeros, kind, axes = struct.unpack(">HBB", file.read(4))
            if zeros or kind != IDX_UINT8:
                raise DataError(f"{where} is no IDX file of unsigned bytes")
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
            require_memory(math.prod(shape), where)
            values = file.read(math.prod(shape) + 1)  # one more than announced, to notice a file that is too long
    except (OSError, EOFError, zlib.error, struct.error) as error:
        # gzip reports damage as an OSError without an error number
        reason = error.strerror if isinstance(error, OSError) and error.strerror else f"damaged: {error}"
        raise DataError(f"cannot read {where}: {reason}", hint=REPLACE) from error
    if len(values) != math.prod(shape):
        held = f"{len(values)} values" if len(values) < math.prod(shape) else "more values"
        raise DataError(f"{where} announces shape {shape} and holds {held}", hint=REPLACE)
    return np.frombuffer(values, np.uint8).reshape(shape)
