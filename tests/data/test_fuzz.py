"""Whatever a data file holds, reading it ends in words, uses little memory and touches no other file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy

from tests.damage import assert_refused_or_read, damaged, fuzz, packed, write
from tests.sandbox import Sandbox

TYPES = ("<f4", "<f8", "|u1", "<i8", "|b1", "<U3", "|S2", "<c16", "<M8[s]", "<f2", ">i2", "|O", "|V7")
SHAPES = ((), (0,), (1,), (6,), (6, 2), (2, 6, 1), (2**31,), (2**62, 4), (-1,), (6, 10**9))


def array(values: Any) -> bytes:
    """Return an ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


MEMBERS = {
    "x_train.npy": array(np.arange(40, dtype=np.float32).reshape(20, 2)),
    "y_train.npy": array(np.arange(20) % 2),
    "x_test.npy": array(np.ones((4, 2), np.float32)),
    "y_test.npy": array(np.array([0, 1, 0, 1])),
    "class_names.npy": array(np.array(["no", "yes"])),
}
RECIPE = """
data = "a.npz"
[space]
learning_rate = 0.01
"""


@st.composite
def arrays(draw: st.DrawFn, _name: str, content: bytes) -> bytes:
    """Draw an ``.npy`` file whose header declares any shape and type, or that is damaged."""
    if draw(st.booleans()):
        return draw(damaged(content))
    file = io.BytesIO()
    header = {
        "descr": draw(st.sampled_from(TYPES)),
        "fortran_order": draw(st.booleans()),
        "shape": draw(st.sampled_from(SHAPES)),
    }
    npy.write_array_header_1_0(file, header)
    return file.getvalue() + bytes(draw(st.sampled_from([0, 8, 48, 96, 10**7])))


def npz() -> bytes:
    """Return a valid data file."""
    file = io.BytesIO()
    np.savez(file, **{name.removesuffix(".npy"): np.load(io.BytesIO(content)) for name, content in MEMBERS.items()})
    return file.getvalue()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    folder = tmp_path_factory.mktemp("data")
    (folder / "my.toml").write_text(RECIPE, encoding="utf-8")
    with Sandbox(folder) as process:
        yield process, folder


def checked(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Check a recipe with a data file, and how that ends."""
    process, folder = sandbox
    write(folder / "a.npz", content)
    assert_refused_or_read(process.run("space", "check", str(folder / "my.toml")))


def test_the_valid_file_is_read(sandbox: tuple[Sandbox, Path]) -> None:
    """If it were not, the other tests would prove nothing."""
    process, folder = sandbox
    write(folder / "a.npz", npz())
    ended = process.run("space", "check", str(folder / "my.toml"))

    assert ended.code == 0, ended.stderr


@fuzz
@given(content=damaged(npz()))
def test_any_bytes_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """A damaged file is refused."""
    checked(sandbox, content)


@fuzz
@given(content=packed(MEMBERS, arrays))
def test_any_array_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Any type and shape, pickled objects, huge sizes and every method of compression are refused or read."""
    checked(sandbox, content)
