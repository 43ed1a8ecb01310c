"""A file is read completely, or an error names it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

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
    """Loading a pickle runs the code in it."""
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(arrays, y_train=np.array([{"a": 1}], dtype=object)))

    with pytest.raises(DataError, match="allow_pickle=False"):
        read_npz(path)


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


def test_numbers_are_no_class_names(tmp_path: Path, arrays: Arrays) -> None:
    """Class names become column names of predictions, so they must be text."""
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(arrays, class_names=np.arange(3)))

    with pytest.raises(DataError, match=r"class_names must hold text, shape \(classes,\), got int64 \(3,\)"):
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
    ids=["no gzip", "cut off", "empty", "other type", "too short", "missing"],  # gzip writes the time: no name twice
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
