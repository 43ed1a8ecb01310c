"""``tuner data show``: images of a data set, and what augmentation does to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tuner.cli.main import main


def test_augmented_examples_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten digits, seven changed copies beside each; the path is the result, and the file is not replaced."""
    monkeypatch.chdir(tmp_path)
    words = ["data", "show", "digits", "--augment", "shift=1,rotation=10"]
    result = CliRunner().invoke(main, words, catch_exceptions=False)

    assert result.stdout == "digits.png\n"
    with Image.open("digits.png") as picture:
        assert picture.size == (7 * (8 * 10 + 2), 7 * (10 * 10 + 2))
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 2
    assert "digits.png exists" in again.stderr
    assert CliRunner().invoke(main, [*words, "--force", "--seed", "1"]).exit_code == 0


def test_without_amounts_there_is_one_line_of_images(tmp_path: Path) -> None:
    """One image of each class."""
    file = tmp_path / "some.png"
    CliRunner().invoke(main, ["data", "show", "digits", "-o", str(file)], catch_exceptions=False)

    with Image.open(file) as picture:
        assert picture.size == (7 * (10 * 10 + 2), 7 * (8 + 4))


def test_rows_that_are_no_images_are_refused(tmp_path: Path) -> None:
    """The message has their shape."""
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 4), dtype=np.float32), np.arange(20) % 2
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    result = CliRunner().invoke(main, ["data", "show", str(tmp_path / "mine.npz")])

    assert result.exit_code == 2
    assert "are no images: their shape is (4,)" in result.stderr
