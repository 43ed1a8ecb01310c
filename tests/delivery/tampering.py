"""Real ``.keras`` files as an attacker would make them from a good one."""

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
ZEROS = 64 * 1000**2  # bytes that pack to almost nothing
Tamper = Callable[[Path, Path], None]  # a good file, the bad one to write


def _members(source: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(source) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(target: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]], *, packed: bool = False) -> None:
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(target, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name
        for member, content in members:
            archive.writestr(member, content)


def member(name: str, content: bytes = b"evil", *, link: bool = False) -> Tamper:
    """Add a member, or put it in the place of the one with that name if it is a link."""

    def tamper(source: Path, target: Path) -> None:
        added = zipfile.ZipInfo(name)
        added.external_attr = (stat.S_IFLNK | 0o777) << 16 if link else 0
        kept = [(known, value) for known, value in _members(source).items() if not (link and known == name)]
        _write(target, [*kept, (added, content)])

    return tamper


def without(name: str) -> Tamper:
    """Leave a member away."""
    return lambda source, target: _write(target, [item for item in _members(source).items() if item[0] != name])


def replaced(name: str, content: Callable[[bytes], bytes], *, packed: bool = False) -> Tamper:
    """Change what a member holds."""

    def tamper(source: Path, target: Path) -> None:
        members = _members(source)
        _write(target, list({**members, name: content(members[name])}.items()), packed=packed)

    return tamper


def layer(name: str, change: Callable[[dict[str, Any]], object]) -> Tamper:
    """Change how config.json declares the first layer of a class."""

    def edit(raw: bytes) -> bytes:
        config = json.loads(raw)
        change(next(layer for layer in config["config"]["layers"] if layer["class_name"] == name))
        return json.dumps(config).encode()

    return replaced(CONFIG, edit)


def weights(change: Callable[[h5py.File, str], object]) -> Tamper:
    """Change the weights file; the function gets it and the name of a weight, which is there no more."""

    def edit(raw: bytes) -> bytes:
        content = io.BytesIO(raw)
        with h5py.File(content, "r+") as file:
            found: list[str] = []
            file.visititems(lambda name, found_: found.append(name) if isinstance(found_, h5py.Dataset) else None)
            name = next(name for name in found if name.startswith("layers/dense/"))
            del file[name]
            change(file, name)
        return content.getvalue()

    return replaced(WEIGHTS, edit)


def virtual(file: h5py.File, name: str) -> None:
    """Point a weight at a dataset of another file."""
    layout = h5py.VirtualLayout((64, 32), np.float32)
    layout[:] = h5py.VirtualSource("/etc/secret.h5", "data", (64, 32))
    file.create_virtual_dataset(name, layout)


def flipped(source: Path, target: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)


def truncated(source: Path, target: Path) -> None:
    """Break off in the middle, as a copy to a full disk does."""
    target.write_bytes(source.read_bytes()[: source.stat().st_size // 2])


def lying(source: Path, target: Path) -> None:
    """Make a zip bomb that declares to be small."""
    replaced(WEIGHTS, lambda _: bytes(ZEROS), packed=True)(source, target)
    target.write_bytes(target.read_bytes().replace(struct.pack("<L", ZEROS), struct.pack("<L", 1000)))


def armed(marker: Path) -> Tamper:
    """Save a model with a Lambda layer whose marshalled code makes a folder as soon as it runs."""

    def tamper(_: Path, target: Path) -> None:
        import keras

        name = str(marker)
        inputs = keras.Input((8, 8), dtype="uint8")
        # Marshalled code has no imports and no module around it: it brings along what it needs.
        bomb = keras.layers.Lambda(lambda x: [__import__("os").makedirs(name, exist_ok=True), x][1])
        outputs = keras.layers.Dense(10, "softmax")(keras.layers.Flatten()(bomb(inputs)))
        keras.Model(inputs, outputs).save(target)
        marker.rmdir()  # Keras called it to learn its shape, and does so again when it loads the model

    return tamper
