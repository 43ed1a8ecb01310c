"""A file is read completely, or an error names it."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.conftest import idx_bytes, idx_files, npz_bytes
from tuner.data.readers import IDX_FILES, Arrays, read_idx_folder, read_npz
from tuner.errors import DataError


def test_npz_gives_the_four_arrays_and_the_class_names(tmp_path: Path, arrays: Arrays) -> None:
    """If the file has class names, they are read as text."""
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(arrays, class_names=np.array(["a", "b", "c"])))

    read = read_npz(path)

    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(read[:4], arrays[:4], strict=True))
    assert read.class_names == ("a", "b", "c")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_npz_is_refused_by_name(tmp_path: Path, arrays: Arrays, share: float) -> None:
    """A download can break off at any byte."""
    whole = npz_bytes(arrays)
    path = tmp_path / "set.npz"
    path.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(DataError, match=r"set\.npz is damaged"):
        read_npz(path)


def test_a_changed_byte_is_noticed(tmp_path: Path, arrays: Arrays) -> None:
    """The checksums inside the file are checked."""
    damaged = bytearray(npz_bytes(arrays))
    damaged[damaged.index(arrays.x_train.tobytes()) + 9] ^= 1
    path = tmp_path / "set.npz"
    path.write_bytes(damaged)

    with pytest.raises(DataError, match=r"set\.npz is damaged: Bad CRC-32"):
        read_npz(path)


def test_a_missing_array_is_named(tmp_path: Path, arrays: Arrays) -> None:
    """The message lists the missing arrays and those in the file."""
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(arrays, y_train=None, extra=np.zeros(3)))

    with pytest.raises(DataError, match=r"lacks y_train; it holds x_train, x_test, y_test, extra"):
        read_npz(path)


def test_pickled_objects_are_never_loaded(tmp_path: Path, arrays: Arrays) -> None:
    """Loading a pickle runs the code in it. The hint is the line that saves text as text."""
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(arrays, y_train=np.array([{"a": 1}], dtype=object)))

    with pytest.raises(DataError, match="y_train holds Python objects, and loading those could run code") as refused:
        read_npz(path)

    assert refused.value.hint == "save plain values: np.savez(FILE, ..., y_train=y_train.astype(str))"


def test_a_single_array_is_no_data_set(tmp_path: Path) -> None:
    """A renamed .npy file is refused."""
    np.save(tmp_path / "set.npy", np.zeros(3))
    (tmp_path / "set.npy").rename(tmp_path / "set.npz")

    with pytest.raises(DataError, match=r"set\.npz is damaged or no \.npz file"):
        read_npz(tmp_path / "set.npz")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """The message contains the reason of the operating system."""
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        read_npz(tmp_path)


@pytest.mark.parametrize("names", [np.arange(3), np.array([b"0", b"1", b"2"])])
def test_class_names_become_text(tmp_path: Path, arrays: Arrays, names: NDArray[Any]) -> None:
    """They become column names of predictions."""
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(arrays, class_names=names))

    assert read_npz(path).class_names == ("0", "1", "2")


def test_a_table_is_no_list_of_class_names(tmp_path: Path, arrays: Arrays) -> None:
    """There is one name for each class."""
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(arrays, class_names=np.zeros((3, 2))))

    with pytest.raises(DataError, match=r"class_names must hold text, shape \(classes,\), got float64 \(3, 2\)"):
        read_npz(path)


def test_idx_files_give_the_same_arrays(tmp_path: Path, arrays: Arrays) -> None:
    """Keras stores Fashion-MNIST in this format."""
    for name, content in idx_files(arrays).items():
        (tmp_path / name).write_bytes(content)

    read = read_idx_folder(tmp_path)

    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(read[:4], arrays[:4], strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not gzip at all", "damaged: Not a gzipped file"),
        (idx_bytes(np.zeros((30, 4, 4), np.uint8))[:-9], "damaged: Compressed file ended"),
        (gzip.compress(b"\0\0"), "damaged"),
        (gzip.compress(b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0"), "is no IDX file of unsigned bytes"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x05abc"), r"announces shape \(5,\) and holds 3 values"),
        (None, "No such file"),
    ],
    ids=["no gzip", "cut off", "empty", "other type", "too short", "missing"],
)
def test_a_damaged_idx_file_is_refused_by_name(
    tmp_path: Path, arrays: Arrays, content: bytes | None, message: str
) -> None:
    """The message names the damaged file among the four."""
    for name, good in idx_files(arrays).items():
        (tmp_path / name).write_bytes(good)
    wrong = tmp_path / IDX_FILES[2]
    wrong.unlink()
    if content is not None:
        wrong.write_bytes(content)

    with pytest.raises(DataError, match=rf"t10k-images-idx3-ubyte\.gz.*{message}"):
        read_idx_folder(tmp_path)


def bomb(path: Path, arrays: Arrays, declared: tuple[int, ...], size: int) -> None:
    """Write an ``.npz`` file whose ``x_train`` declares a shape and unpacks to ``size`` zeros."""
    path.write_bytes(npz_bytes(arrays, x_train=None))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": declared})
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x_train.npy", "w", force_zip64=True) as file,
    ):
        file.write(header.getvalue())
        for _ in range(size // 2**20):
            file.write(bytes(2**20))


def test_an_npz_that_needs_more_memory_than_there_is_is_not_unpacked(
    tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The declared sizes are compared with the memory first: a small file can unpack to many times its size."""
    path = tmp_path / "bomb.npz"
    bomb(path, arrays, (64, 2**20), 64 * 2**20)
    monkeypatch.setattr("tuner.memory.available_memory", lambda: 60_000_000)
    monkeypatch.setattr("numpy.lib.format.read_array", lambda *_, **__: pytest.fail("unpacked"))

    assert path.stat().st_size < 10**6
    with pytest.raises(DataError, match=r"bomb\.npz needs 67\.1 MB of memory, 60\.0 MB are available"):
        read_npz(path)


def test_an_npz_that_declares_more_than_it_has_is_damaged(tmp_path: Path, arrays: Arrays) -> None:
    """No memory is reserved for values that are not there."""
    path = tmp_path / "promise.npz"
    bomb(path, arrays, (10**12,), 2**20)

    with pytest.raises(DataError, match=r"promise\.npz is damaged: declares 1000\.0 GB and has 1\.0 MB"):
        read_npz(path)


def test_an_idx_file_is_read_up_to_what_it_announces(
    tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small gzip file can unpack to many times its size, or announce more than fits into memory."""
    for name, good in idx_files(arrays).items():
        (tmp_path / name).write_bytes(good)
    (tmp_path / IDX_FILES[2]).write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x05" + bytes(10**7)))

    with pytest.raises(DataError, match=r"announces shape \(5,\) and holds more values"):
        read_idx_folder(tmp_path)

    (tmp_path / IDX_FILES[2]).write_bytes(gzip.compress(b"\0\0\x08\x02" + b"\x00\x10\0\0" * 2))
    monkeypatch.setattr("tuner.memory.available_memory", lambda: 60_000_000)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz needs 1099\.5 GB of memory"):
        read_idx_folder(tmp_path)
