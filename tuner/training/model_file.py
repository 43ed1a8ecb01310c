"""Model files are never code: the one place that gives a ``.keras`` file to Keras, after everything was checked.

In this order, each before anything of the next is looked at: size, checksum, the names and sizes of the zip file's
members, the layers that config.json declares, the structure of the weights. Keras' own safe mode comes last.
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
MEMBERS = ("metadata.json", _CONFIG, _WEIGHTS)  # what Keras writes for a model without assets


def save_model(model: Any, path: Path) -> ModelFile:
    """Write a complete ``.keras`` file atomically.

    Raises:
        OSError: If it cannot be written; nothing is left of it.
    """
    with atomic_path(path) as temporary:
        model.save(temporary)
    return ModelFile(path, sha256_of(path), path.stat().st_size)


def load_model(path: Path, sha256: str | None) -> Any:
    """Load a ``.keras`` file that :func:`check_model` lets through; not compiled, on Keras' current device.

    Raises:
        RunError: As :func:`check_model`.
        Exception: Whatever Keras raises on a file that passes.
    """
    check_model(path, sha256)
    import keras

    # keras.config.enable_unsafe_deserialization() would overrule safe_mode; the check above does not care.
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def check_model(path: Path, sha256: str | None) -> None:
    """Refuse a ``.keras`` file that is not the one that was recorded, or that holds more than layers and numbers.

    Args:
        path: The file.
        sha256: The recorded checksum; ``None`` only where the caller has just compared or written the file.

    Raises:
        RunError: If it cannot be read or is refused; nothing of it was executed or unpacked to disk.
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
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or path.suffix != ".keras":  # Keras chooses the reader by the suffix
        raise refused(path, "is no .keras file")
    if found.st_size > LARGEST:
        raise refused(path, f"has {sized(found.st_size)}, more than the {sized(LARGEST)} allowed")
    if sha256 is not None and sha256_of(path) != sha256:
        raise RunError(f"checksum mismatch: {path} is not the file that was recorded", hint=HINT)
