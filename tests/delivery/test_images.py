"""Image files as the input of predict: their range, ink, colours and size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.delivery.manifest import InputSpec, Manifest
from tuner.delivery.readers import load_rows
from tuner.errors import DataError

Digits = tuple[np.ndarray, np.ndarray]
SPEC = InputSpec(shape=(8, 8), dtype="uint8", scale=1 / 16)
TABLE = InputSpec(shape=(3,), dtype="float32", scale=1, columns=("a", "b", "c"))


def save_image(path: Path, image: np.ndarray) -> Path:
    """Save a digit as an image; its values from 0 to 16 become 0 to 255."""
    Image.fromarray((image * 255.0 / 16).round().astype(np.uint8)).save(path)
    return path


def test_images_come_back_in_the_range_of_the_model(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """A folder of images is read in the order of names, and white becomes the model's largest value."""
    for i, image in enumerate(rows):
        save_image(tmp_path / f"{i:02}.png", image)

    np.testing.assert_array_equal(load_rows([tmp_path], manifest), rows)


def test_black_ink_on_white_paper_is_inverted(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """``invert`` turns a scan into white on black."""
    path = save_image(tmp_path / "scan.png", 16 - rows[0])

    np.testing.assert_array_equal(load_rows([path], manifest, invert=True)[0], rows[0])


def test_colour_depth_and_transparency_do_not_matter(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """RGB, 16 bits and black on a transparent background give the same image."""
    grey = (rows[0] * 255.0 / 16).round().astype(np.uint8)
    Image.fromarray(grey).convert("RGB").save(tmp_path / "a.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "b.png")
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[..., 3] = 255 - grey  # opaque black where the digit is dark
    Image.fromarray(ink).save(tmp_path / "c.png")

    for image in load_rows([tmp_path], manifest):
        np.testing.assert_array_equal(image, rows[0])


def test_an_image_of_another_size_is_resized(manifest: Manifest, tmp_path: Path) -> None:
    """A white image stays white."""
    Image.new("L", (100, 60), 255).save(tmp_path / "white.png")

    assert load_rows([tmp_path / "white.png"], manifest).tolist() == [[[16] * 8] * 8]


def test_a_file_that_is_not_an_image_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    """The content is checked, not the suffix alone."""
    (tmp_path / "a.png").write_bytes(b"text")

    with pytest.raises(DataError, match="cannot be read as an image"):
        load_rows([tmp_path / "a.png"], manifest)


def test_a_model_of_tables_refuses_images(manifest: Manifest, rows: np.ndarray, tmp_path: Path) -> None:
    """The message names the shape that the model expects."""
    path = save_image(tmp_path / "a.png", rows[0])
    table = manifest.model_copy(update={"input": TABLE})

    with pytest.raises(DataError, match=r"rows of shape \(3,\), not greyscale images"):
        load_rows([path], table)
