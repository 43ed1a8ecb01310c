"""Checks the contents of a ``.keras`` file: only layers from a short list, and weights stored in the file itself.

Keras' safe mode refuses Lambda layers and pickles, but not layers that open files or import modules. The models of this
package need eight kinds of layers, so only these eight are allowed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.training.members import refused

_ROOT = {("keras", "Functional"), ("keras.models", "Functional"), ("keras.src.models.functional", "Functional")}
_LAYERS = ("InputLayer", "Rescaling", "Flatten", "Dropout", "Dense", "BatchNormalization", "Activation", "Softmax")
_PARTS = {
    *(("keras.layers", name) for name in _LAYERS),
    *(("keras.initializers", name) for name in ("GlorotUniform", "Zeros", "Ones")),
    ("keras", "DTypePolicy"),
    (None, "__keras_tensor__"),  # a reference to the output of another layer
}
_CODE = {"Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_FLOAT = 4  # bytes of a weight


def check_config(path: Path, raw: bytes, *, weights: int) -> None:
    """Check every object that config.json declares.

    Args:
        path: The ``.keras`` file, for messages.
        raw: Content of config.json.
        weights: Size of the weights file in bytes. The layers cannot have more weights than that.

    Raises:
        RunError: If the content is not JSON, or declares objects that are not in the list.
    """
    try:
        config = json.loads(raw)
        config.pop("compile_config", None)  # Keras ignores it too, because the model is not compiled
        declared = 0
        for part in _declared(config):
            _check_part(path, part, allowed=_ROOT if part is config else _PARTS)
            declared += _parameters(part) * _FLOAT
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refused(path, "has a config.json that Keras did not write") from error
    if declared > weights:
        raise refused(path, f"declares weights of {declared} bytes, but holds {weights}")


def check_weights(path: Path, raw: bytes) -> None:
    """Check every object of the HDF5 file without reading a value.

    Args:
        path: The ``.keras`` file, for messages.
        raw: Content of model.weights.h5.

    Raises:
        RunError: If a value is stored in another file, is packed by a filter or is no number, or if the values declare
            more bytes than the file has.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(raw), "r") as file:
            size = sum(_check_dataset(path, dataset) for dataset in _datasets(path, file))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:  # any error of HDF5
        raise refused(path, f"has damaged weights: {str(error).splitlines()[0]}") from error
    if size > len(raw):
        raise refused(path, f"declares weights of {size} bytes, but holds {len(raw)}")


def _declared(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object with a class name: Keras creates a Python object from each."""
    stack = [value]
    while stack:
        match stack.pop():
            case dict() as table:
                if "class_name" in table:
                    yield table
                stack.extend(table.values())
            case list() as values:
                stack.extend(values)


def _check_part(path: Path, part: dict[str, Any], *, allowed: set[tuple[Any, str]]) -> None:
    module, name, registered = part.get("module"), part["class_name"], part.get("registered_name")
    if name in _CODE:
        raise refused(path, f"holds a {name} layer, which is code")
    if name == "function":
        raise refused(path, f"holds the function {module}.{part.get('config')}, which is code")
    if (module, name) not in allowed or registered not in (None, name):
        raise refused(path, f"holds {registered or f'{module}.{name}'}, which no model of tuner needs")


def _parameters(part: dict[str, Any]) -> int:
    """Return the smallest number of weights of an object. Keras builds a layer from its build_config."""
    if part["class_name"] not in {"Dense", "BatchNormalization"}:
        return 0
    width = part["build_config"]["input_shape"][-1]
    factor = part["config"]["units"] if part["class_name"] == "Dense" else 4
    if not all(type(number) is int and number > 0 for number in (width, factor)) or "lora_rank" in part["config"]:
        raise ValueError(f"a layer of {width} by {factor} weights")
    return int(width * factor)


def _datasets(path: Path, group: Any) -> Iterator[Any]:
    """Yield each dataset below a group once. Links to other files are refused."""
    import h5py

    stack, seen = [group], set()
    while stack:
        here = stack.pop()
        for name in here:
            if not isinstance(here.get(name, getlink=True), h5py.HardLink):
                raise refused(path, f"has weights with a link to elsewhere: {here.name.rstrip('/')}/{name}")
            child = here[name]
            address = h5py.h5o.get_info(child.id).addr
            if address in seen:
                raise refused(path, f"has weights with two names: {child.name}")
            seen.add(address)
            if isinstance(child, h5py.Group):
                stack.append(child)
            else:
                yield child


def _check_dataset(path: Path, dataset: Any) -> int:
    """Return the size in bytes of a dataset, which must be plain numbers stored unpacked in the file."""
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu" or "dtype" in dataset.attrs:
        raise refused(path, f"has weights that are no numbers: {dataset.name}")
    if dataset.is_virtual or dataset.external:
        raise refused(path, f"has weights that lie in another file: {dataset.name}")
    layout = dataset.id.get_create_plist().get_layout()
    if layout not in {h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT} or dataset.id.get_storage_size() != dataset.nbytes:
        raise refused(path, f"has weights that are packed: {dataset.name}")
    return int(dataset.nbytes)
