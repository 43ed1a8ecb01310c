"""Saves and loads ``.keras`` files. A file is checked before Keras opens it, so a model file never runs code.

The checks are made in this order: size, checksum, names and sizes of the members of the zip file, layers in
config.json, structure of the weights. A file that fails one check is not read further. Keras' safe mode comes last.
"""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from typing import Any

from tuner.errors import RunError
from tuner.files import atomic_path, sha256_of
from tuner.jobs import ModelFile
from tuner.training.members import BROKEN, HINT, check_members, refused, sized
from tuner.training.model_contents import check_config, check_weights

LARGEST = 2 * 1000**3  # bytes of a .keras file: an MLP of 100 million weights has 400 MB
LARGEST_CONFIG = 4 * 1000**2  # bytes: a network of 100 hidden layers has 400 kB

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = ("metadata.json", _CONFIG, _WEIGHTS)  # the files of a model without assets


def save_model(model: Any, path: Path) -> ModelFile:
    """Write a complete ``.keras`` file atomically.

    Raises:
        OSError: If the file cannot be written. No part of it is left.
    """
    with atomic_path(path) as temporary:
        model.save(temporary)
    return ModelFile(path, sha256_of(path), path.stat().st_size)


def load_model(path: Path, sha256: str | None) -> Any:
    """Check a ``.keras`` file with :func:`check_model` and load it on Keras' current device, without compiling it.

    Raises:
        RunError: If a check fails.
        Exception: Any error of Keras on a file that passes the checks.
    """
    check_model(path, sha256)
    import keras

    # keras.config.enable_unsafe_deserialization() overrules safe_mode, but not the check above.
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def check_model(path: Path, sha256: str | None) -> None:
    """Refuse a ``.keras`` file that differs from the recorded one, or that holds more than layers and numbers.

    Args:
        path: The file.
        sha256: The recorded checksum. Use ``None`` only if the caller has just compared or written the file.

    Raises:
        RunError: If the file cannot be read or is refused. No part of it was executed or unpacked to disk.
    """
    try:
        _check_file(path, sha256)
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path, MEMBERS)
            if (size := archive.getinfo(_CONFIG).file_size) > LARGEST_CONFIG:
                raise refused(path, f"has a {_CONFIG} of {sized(size)}, more than the {sized(LARGEST_CONFIG)} allowed")
            check_config(path, archive.read(_CONFIG), weights=archive.getinfo(_WEIGHTS).file_size)
            check_weights(path, archive.read(_WEIGHTS))
    except OSError as error:
        raise RunError(f"cannot read the model {path}: {error.strerror or error}", hint=HINT) from None
    except BROKEN as error:
        raise refused(path, f"is damaged: {(str(error) or type(error).__name__).splitlines()[0]}") from error


def _check_file(path: Path, sha256: str | None) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or path.suffix != ".keras":  # Keras chooses the reader by the suffix
        raise refused(path, "is no .keras file")
    if status.st_size > LARGEST:
        raise refused(path, f"has {sized(status.st_size)}, more than the {sized(LARGEST)} allowed")
    if sha256 is not None and sha256_of(path) != sha256:
        raise RunError(f"checksum mismatch: {path} is not the file that was recorded", hint=HINT)
