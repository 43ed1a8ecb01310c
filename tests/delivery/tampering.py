"""Functions that turn a valid ``.keras`` file into an invalid or malicious one."""

from __future__ import annotations

import io
import json
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
ZEROS = 64 * 1000**2  # bytes, which a zip file compresses to a few kB
Tamper = Callable[[Path, Path], None]  # the valid file, and the path of the file to write


def _members(source: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(source) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(target: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]], *, packed: bool = False) -> None:
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(target, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of two members with one name
        for member, content in members:
            archive.writestr(member, content)


def member(name: str, content: bytes = b"evil", *, link: bool = False) -> Tamper:
    """Add a member; if it is a link, replace the member of that name."""

    def tamper(source: Path, target: Path) -> None:
        added = zipfile.ZipInfo(name)
        added.external_attr = (stat.S_IFLNK | 0o777) << 16 if link else 0
        kept = [(other, value) for other, value in _members(source).items() if not (link and other == name)]
        _write(target, [*kept, (added, content)])

    return tamper


def without(name: str) -> Tamper:
    """Leave out a member."""
    return lambda source, target: _write(target, [item for item in _members(source).items() if item[0] != name])


def replaced(name: str, content: Callable[[bytes], bytes], *, packed: bool = False) -> Tamper:
    """Change the content of a member."""

    def tamper(source: Path, target: Path) -> None:
        members = _members(source)
        _write(target, list({**members, name: content(members[name])}.items()), packed=packed)

    return tamper


def layer(name: str, change: Callable[[dict[str, Any]], object]) -> Tamper:
    """Change the declaration of the first layer of a class in config.json."""

    def edit(raw: bytes) -> bytes:
        config = json.loads(raw)
        change(next(layer for layer in config["config"]["layers"] if layer["class_name"] == name))
        return json.dumps(config).encode()

    return replaced(CONFIG, edit)


def weights(change: Callable[[h5py.File, str], object]) -> Tamper:
    """Change the weights file. ``change`` receives the file and the name of a weight that was removed from it."""

    def edit(raw: bytes) -> bytes:
        content = io.BytesIO(raw)
        with h5py.File(content, "r+") as file:
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            name = next(name for name in names if name.startswith("layers/dense/"))
            del file[name]
            change(file, name)
        return content.getvalue()

    return replaced(WEIGHTS, edit)


def virtual(file: h5py.File, name: str) -> None:
    """Let a weight refer to a dataset of another file."""
    layout = h5py.VirtualLayout((64, 32), np.float32)
    layout[:] = h5py.VirtualSource("/etc/secret.h5", "data", (64, 32))
    file.create_virtual_dataset(name, layout)


def flipped(source: Path, target: Path) -> None:
    """Change one bit in the middle of the file."""
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)


def truncated(source: Path, target: Path) -> None:
    """Cut the file off in the middle, as a copy to a full disk does."""
    target.write_bytes(source.read_bytes()[: source.stat().st_size // 2])


def lying(source: Path, target: Path) -> None:
    """Write a zip bomb that declares a small size."""
    replaced(WEIGHTS, lambda _: bytes(ZEROS), packed=True)(source, target)
    target.write_bytes(target.read_bytes().replace(struct.pack("<L", ZEROS), struct.pack("<L", 1000)))


def armed(marker: Path) -> Tamper:
    """Save a model with a Lambda layer; its marshalled code creates the folder ``marker`` when it runs."""

    def tamper(_: Path, target: Path) -> None:
        import keras

        name = str(marker)
        inputs = keras.Input((8, 8), dtype="uint8")
        # Marshalled code cannot use the imports of this module, so it imports what it needs.
        bomb = keras.layers.Lambda(lambda x: [__import__("os").makedirs(name, exist_ok=True), x][1])
        outputs = keras.layers.Dense(10, "softmax")(keras.layers.Flatten()(bomb(inputs)))
        keras.Model(inputs, outputs).save(target)
        marker.rmdir()  # Keras has run the code to find the output shape, and runs it again when it loads the model

    return tamper
