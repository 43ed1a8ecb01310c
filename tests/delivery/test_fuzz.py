"""Predicting ends in words, uses little memory and touches no other file, whatever the manifest or the rows hold."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.damage import altered, assert_refused_or_read, damaged, fuzz, packed, png, write
from tests.data.test_fuzz import array, arrays
from tests.sandbox import Sandbox

ROWS = np.arange(128, dtype=np.uint8).reshape(2, 8, 8) % 17
CELLS = (
    "",
    "a",
    "nan",
    "1e999",
    "-1",
    "16",
    "0.5",
    '"',
    '""',
    "1,5",
    "0x10",
    "\0",
    "\x1b[2J",
    "9" * 400,
    " 3 ",
    "\u0661",
    "a" * 140_000,
)
PREDICTED = 64  # columns of the model


def image() -> bytes:
    """Return a PNG of the model's size."""
    file = io.BytesIO()
    Image.fromarray(ROWS[0] * 15).save(file, "PNG")
    return file.getvalue()


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Draw a CSV file: some lines of numbers, of which some cells, ends of lines or lengths are odd."""
    end, delimiter = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"])), draw(st.sampled_from([",", ";", "\t", "|"]))
    lines = [[str(i % 17) for i in range(PREDICTED)] for _ in range(draw(st.integers(0, 3)))]
    for cells in lines:
        for _ in range(draw(st.integers(0, 2))):
            cells[draw(st.integers(0, PREDICTED - 1))] = draw(st.sampled_from(CELLS))
        if draw(st.booleans()):
            del cells[draw(st.integers(0, PREDICTED)) :]
    text = end.join(delimiter.join(cells) for cells in lines)
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"])), "replace")


@pytest.fixture(scope="module")
def sandbox(shared_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    folder = tmp_path_factory.mktemp("predict")
    shutil.copytree(shared_export, folder / "model")
    np.save(folder / "rows.npy", ROWS)
    with Sandbox(folder) as process:
        yield process, folder


def predicted(sandbox: tuple[Sandbox, Path], name: str, content: bytes) -> None:
    """Predict the rows of a file, and check how that ends."""
    process, folder = sandbox
    rows = write(folder / name, content)
    assert_refused_or_read(process.run("predict", str(folder / "model"), str(rows), "--runtime", "onnx"))


def test_the_valid_rows_are_predicted(sandbox: tuple[Sandbox, Path]) -> None:
    """If they were not, the other tests would prove nothing."""
    process, folder = sandbox
    (folder / "valid.png").write_bytes(image())
    for rows in ("rows.npy", "valid.png"):
        ended = process.run("predict", str(folder / "model"), str(folder / rows), "--runtime", "onnx")
        assert ended.code == 0, ended.stderr


@fuzz
@given(content=png(image()) | damaged(image()))
def test_any_part_of_an_image_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Sizes that no machine has the memory for, missing and repeated parts, and damaged bytes are refused or read."""
    predicted(sandbox, "a.png", content)


@fuzz
@given(content=tables() | damaged("\n".join(",".join("1" * PREDICTED) for _ in range(3)).encode()))
def test_any_part_of_a_table_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Odd cells, encodings, separators and ends of lines are refused or read."""
    predicted(sandbox, "a.csv", content)


@fuzz
@given(content=arrays("", array(ROWS)))
def test_any_part_of_an_array_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Any shape and type, pickled objects and huge sizes are refused or read."""
    predicted(sandbox, "a.npy", content)


@fuzz
@given(content=packed({"x.npy": array(ROWS), "y.npy": array(np.zeros(2))}, arrays))
def test_any_array_of_several_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """So they are in an archive of arrays."""
    predicted(sandbox, "a.npz", content)


@fuzz
@given(data=st.data())
def test_any_value_of_the_manifest_may_be_wrong(sandbox: tuple[Sandbox, Path], data: st.DataObject) -> None:
    """Paths outside the folder, other shapes and other types are refused or read."""
    process, folder = sandbox
    valid = (folder / "model" / "manifest.json").read_bytes()
    content = data.draw(altered(json.loads(valid)).map(lambda other: json.dumps(other).encode()) | damaged(valid))
    write(folder / "model" / "manifest.json", content)
    try:
        ended = process.run("predict", str(folder / "model"), str(folder / "rows.npy"), "--runtime", "onnx")
    finally:
        write(folder / "model" / "manifest.json", valid)
    assert_refused_or_read(ended)
