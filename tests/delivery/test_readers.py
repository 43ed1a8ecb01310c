"""Rows for prediction, read from NumPy, CSV and image files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.delivery.conftest import load_rows
from tuner.delivery.manifest import InputSpec, Manifest
from tuner.delivery.readers import ReadOptions, read_batches
from tuner.delivery.rows import BATCH, fit_rows
from tuner.errors import DataError, UsageError

Digits = tuple[np.ndarray, np.ndarray]
SPEC = InputSpec(shape=(8, 8), dtype="uint8", scale=1 / 16)
TABLE = InputSpec(shape=(3,), dtype="float32", scale=1, columns=("a", "b", "c"))


def write_csv(path: Path, rows: np.ndarray, header: str = "", delimiter: str = ",") -> Path:
    """Write one image per line."""
    np.savetxt(path, rows.reshape(len(rows), -1), "%d", delimiter, header=header, comments="")
    return path


def test_npy_and_npz_give_the_same_rows(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """Both kinds of NumPy files are read, and the rows of several files are joined."""
    np.save(tmp_path / "a.npy", rows)
    np.savez(tmp_path / "b.npz", anything=rows)

    np.testing.assert_array_equal(load_rows([tmp_path / "a.npy"], manifest.input), rows)
    both = load_rows([tmp_path / "a.npy", tmp_path / "b.npz"], manifest.input)
    np.testing.assert_array_equal(both, np.concatenate([rows, rows]))


def test_the_array_of_an_npz_is_chosen_by_name(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """``x_test`` is preferred to ``x``, and ``array`` overrides both."""
    path = tmp_path / "data.npz"
    np.savez(path, x=rows[:3], x_test=rows[:2], other=rows[:1], y_test=np.zeros(2))

    assert len(load_rows([path], manifest.input)) == 2
    assert len(load_rows([path], manifest.input, array="other")) == 1
    with pytest.raises(UsageError, match="no array 'othr'") as caught:
        load_rows([path], manifest.input, array="othr")
    assert caught.value.hint == "did you mean 'other'?"


def test_several_candidate_arrays_are_listed(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """If the array is not clear, the message lists the names."""
    np.savez(tmp_path / "data.npz", first=rows, second=rows)

    with pytest.raises(UsageError, match="holds 2 arrays: first, second"):
        load_rows([tmp_path / "data.npz"], manifest.input)


@pytest.mark.parametrize("content", [b"", b"not numpy", b"PK\x03\x04 broken"], ids=["empty", "text", "broken zip"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_broken_numpy_file_is_an_error_of_the_input(
    manifest: Manifest, tmp_path: Path, content: bytes, suffix: str
) -> None:
    """Exceptions of NumPy and zipfile become a DataError."""
    path = tmp_path / f"data{suffix}"
    path.write_bytes(content)

    with pytest.raises(DataError, match="is not a NumPy file"):
        load_rows([path], manifest.input)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("packed", [True, False])
def test_rows_are_read_in_batches(tmp_path: Path, order: Literal["C", "F"], packed: bool) -> None:
    """Arrays of either order and byte order, packed or not, are read part by part; only the last part is smaller."""
    values = np.arange(2 * BATCH + 3, dtype=">i4").reshape(-1, 1) * [1, 2, 3]
    path = tmp_path / ("a.npz" if packed else "a.npy")
    array = np.asarray(values, order=order)
    np.savez_compressed(path, x=array) if packed else np.save(path, array)

    parts = [batch.rows for batch in read_batches([path], TABLE, ReadOptions(), print)]

    assert [len(part) for part in parts] == [BATCH, BATCH, 3]
    np.testing.assert_array_equal(np.concatenate(parts), values)


def test_a_value_far_down_is_named_with_its_rows(tmp_path: Path) -> None:
    """A batch is checked when it is read."""
    values = np.zeros((BATCH + 3, 3))
    values[-1] = np.nan
    np.save(tmp_path / "a.npy", values)

    with pytest.raises(
        DataError,
        match=rf"a\.npy, rows {BATCH + 1} to {BATCH + 3} has missing values \(NaN\) in 1 of 3 rows, first in row 2",
    ):
        load_rows([tmp_path / "a.npy"], TABLE)


@pytest.mark.parametrize(
    ("size", "message"),
    [(10**12, r"declares 3000\.0 GB"), (8, "ends before its last value"), (-1, r"declares the shape \(-1, 3\)")],
)
def test_an_array_that_is_not_as_declared_is_refused(tmp_path: Path, size: int, message: str) -> None:
    """No memory is reserved for values that are not there."""
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (size, 3)})

    with pytest.raises(DataError, match=message):
        load_rows([path], TABLE)


def test_an_array_that_must_be_read_as_a_whole_needs_memory_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is the case if its values are stored column by column."""
    np.save(tmp_path / "a.npy", np.zeros((200_000, 3), order="F"))
    monkeypatch.setattr("tuner.memory.available_memory", lambda: 8_000_000)

    with pytest.raises(DataError, match=r"a\.npy needs 9\.6 MB of memory"):
        load_rows([tmp_path / "a.npy"], TABLE)


def test_pickled_objects_are_not_loaded(manifest: Manifest, tmp_path: Path) -> None:
    """A pickled array is refused, because loading it runs code."""
    np.save(tmp_path / "data.npy", np.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(DataError, match="holds Python objects, which are not loaded"):
        load_rows([tmp_path / "data.npy"], manifest.input)


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("header", ["none", "names", "numbers"])
def test_csv_is_read_with_and_without_header(rows: np.ndarray, tmp_path: Path, delimiter: str, header: str) -> None:
    """With commas or semicolons, and with names, pandas' 0,1,2,… or no header, the images are the same."""
    names = {"none": "", "names": delimiter.join(f"pixel{i}" for i in range(64))}
    line = names.get(header, delimiter.join(map(str, range(64))))
    path = tmp_path / "rows.csv"
    pixels = rows.reshape(len(rows), -1)
    lines = [delimiter.join(map(str, row)) for row in pixels.tolist()]
    path.write_text("\n".join([line, *lines] if line else lines) + "\n", encoding="utf-8-sig")

    np.testing.assert_array_equal(load_rows([path], SPEC), rows)


@pytest.mark.parametrize("label", ["label", "Y"])
def test_a_label_column_is_left_out(rows: np.ndarray, tmp_path: Path, label: str) -> None:
    """A column of labels is ignored, wherever it stands."""
    table = np.column_stack([rows.reshape(20, 64)[:, :5], np.full(20, 9), rows.reshape(20, 64)[:, 5:]])
    names = [f"p{i}" for i in range(64)]
    path = tmp_path / "rows.csv"
    np.savetxt(path, table, "%d", ",", header=",".join([*names[:5], label, *names[5:]]), comments="")

    np.testing.assert_array_equal(load_rows([path], SPEC), rows)


def test_a_label_column_without_a_name_is_refused(rows: np.ndarray, tmp_path: Path) -> None:
    """If there is one column too many and no header, the hint says how to name the label."""
    table = np.column_stack([np.zeros(20), rows.reshape(20, 64)])

    with pytest.raises(DataError, match=r"has 65 columns, expected 64 \(8 x 8\)") as caught:
        load_rows([write_csv(tmp_path / "rows.csv", table)], SPEC)

    assert "header line that names it 'label'" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b,c\n", "has 0 rows"),
        ("a,b,c\n\n \n", "has 0 rows"),
        ("a,b,c\n1,2,3\n1,2\n", "line 3: 2 columns, expected 3"),
        ("a,b,c\n1,2,3\n1,x,3\n", "line 3, column 2: 'x' is not a number"),
        ("a,b,c\n1,,3\n", "line 2, column 2: '' is not a number"),
        ("1,x,3\n", "line 1, column 2: 'x' is not a number"),
        ("1,2,3,4\n", "has 4 columns, expected 3"),
    ],
)
def test_a_csv_that_does_not_fit_is_explained(tmp_path: Path, text: str, message: str) -> None:
    """The message names line and column, counted from 1."""
    path = tmp_path / "rows.csv"
    path.write_text(text)

    with pytest.raises(DataError, match=message):
        load_rows([path], InputSpec(shape=(3,), dtype="float32", scale=1))


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    """Text that is not UTF-8 is refused."""
    (tmp_path / "rows.csv").write_bytes("ä,b,c\n1,2,3\n".encode("latin-1"))

    with pytest.raises(DataError, match="is not UTF-8 text"):
        load_rows([tmp_path / "rows.csv"], TABLE)


def test_named_columns_are_put_in_the_order_of_the_model(tmp_path: Path) -> None:
    """Columns may be in any order, and a label column may be among them."""
    (tmp_path / "rows.csv").write_text("c,label,a,b\n3,0,1,2\n6,0,4,5\n")

    np.testing.assert_array_equal(load_rows([tmp_path / "rows.csv"], TABLE), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("a,b", "missing: c"),
        ("a,b,c,d", "unknown: d"),
        ("a,b,x", "missing: c; unknown: x"),
        ("a,b,c,a", "twice: a"),
        ("1,2,3", "has no header line"),
    ],
)
def test_columns_that_differ_are_listed(tmp_path: Path, header: str, message: str) -> None:
    """The message names missing, unknown and duplicate columns."""
    (tmp_path / "rows.csv").write_text(f"{header}\n" + ",".join("1" * len(header.split(","))) + "\n")

    with pytest.raises(DataError, match=message):
        load_rows([tmp_path / "rows.csv"], TABLE)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.npy", {"invert": True}, r"--invert applies to \.png files, got \.npy"),
        ("a.npy", {"array": "x"}, r"--array applies to \.npz files, got \.npy"),
        ("a.txt", {}, "is of an unknown kind"),
        ("gone.npy", {}, "there is no file"),
        ("empty", {}, r"holds no \.png files"),
    ],
)
def test_inputs_and_options_that_make_no_sense_are_refused(
    manifest: Manifest, tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    """An option without effect, an unknown kind, and missing files are errors."""
    np.save(tmp_path / "a.npy", np.zeros((1, 8, 8), np.uint8))
    (tmp_path / "a.txt").touch()
    (tmp_path / "empty").mkdir()

    with pytest.raises(UsageError, match=message):
        load_rows([tmp_path / name], manifest.input, **options)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 7, 8), np.uint8), r"shape \(2, 7, 8\), expected \(rows, 8, 8\)"),
        (np.zeros((8, 8), np.uint8), r"shape \(8, 8\), expected \(rows, 8, 8\)"),
        (np.zeros((), np.uint8), r"shape \(\), expected"),
        (np.zeros((0, 8, 8), np.uint8), "has no rows"),
        (np.full((1, 8, 8), 256), "values from 256 to 256, expected 0 to 255"),
        (np.full((1, 8, 8), -1), "values from -1 to -1"),
        (np.full((1, 8, 8), np.nan), r"missing values \(NaN\) in 1 of 1 rows, first in row 0"),
        (np.full((1, 8, 8), 0.5), r"the value 0\.5, expected whole numbers"),
        (np.full((1, 8, 8), "7"), "values of type <U1"),
        (np.full((1, 8, 8), 1j), "values of type complex128"),
    ],
)
def test_values_that_a_cast_would_change_are_refused(rows: np.ndarray, message: str) -> None:
    """No value wraps around, is truncated or rounded to an integer."""
    with pytest.raises(DataError, match=message):
        fit_rows(rows, SPEC, "x")


def test_a_float_model_takes_no_infinity() -> None:
    """NaN, infinity and values beyond float32 are refused."""
    for value, message in ((np.nan, "missing values"), (np.inf, r"expected -3\.4"), (1e300, r"expected -3\.4")):
        with pytest.raises(DataError, match=message):
            fit_rows(np.full((1, 3), value), TABLE, "x")


@given(
    values=hnp.arrays(np.uint8, (3, 8, 8)), dtype=st.sampled_from(["int16", "int64", "uint32", "float32", "float64"])
)
def test_whole_numbers_in_range_keep_their_value_in_any_type(values: np.ndarray, dtype: str) -> None:
    """Integers, and floats without a fraction, are cast exactly."""
    rows = fit_rows(values.astype(dtype), SPEC, "x")

    assert rows.dtype == np.uint8
    np.testing.assert_array_equal(rows, values)
