"""Image files as the input of predict: their range, ink, colours and size."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.delivery.conftest import load_rows
from tuner.delivery.manifest import InputSpec, Manifest
from tuner.delivery.readers import ReadOptions, read_batches
from tuner.errors import DataError

Digits = tuple[np.ndarray, np.ndarray]
SPEC = InputSpec(shape=(8, 8), dtype="uint8", scale=1 / 16)
TABLE = InputSpec(shape=(3,), dtype="float32", scale=1, columns=("a", "b", "c"))


def save_image(path: Path, image: np.ndarray) -> Path:
    """Save a digit as an image; its values from 0 to 16 become 0 to 255."""
    Image.fromarray((image * 255.0 / 16).round().astype(np.uint8)).save(path)
    return path


def test_images_come_back_in_the_range_of_the_model(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """A folder of images is read in the order of names; hidden files and folders in it are passed over."""
    for i, image in enumerate(rows):
        save_image(tmp_path / f"{i:02}.png", image)
    (tmp_path / "._00.png").write_bytes(b"written by macOS")
    (tmp_path / "more.png").mkdir()

    np.testing.assert_array_equal(load_rows([tmp_path], manifest.input), rows)


def test_images_come_back_in_the_range_of_the_training_rows(tmp_path: Path) -> None:
    """A model of numbers reads black and white as the smallest and the largest of them."""
    spec = InputSpec(shape=(1, 2), dtype="float32", scale=1, standardised=True, range=(-1.0, 3.0))
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "a.png")

    assert load_rows([tmp_path / "a.png"], spec).tolist() == [[[-1.0, 3.0]]]


def test_black_ink_on_white_paper_is_inverted(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """``invert`` turns a scan into white on black."""
    path = save_image(tmp_path / "scan.png", 16 - rows[0])

    np.testing.assert_array_equal(load_rows([path], manifest.input, invert=True)[0], rows[0])


def test_colour_depth_and_transparency_do_not_matter(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """RGB, 16 bits and black on a transparent background give the same image."""
    grey = (rows[0] * 255.0 / 16).round().astype(np.uint8)
    Image.fromarray(grey).convert("RGB").save(tmp_path / "a.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "b.png")
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[..., 3] = 255 - grey  # opaque black where the digit is dark
    Image.fromarray(ink).save(tmp_path / "c.png")

    for image in load_rows([tmp_path], manifest.input):
        np.testing.assert_array_equal(image, rows[0])


def test_an_image_of_another_size_is_resized(manifest: Manifest, tmp_path: Path) -> None:
    """A white image stays white, and a line says which images were resized."""
    for name in ("a", "b"):
        Image.new("L", (100, 60), 255).save(tmp_path / f"{name}.png")
    Image.new("L", (8, 8), 255).save(tmp_path / "c.png")
    notes: list[str] = []

    assert load_rows([tmp_path], manifest.input, notes).tolist() == [[[16] * 8] * 8] * 3
    assert notes == [f"2 of 3 images were resized to 8 x 8: {tmp_path}/a.png has 100 x 60"]


def test_images_carry_their_files(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """Beside images, the rows of other files carry the name of theirs."""
    np.save(tmp_path / "rows.npy", rows[:2])
    (tmp_path / "scans").mkdir()
    for i in range(2):
        save_image(tmp_path / "scans" / f"{i}.png", rows[i])

    paths = [tmp_path / "rows.npy", tmp_path / "scans"]
    files = [batch.files for batch in read_batches(paths, manifest.input, ReadOptions(), print)]

    assert files == [(f"{tmp_path}/rows.npy",) * 2, (f"{tmp_path}/scans/0.png", f"{tmp_path}/scans/1.png")]


def test_an_image_that_needs_more_memory_than_there_is_is_not_unpacked(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file can declare very many pixels. No warning of Pillow reaches the terminal."""
    Image.new("1", (10_000, 9_500)).save(tmp_path / "a.png")
    monkeypatch.setattr("tuner.memory.available_memory", lambda: 10**9)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=r"a\.png needs 1\.5 GB of memory"):
            load_rows([tmp_path / "a.png"], manifest.input)


def test_a_file_that_is_not_an_image_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    """The content is checked, not the suffix alone."""
    (tmp_path / "a.png").write_bytes(b"text")

    with pytest.raises(DataError, match="cannot be read as an image"):
        load_rows([tmp_path / "a.png"], manifest.input)


def test_no_image_starts_a_program(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would start Ghostscript for this file, whatever its name is."""
    program, started = tmp_path / "gs", tmp_path / "started"
    program.write_text(f"#!/bin/sh\ntouch '{started}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # it is looked up once
    Image.new("L", (8, 8)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")

    with suppress(OSError), Image.open(tmp_path / "a.png") as image:
        image.load()
    assert started.exists(), "the file does not start Ghostscript"
    started.unlink()
    with pytest.raises(DataError, match="cannot be read as an image"):
        load_rows([tmp_path / "a.png"], manifest.input)
    assert not started.exists()


def test_a_model_of_tables_refuses_images(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """The message names the shape that the model expects."""
    path = save_image(tmp_path / "a.png", rows[0])
    with pytest.raises(DataError, match=r"rows of shape \(3,\), not greyscale images"):
        load_rows([path], TABLE)
