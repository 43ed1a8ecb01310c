"""A data set comes from the first place that has it."""

from __future__ import annotations

import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.data.conftest import FileServer, idx_files, idx_source, npz_bytes, npz_source
from tuner.data import lookup
from tuner.data.catalog import CATALOG, CatalogEntry
from tuner.data.lookup import find, keras_cache, load_dataset
from tuner.data.readers import IDX_FILES, Arrays
from tuner.errors import DataError


@pytest.fixture
def tiny(entry: CatalogEntry, monkeypatch: pytest.MonkeyPatch) -> CatalogEntry:
    """The small entry as a part of the catalogue, with a source that does not exist."""
    listed = replace(entry, sources=(npz_source("https://data.invalid/tiny_set.npz"),))
    monkeypatch.setattr(lookup, "CATALOG", types.MappingProxyType({**CATALOG, listed.name: listed}))
    return listed


def place(path: Path, content: bytes) -> Path:
    """Write a file, its folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_users_folder_comes_before_the_cache(
    tmp_path: Path, keras_home: Path, tiny: CatalogEntry, arrays: Arrays
) -> None:
    """If both have the file, the one in the folder is used. It may have any hash."""
    mine = place(tmp_path / "data" / "tiny_set.npz", npz_bytes(arrays))
    place(keras_home / "datasets" / "tiny_set.npz", b"never opened")

    dataset = load_dataset(tiny.name, tmp_path / "data")

    assert dataset.source == str(mine)
    assert (dataset.name, dataset.class_names, dataset.scale) == ("tiny_set", ("a", "b", "c"), 1 / 255)
    assert np.array_equal(dataset.x_train, arrays.x_train)


def test_the_keras_cache_comes_second(tmp_path: Path, keras_home: Path, tiny: CatalogEntry, arrays: Arrays) -> None:
    """If the folder does not have the file, the cache is searched."""
    cached = place(keras_home / "datasets" / "tiny_set.npz", npz_bytes(arrays))

    assert load_dataset(tiny.name, tmp_path).source == str(cached)


def test_the_idx_files_of_keras_are_read(keras_home: Path, tiny: CatalogEntry, arrays: Arrays) -> None:
    """Keras stores Fashion-MNIST as four files in one folder."""
    folder = keras_home / "datasets" / "tiny-set"
    for name, content in idx_files(arrays).items():
        place(folder / name, content)

    dataset = load_dataset(tiny.name)

    assert dataset.source == str(folder)
    assert np.array_equal(dataset.y_test, arrays.y_test)


def test_an_incomplete_folder_of_keras_is_absent(keras_home: Path, tiny: CatalogEntry, arrays: Arrays) -> None:
    """Keras downloads the four files one by one and can be stopped between them."""
    name, content = next(iter(idx_files(arrays).items()))
    place(keras_home / "datasets" / "tiny-set" / name, content)

    assert find(tiny) is None


def test_a_download_goes_into_the_keras_cache(
    keras_home: Path, tiny: CatalogEntry, arrays: Arrays, server: FileServer, closed_url: str
) -> None:
    """The first source fails, the second delivers, and the next look-up needs no network."""
    server.files["tiny_set.npz"] = npz_bytes(arrays)
    sources = [npz_source(closed_url), npz_source(f"{server.url}/tiny_set.npz", server.files["tiny_set.npz"])]

    downloaded = load_dataset(tiny.name, sources=sources)
    again = load_dataset(tiny.name, download=False)

    assert downloaded.source == again.source == str(keras_home / "datasets" / "tiny_set.npz")
    assert downloaded.fingerprint == again.fingerprint
    assert len(server.requested) == 1


@pytest.mark.parametrize("kept", [0, 100, -30])
def test_a_damaged_file_is_never_passed_over(
    tmp_path: Path, keras_home: Path, tiny: CatalogEntry, arrays: Arrays, kept: int
) -> None:
    """A truncated file in the user's folder is an error even if the cache has a good file."""
    place(tmp_path / "tiny_set.npz", npz_bytes(arrays)[:kept])
    place(keras_home / "datasets" / "tiny_set.npz", npz_bytes(arrays))

    with pytest.raises(DataError, match=rf"{tmp_path}/tiny_set\.npz is damaged") as caught:
        load_dataset(tiny.name, tmp_path)

    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((29, 4, 4), np.uint8)}, r"x_train must be uint8 \(30, 4, 4\), got uint8 \(29, 4, 4\)"),
        ({"x_test": np.zeros((9, 16), np.uint8)}, r"x_test must be uint8 \(9, 4, 4\), got uint8 \(9, 16\)"),
        ({"x_train": np.zeros((30, 4, 4), np.float32)}, r"x_train must be uint8 .*, got float32"),
        ({"y_train": np.zeros((30, 1), np.uint8)}, r"y_train must be uint8 \(30,\), got uint8 \(30, 1\)"),
        ({"y_test": np.full(9, 3, np.uint8)}, r"y_test holds the label 3 in row 0, labels must lie in 0\.\.2"),
    ],
)
def test_a_file_with_other_contents_is_refused(
    tmp_path: Path, tiny: CatalogEntry, arrays: Arrays, changes: dict[str, object], message: str
) -> None:
    """The name of the file is not enough."""
    path = place(tmp_path / "tiny_set.npz", npz_bytes(arrays, **changes))

    with pytest.raises(DataError, match=f"^{path}.*{message}"):
        load_dataset(tiny.name, tmp_path)


def test_without_file_and_network_it_says_what_to_do(tmp_path: Path, closed_url: str) -> None:
    """The hint names the folder for the file and a data set that needs no file. The exit code is 2."""
    sources = [npz_source(f"{closed_url}/mnist.npz"), idx_source(closed_url, dict.fromkeys(IDX_FILES, b""))]

    with pytest.raises(DataError, match="mnist is not on this machine and no download worked") as caught:
        load_dataset("mnist", tmp_path, sources=sources)

    hint = caught.value.hint or ""
    assert caught.value.exit_code == 2
    assert f"put mnist.npz into {tmp_path}" in hint
    assert "TUNER_DATA" in hint
    assert "`tuner study start digits`" in hint


def test_a_trainer_never_downloads(tmp_path: Path, keras_home: Path, tiny: CatalogEntry) -> None:
    """If downloads are off, an absent file is an error that names the searched folders."""
    with pytest.raises(DataError, match=f"searched {tmp_path} and {keras_home}/datasets"):
        load_dataset(tiny.name, tmp_path, download=False)


def test_an_unknown_name_gets_the_nearest() -> None:
    """A typing error gets a suggestion."""
    with pytest.raises(DataError, match="unknown data set 'minst'") as caught:
        load_dataset("minst")

    assert caught.value.hint == "did you mean 'mnist'? (or the path of a table or of an .npz file)"


def test_the_cache_is_in_the_home_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras uses the same folder."""
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert keras_cache() == tmp_path / ".keras" / "datasets"


def test_digits_need_no_file(closed_url: str) -> None:
    """The embedded set is complete and stratified, and it is the same on every machine."""
    digits = load_dataset("digits", sources=[npz_source(closed_url)])

    assert (digits.x_train.shape, digits.x_test.shape) == ((1437, 8, 8), (360, 8, 8))
    assert (digits.input_dtype, digits.x_train.max(), digits.scale) == ("uint8", 16, 1 / 16)
    everything = np.bincount(np.concatenate([digits.y_train, digits.y_test]))
    assert np.abs(np.bincount(digits.y_test) - everything * 360 / 1797).max() < 1
    assert digits.fingerprint == "c2e0461383274e0f60bc8ed8a36a3cfe1c3d56845b4dd53a16fda5b89fee72ae"


def test_mnist_is_the_real_one(shared_data: Path) -> None:
    """It has the published mean and deviation of pixels in 0..1."""
    mnist = load_dataset("mnist", shared_data, download=False)

    assert (mnist.x_train.shape, mnist.x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert mnist.x_train.mean() / 255 == pytest.approx(0.1306604763, abs=1e-9)
    assert mnist.x_train.std() / 255 == pytest.approx(0.3081078, abs=1e-7)
    assert mnist.class_names == tuple("0123456789")


def test_finding_data_loads_no_heavy_library() -> None:
    """Trainers and commands import this package even if they need no data."""
    code = "import sys, tuner.data.lookup, tuner.data.split; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {"keras", "tensorflow", "sklearn", "pooch", "requests"}.isdisjoint(done.stdout.split())
