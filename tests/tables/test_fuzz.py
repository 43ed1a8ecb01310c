"""Whatever a table holds, ``tuner data inspect`` ends in words, uses little memory and touches no other file."""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.damage import assert_refused_or_read, damaged, fuzz, write
from tests.sandbox import Sandbox

CSV = b"id,name,price,day,sold\n" + b"".join(
    b'%d,"J\xc3\xbcrgen, %d","1,%03d.5 $",2024-01-%02d,%s\n' % (row, row % 3, row, row % 28 + 1, sold)
    for row, sold in zip(range(30), itertools.cycle([b"Yes", b"no"]), strict=False)
)
MARKS = [b",", b";", b'"', b"'", b"\n", b"\r", b"\t", b"|", b"1", b"a", b" ", b"\xff", b"."]


def parquet() -> bytes:
    """Return a valid Parquet file."""
    file = io.BytesIO()
    pl.read_csv(CSV).write_parquet(file, compression="uncompressed")
    return file.getvalue()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    folder = tmp_path_factory.mktemp("tables")
    with Sandbox(folder) as process:
        yield process, folder


def checked(sandbox: tuple[Sandbox, Path], content: bytes, name: str, *words: str) -> None:
    """Inspect a file, and check how that ends."""
    process, folder = sandbox
    write(folder / name, content)
    assert_refused_or_read(process.run("data", "inspect", str(folder / name), *words))


def test_the_valid_files_are_read(sandbox: tuple[Sandbox, Path]) -> None:
    """If they were not, the other tests would prove nothing."""
    process, folder = sandbox
    for name, content in (("t.csv", CSV), ("t.csv.gz", gzip.compress(CSV)), ("t.parquet", parquet())):
        write(folder / name, content)
        ended = process.run("data", "inspect", str(folder / name), "--target", "sold")
        assert ended.code == 0, ended.stderr


@fuzz
@given(content=damaged(CSV), words=st.sampled_from([[], ["--target", "sold"], ["--column", "price=number"]]))
def test_any_bytes_of_a_csv_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes, words: list[str]) -> None:
    """A damaged file is read or refused."""
    checked(sandbox, content, "t.csv", *words)


@fuzz
@given(content=damaged(CSV).map(gzip.compress) | damaged(gzip.compress(CSV)))
def test_any_bytes_of_a_packed_csv_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Before and after it is packed."""
    checked(sandbox, content, "t.csv.gz")


@fuzz
@given(content=st.lists(st.sampled_from(MARKS), max_size=60).map(b"".join))
def test_any_separators_and_quotes_may_be_anywhere(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """No arrangement of them confuses the search for the dialect."""
    checked(sandbox, content, "t.csv")


@fuzz
@given(content=damaged(parquet()))
def test_any_bytes_of_a_parquet_file_may_be_wrong(sandbox: tuple[Sandbox, Path], content: bytes) -> None:
    """Also those that declare types and sizes."""
    checked(sandbox, content, "t.parquet")
