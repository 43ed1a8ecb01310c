"""Only model files that a trainer can write are loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.saving.serialization_lib import SafeModeScope

from tests.delivery.tampering import armed
from tests.schemas import pixels
from tuner.config.hyperparameters import Hyperparameters
from tuner.errors import RunError
from tuner.files import sha256_of
from tuner.training import model_file
from tuner.training.model import build
from tuner.training.model_file import load_model

ACTIVATIONS = ("relu", "elu", "selu", "tanh", "silu", "leaky_relu", "sigmoid", "softplus")
CONFIGURATIONS: list[dict[str, Any]] = [
    {"layers": 0},
    {"layers": 3, "units_0": 8, "units_1": 4, "units_2": 2, "batch_norm": True, "dropout": 0.2, "input_dropout": 0.1},
    *({"layers": 1, "units_0": 8, "activation": name} for name in ACTIVATIONS),
]


def save(path: Path, shape: tuple[int, ...] = (8, 8), **params: Any) -> keras.Model:
    hp = Hyperparameters.from_params({"learning_rate": 0.01, **params})
    model = build(hp, pixels(shape, 3, 1 / 16), seed=1)[1]
    model.save(path)
    return model


@pytest.mark.parametrize("shape", [(8, 8), (5,)])
@pytest.mark.parametrize("params", CONFIGURATIONS, ids=lambda params: "-".join(map(str, params.values())))
def test_every_model_that_a_trial_can_build_is_loaded(
    tmp_path: Path, params: dict[str, Any], shape: tuple[int, ...]
) -> None:
    """The list of allowed layers is complete, and the weights are unchanged."""
    path = tmp_path / "model.keras"
    written = save(path, shape, **params)
    read = load_model(path, sha256_of(path))

    for one, other in zip(read.get_weights(), written.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["model.h5", "model.zip"])
def test_keras_does_not_choose_another_reader_by_the_suffix(tmp_path: Path, name: str) -> None:
    """Keras chooses its reader by the suffix, so another suffix is refused."""
    save(tmp_path / "model.keras", layers=0)
    path = (tmp_path / "model.keras").rename(tmp_path / name)
    with pytest.raises(RunError, match=r"is no \.keras file"):
        load_model(path, sha256_of(path))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_in_the_place_of_a_model_does_not_block(tmp_path: Path) -> None:
    """Only a regular file is opened."""
    os.mkfifo(tmp_path / "model.keras")
    with pytest.raises(RunError, match=r"is no \.keras file"):
        load_model(tmp_path / "model.keras", "0" * 64)


def test_a_file_over_the_limit_is_not_even_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of five gigabytes is refused at once."""
    monkeypatch.setattr(model_file, "sha256_of", lambda _: pytest.fail("read"))
    with (tmp_path / "model.keras").open("wb") as file:
        file.truncate(5 * 1000**3)
    with pytest.raises(RunError, match=r"has 5\.0 GB, more than the 2\.0 GB allowed") as caught:
        load_model(tmp_path / "model.keras", "0" * 64)
    assert (caught.value.exit_code, caught.value.hint is not None) == (1, True)


def test_a_process_that_allows_code_in_models_loads_none_with_our_reader(tmp_path: Path) -> None:
    """A setting of the process can overrule the safe mode of Keras, but not our list of layers."""
    path, marker = tmp_path / "model.keras", tmp_path / "executed"
    armed(marker)(path, path)
    with SafeModeScope(safe_mode=False), pytest.raises(RunError, match="holds a Lambda layer, which is code"):
        load_model(path, sha256_of(path))
    assert not marker.exists()
