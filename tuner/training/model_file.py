"""Saves and loads ``.keras`` files. A file is checked before Keras opens it, so a model file never runs code.

A model is loaded from a private copy, so that no other program can replace it after the check. The checks are made in
this order: size, checksum, names and sizes of the members of the zip file, layers in config.json, structure of the
weights. A file that fails one check is not read further. Keras' safe mode comes last.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner.data.numpy_files import BROKEN
from tuner.errors import RunError
from tuner.events import ModelFile
from tuner.files import atomic_path, copy_hashed, private_folder, sha256_of
from tuner.memory import sized
from tuner.training.members import HINT, check_members, refused
from tuner.training.model_contents import check_config, check_sizes, check_weights

LARGEST = 2 * 1000**3  # bytes of a .keras file: an MLP of 100 million weights has 400 MB
LARGEST_CONFIG = 16 * 1000**2  # bytes: 100 hidden layers have 400 kB, and each standardised feature 30 bytes

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = ("metadata.json", _CONFIG, _WEIGHTS)  # the files of a model without assets


def save_model(model: Any, path: Path, outputs: str | None = None) -> ModelFile:
    """Write a complete ``.keras`` file atomically.

    Args:
        model: The model.
        path: Where to write it.
        outputs: Its probabilities for the study's sample of rows, to record beside it.

    Raises:
        OSError: If the file cannot be written. No part of it is left.
    """
    with atomic_path(path) as temporary:
        model.save(temporary)
    return ModelFile(path, sha256_of(path), path.stat().st_size, outputs)


def load_model(path: Path, sha256: str) -> Any:
    """Check a ``.keras`` file and load it on Keras' current device, without compiling it.

    Args:
        path: The file.
        sha256: The recorded checksum.

    Raises:
        RunError: If a check fails.
        Exception: Any error of Keras on a file that passes the checks.
    """
    with checked_copy(path, sha256) as copy:
        return load_private(copy)


@contextmanager
def checked_copy(path: Path, sha256: str) -> Iterator[Path]:
    """Yield a copy of a ``.keras`` file that is the recorded one, passes :func:`check_model` and cannot be replaced.

    Raises:
        RunError: If the file cannot be read, is not the recorded one or is refused.
    """
    with private_folder(path.parent) as folder:
        copy = folder / path.name
        try:
            _check_kind(path)
            with copy.open("xb") as written:
                unchanged = copy_hashed(path, written, most=LARGEST) == sha256
        except OSError as error:
            raise _unreadable(path, error) from None
        if not unchanged:
            raise RunError(f"checksum mismatch: {path} is not the file that was recorded", hint=HINT)
        check_model(copy)
        yield copy


def load_private(path: Path) -> Any:
    """Load a ``.keras`` file that was checked and that no other program can replace, without compiling it.

    Raises:
        RunError: If the model would need far more memory than its weights.
        Exception: Any error of Keras.
    """
    import keras

    # keras.config.enable_unsafe_deserialization() overrules safe_mode, but not our checks.
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    check_sizes(path, model)
    return model


def check_model(path: Path) -> None:
    """Refuse a ``.keras`` file that holds more than layers and numbers.

    Args:
        path: A file that no other program can replace between this check and the use of the file.

    Raises:
        RunError: If the file cannot be read or is refused. No part of it was executed or unpacked to disk.
    """
    try:
        _check_kind(path)
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path, MEMBERS)
            if (size := archive.getinfo(_CONFIG).file_size) > LARGEST_CONFIG:
                raise refused(path, f"has a {_CONFIG} of {sized(size)}, more than the {sized(LARGEST_CONFIG)} allowed")
            check_config(path, archive.read(_CONFIG), weights=archive.getinfo(_WEIGHTS).file_size)
            check_weights(path, archive.read(_WEIGHTS))
    except OSError as error:
        raise _unreadable(path, error) from None
    except BROKEN as error:
        raise refused(path, f"is damaged: {(str(error) or type(error).__name__).splitlines()[0]}") from error


def _unreadable(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot read the model {path}: {error.strerror or error}", hint=HINT)


def _check_kind(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or path.suffix != ".keras":  # Keras chooses the reader by the suffix
        raise refused(path, "is no .keras file")
    if status.st_size > LARGEST:
        raise refused(path, f"has {sized(status.st_size)}, more than the {sized(LARGEST)} allowed")
