"""Model files for tables are vetted as strictly as others: their constants, operations and declared weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.delivery import tampering as bad
from tests.schemas import table
from tuner.config.hyperparameters import Hyperparameters
from tuner.errors import RunError
from tuner.training.model_file import check_model, load_private, save_model

pytestmark = pytest.mark.slow

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module", params=["periodic", "piecewise_linear"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a model with all layers and operations of tables."""
    from tuner.training.model import build

    everything: dict[str, Any] = {"numeric_embedding": request.param, "parametric_activation": True, "batch_norm": True}
    hp = Hyperparameters(units=8, layers=1, input_scale=True, dropout=0.1, target_transform="log", **everything)
    return save_model(build(hp, table(), seed=1)[1], tmp_path_factory.mktemp("model") / "model.keras").path


def constant(**values: Any) -> Change:
    """Replace the first constant of an operation."""
    return lambda layer: layer["inbound_nodes"][0]["args"][1]["config"].update(values)


def config(**values: Any) -> Change:
    """Replace settings of a layer."""
    return lambda layer: layer["config"].update(values)


HOSTILE: dict[str, tuple[str, Change, str]] = {
    "constant of objects": ("Multiply", constant(dtype="object"), "holds a constant of type 'object'"),
    "constant of text": ("Multiply", constant(value=["evil"]), "that is not only numbers"),
    "constant of booleans": ("Multiply", constant(value=[True]), "that is not only numbers"),
    "deep constant": ("Multiply", constant(value=[[[1.0]]]), "that is not only numbers"),
    "ragged constant": ("Multiply", constant(value=[[1.0], [1.0, 2.0]]), "or of rows of different lengths"),
    "huge constant": ("Multiply", constant(value=[0] * (2**20 + 1)), "holds a constant of 1048577 values"),
    "no list": ("Multiply", constant(value="evil"), "that is not only numbers"),
    "huge embedding": ("Embedding", config(input_dim=10**12), "declares weights of"),
    "huge einsum": ("EinsumDense", config(output_shape=[10**6, 10**6]), "declares weights of"),
    "other equation": ("EinsumDense", config(equation="bf,fkx->bfkx"), "that Keras did not write"),
    "open shape": ("EinsumDense", config(output_shape=[None, None]), "that Keras did not write"),
    "adapted embedding": ("Embedding", config(lora_rank=4), "that Keras did not write"),
    "many parts": ("Split", config(indices_or_sections=10**9), "splits its rows"),
    "other axis": ("Split", config(axis=0), "splits its rows"),
    "other operation": (
        "Exp",
        lambda layer: layer.update(class_name="Einsum", registered_name="Einsum"),
        "holds Einsum, which no model of tuner needs",
    ),
    "operation of another module": (
        "Exp",
        lambda layer: layer.update(module="keras.src.ops.core", class_name="Map", registered_name="Map"),
        "holds Map, which no model of tuner needs",
    ),
}


def test_a_model_with_every_ingredient_passes(file: Path) -> None:
    """It has embeddings, operations with constants and a target that is transformed."""
    check_model(file)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_is_refused(name: str, file: Path, tmp_path: Path) -> None:
    """Before Keras opens the file."""
    layer, change, message = HOSTILE[name]
    bad.layer(layer, change)(file, tmp_path / "bad.keras")
    with pytest.raises(RunError, match=message):
        check_model(tmp_path / "bad.keras")


def test_a_model_that_multiplies_its_rows_is_refused(tmp_path: Path) -> None:
    """Joining a row with itself again and again would need any amount of memory."""
    import keras

    inputs = x = keras.Input((4,))
    for _ in range(23):
        x = keras.layers.Concatenate()([x, x])
    keras.Model(inputs, x).save(tmp_path / "bad.keras")
    check_model(tmp_path / "bad.keras")
    with pytest.raises(RunError, match="makes 33554432 values of each row"):
        load_private(tmp_path / "bad.keras")
