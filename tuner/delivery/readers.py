"""Reads rows for prediction from files, part by part: .npy, .npz, .csv, .png, or a folder of .png."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.delivery.arrays import read_numpy
from tuner.delivery.images import read_image
from tuner.delivery.manifest import InputSpec, Manifest
from tuner.delivery.rows import Batch, Note, batch_rows, fit_rows
from tuner.delivery.table_rows import read_table_batches
from tuner.delivery.tables import read_csv
from tuner.errors import DataError, UsageError
from tuner.memory import require_memory

KINDS = (".npy", ".npz", ".csv", ".png")
_COPIES = 4  # of a batch as 64-bit floats: as read, in the model's type, and what the model makes of it


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read.

    Attributes:
        array: The array of ``.npz`` files to use; ``None`` takes ``x_test``, else ``x``, else the only array.
        invert: Swap black and white in images.
        header: Whether the first line of ``.csv`` files holds names; ``None`` decides by their contents.
        ignore: Names of columns of ``.csv`` files to leave out.
        keep: Names of columns of tables whose cells travel with the rows.
    """

    array: str | None = None
    invert: bool = False
    header: bool | None = None
    ignore: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


def read_rows(paths: Sequence[Path], manifest: Manifest, options: ReadOptions, note: Note) -> Iterator[Batch]:
    """Read rows for a model: those of tables with :func:`read_table_batches`, others with :func:`read_batches`.

    Raises:
        DataError: If a file does not fit the model.
        UsageError: If an option has no effect.
    """
    if manifest.table is None:
        if options.keep:
            raise UsageError("--keep applies to models for tables", hint="leave out --keep")
        return read_batches(paths, manifest.input, options, note)
    others = {"--array": options.array is not None, "--invert": options.invert, "--ignore-column": bool(options.ignore)}
    for option, given in {**others, "--no-header": options.header is False}.items():
        if given:
            raise UsageError(f"{option} does not apply to models for tables", hint=f"leave out {option}")
    return read_table_batches(paths, manifest.table, note, keep=options.keep)


def read_batches(paths: Sequence[Path], spec: InputSpec, options: ReadOptions, note: Note) -> Iterator[Batch]:
    """Read the rows of all files, in the order of the files. Memory does not depend on how many there are.

    Args:
        paths: Files of any of ``KINDS``, or folders of PNG images, which are read in the order of their names.
        spec: The model's input.
        options: How to read them.
        note: Receives lines for people: what a first line was taken for, how many images were resized.

    Yields:
        At least one batch. If any input is an image, batches name the file of each row.

    Raises:
        DataError: If a file is missing, of an unknown kind, or does not fit the model.
        UsageError: If the array to use is not clear, or an option applies to none of the files.
    """
    files = list(_expand(paths))
    kinds = {_kind(path) for path in files}
    _check_options(options, kinds)
    rows = batch_rows(spec)
    require_memory(_COPIES * rows * 8 * math.prod(spec.shape), f"a row of shape {spec.shape}")
    for images, group in itertools.groupby(files, lambda path: _kind(path) == ".png"):
        if images:
            yield from _read_images(list(group), spec, rows, note, invert=options.invert)
            continue
        for path in group:
            for batch in _read_file(path, spec, rows, options, note):
                yield Batch(batch, (str(path),) * len(batch) if ".png" in kinds else None)


def _kind(path: Path) -> str:
    return path.suffix.lower()


def _check_options(options: ReadOptions, kinds: set[str]) -> None:
    """Refuse an option that has no effect."""
    given = {
        ("--invert", ".png"): options.invert,
        ("--array", ".npz"): options.array is not None,
        ("--header" if options.header else "--no-header", ".csv"): options.header is not None,
        ("--ignore-column", ".csv"): bool(options.ignore),
    }
    for (option, kind), is_given in given.items():
        if is_given and kind not in kinds:
            raise UsageError(
                f"{option} applies to {kind} files, got {', '.join(sorted(kinds))}", hint=f"leave out {option}"
            )


def _expand(paths: Sequence[Path]) -> Iterator[Path]:
    hint = f"known kinds of files: {', '.join(KINDS)}"
    for path in paths:
        if path.is_dir():
            # Hidden files are not images: macOS writes "._a.png" beside "a.png" on disks of other systems.
            children = (child for child in path.iterdir() if not child.name.startswith("."))
            images = sorted(child for child in children if _kind(child) == ".png" and child.is_file())
            if not images:
                raise DataError(f"the folder {path} holds no .png files", hint=hint)
            yield from images
        elif not path.exists():
            raise DataError(f"there is no file {path}", hint=hint)
        elif _kind(path) not in KINDS:
            raise DataError(f"{path} is of an unknown kind", hint=hint)
        elif not path.is_file():
            raise DataError(f"{path} is not a regular file", hint=hint)
        else:
            yield path


def _read_file(path: Path, spec: InputSpec, rows: int, options: ReadOptions, note: Note) -> Iterator[NDArray[Any]]:
    """Read the rows of a file that is not an image, in the model's input type."""
    if _kind(path) == ".csv":
        parts = read_csv(path, spec, rows, note, header=options.header, ignore=options.ignore)
    else:
        parts = read_numpy(path, spec, rows, options.array)
    first = 0
    for part in _guarded(path, parts):
        several = first or len(part) == rows
        source = f"{path}, rows {first + 1} to {first + len(part)}" if several else str(path)
        yield fit_rows(part, spec, source)
        first += len(part)


def _guarded(path: Path, parts: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Turn errors of the machine into errors that name the file."""
    try:
        yield from parts
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except MemoryError:
        raise DataError(f"{path} does not fit into memory", hint="split it into smaller files") from None


def _read_images(paths: Sequence[Path], spec: InputSpec, rows: int, note: Note, *, invert: bool) -> Iterator[Batch]:
    height, width = (*spec.shape, 1)[:2]
    resized = 0
    example = ""
    for start in range(0, len(paths), rows):
        group = paths[start : start + rows]
        images = []
        for path in group:
            image, size = read_image(path, spec, invert=invert)
            if size != (width, height):
                resized += 1
                example = example or f"{path} has {size[0]} x {size[1]}"
            images.append(fit_rows(image, spec, str(path)))
        yield Batch(np.concatenate(images), tuple(map(str, group)))
    if resized:
        count = "1 image was" if resized == 1 else f"{resized} of {len(paths)} images were"
        note(f"{count} resized to {width} x {height}: {example}")
