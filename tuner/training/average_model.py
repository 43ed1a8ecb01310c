"""One Keras model that averages the predictions of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuner.events import ModelFile
from tuner.jobs import Candidate
from tuner.training.model_file import load_model, save_model
from tuner.training.runtime import standard_keras


def save_average(members: Sequence[Candidate], weights: Sequence[float], path: Path) -> ModelFile:
    """Write the weighted average of kept models as one ``.keras`` file, which passes the same checks as they do.

    Args:
        members: The models. All of them have the same input and the same outputs.
        weights: The share of each one; they sum to 1.
        path: Where to write it.

    Raises:
        RunError: If the file of a member is missing, was changed or is refused.
        OSError: If the file cannot be written.
    """
    import keras

    with standard_keras():
        models = [load_model(member.path, member.sha256) for member in members]
        inputs = keras.Input(models[0].input_shape[1:], dtype=models[0].inputs[0].dtype, name="input")
        parts: list[Any] = []
        for member, model, weight in zip(members, models, weights, strict=True):
            # A model of its own name that shares all layers: names must differ within a model.
            named = keras.Model(model.inputs[0], model.outputs[0], name=f"trial_{member.number}")
            parts.append(keras.layers.Rescaling(weight, dtype="float32", name=f"weight_{member.number}")(named(inputs)))
        return save_model(keras.Model(inputs, keras.layers.Add(dtype="float32", name="average")(parts)), path)
