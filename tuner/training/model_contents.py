"""Checks the contents of a ``.keras`` file: only layers from a short list, and weights stored in the file itself.

Keras' safe mode refuses Lambda layers and pickles, but not layers that open files or import modules. The models of this
package need a few kinds of layers and operations, so only these are allowed.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.documents import parse_json
from tuner.training.members import refused

_ROOT = {("keras", "Functional"), ("keras.models", "Functional"), ("keras.src.models.functional", "Functional")}
_LAYERS = (
    "InputLayer",
    "Rescaling",
    "Reshape",
    "Flatten",
    "Dropout",
    "Dense",
    "BatchNormalization",
    "Activation",
    "Softmax",
    # Only models for tables and parametric activations have these.
    "Embedding",
    "EinsumDense",
    "Concatenate",
    "Add",
    "Subtract",
)
_OPERATIONS = (  # on numbers; each was read in Keras' source: none opens a file or imports a module
    "Add",
    "Clip",
    "Concatenate",
    "Cos",
    "Equal",
    "Exp",
    "Greater",
    "Isnan",
    "Less",
    "Maximum",
    "Minimum",
    "Multiply",
    "Split",
    "Sqrt",
    "Square",
    "Subtract",
    "Take",
    "Divide",
    "Where",
)
_INITIALIZERS = ("GlorotUniform", "RandomNormal", "RandomUniform", "Zeros", "Ones")
_CONSTANT = (None, "__numpy__")
_PARTS = {
    *_ROOT,  # an ensemble holds the models that it averages
    *(("keras.layers", name) for name in _LAYERS),
    *(("keras.initializers", name) for name in _INITIALIZERS),
    *(("keras.src.ops.numpy", name) for name in _OPERATIONS),
    ("keras.src.ops.core", "Cast"),
    ("keras", "DTypePolicy"),
    (None, "__keras_tensor__"),  # a reference to the output of another layer
    _CONSTANT,
}
_EQUATIONS = {"bf,f->bf", "bf,fk->bfk", "bfk,fko->bfo"}  # of EinsumDense: no sum is larger than its kernel and rows
_CONSTANT_TYPES = {"float32", "int32"}
_LARGEST_ROW = 2**24  # values that a layer returns for a row
_LARGEST_CONSTANT = 2**20  # values; a table of 10,000 numbers with 100 knots each has as many
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
        config = parse_json(raw)
        config.pop("compile_config", None)  # Keras ignores it too, because the model is not compiled
        declared = 0
        for part in _declared(config):
            _check_part(path, part, allowed=_ROOT if part is config else _PARTS)
            declared += _parameters(part) * _FLOAT
    except (ValueError, KeyError, TypeError, AttributeError) as error:
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
    if (module, name) == _CONSTANT:
        _check_constant(path, part["config"])
    if name == "Split" and (type(part["config"]["indices_or_sections"]) is not list or part["config"]["axis"] != 1):
        raise refused(path, "splits its rows into any number of parts")


def _check_constant(path: Path, config: dict[str, Any]) -> None:
    """Refuse a constant that is more than a vector or a matrix of numbers: NumPy would make objects of it."""
    value, dtype = config["value"], config["dtype"]
    rows = value if type(value) is list and value and type(value[0]) is list else [value]
    numbers = [number for row in rows for number in row]
    if dtype not in _CONSTANT_TYPES or not all(type(number) in {int, float} for number in numbers):
        raise refused(path, f"holds a constant of type {dtype!r} that is not only numbers")
    if len(numbers) > _LARGEST_CONSTANT or any(len(row) != len(rows[0]) for row in rows):
        raise refused(path, f"holds a constant of {len(numbers)} values, or of rows of different lengths")


def _parameters(part: dict[str, Any]) -> int:
    """Return the smallest number of weights of an object. Keras builds a layer from its build_config."""
    config = part["config"]
    match part["class_name"]:
        case "Dense":
            sizes = [part["build_config"]["input_shape"][-1], config["units"]]
        case "BatchNormalization":
            sizes = [part["build_config"]["input_shape"][-1], 4]
        case "Embedding":
            sizes = [config["input_dim"], config["output_dim"]]
        case "EinsumDense":
            sizes = _einsum_sizes(config, part["build_config"]["input_shape"])
        case _:
            return 0
    if not all(type(size) is int and size > 0 for size in sizes) or "lora_rank" in config:
        raise ValueError(f"a layer of {sizes} weights")
    return math.prod(sizes)


def _einsum_sizes(config: dict[str, Any], read: list[Any]) -> list[Any]:
    """Return the shape of the kernel of an EinsumDense layer, from what it reads and returns without the rows."""
    if config["equation"] not in _EQUATIONS or not isinstance(config["output_shape"], list):
        raise ValueError(f"an equation {config['equation']!r}")
    inputs, kernel, outputs = re.split(",|->", config["equation"])
    sizes = dict(zip(inputs, read, strict=True)) | dict(zip(outputs[1:], config["output_shape"], strict=True))
    return [sizes[axis] for axis in kernel]


def check_sizes(path: Path, model: Any) -> None:
    """Refuse a loaded model that makes more of each row than its weights explain, by joining or combining values.

    Args:
        path: The ``.keras`` file, for messages.
        model: The model. Keras has derived all shapes, but computed nothing.

    Raises:
        RunError: If any layer returns more than 16 million values for a row.
    """
    from keras import tree

    for operation in model.operations:
        for tensor in tree.flatten(operation.output):
            if (size := math.prod(axis for axis in tensor.shape if axis is not None)) > _LARGEST_ROW:
                raise refused(path, f"makes {size} values of each row")


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
