"""Builds an ONNX graph node by node. Whole numbers can be computed with Python's operators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET = 20  # the first one with operators that split and match text
ML_OPSET = 3  # of ai.onnx.ml, for LabelEncoder


class Graph:
    """The nodes and constants of an ONNX graph.

    Args:
        prefix: The beginning of the names of values.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any) -> Value:
        """Add a constant: an array, or a list of texts."""
        from onnx import TensorProto, helper, numpy_helper

        name = f"{self._prefix}constant_{len(self.constants)}"
        if isinstance(values, list):
            texts = [text.encode() for text in values]
            self.constants.append(helper.make_tensor(name, TensorProto.STRING, [len(texts)], texts))
        else:
            self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return Value(self, name)

    def node(self, operator: str, *inputs: Value, output: str | None = None, **attributes: Any) -> Value:
        """Add a node and return its first output."""
        from onnx import helper

        self._count += 1
        name = output or f"{self._prefix}{self._count}"
        domain = "ai.onnx.ml" if operator == "LabelEncoder" else ""
        names = [value.name for value in inputs]
        outputs = [name, f"{name}_count"] if operator == "StringSplit" else [name]
        self.nodes.append(helper.make_node(operator, names, outputs, domain=domain, **attributes))
        return Value(self, name)

    def cast(self, value: Value, dtype: Any) -> Value:
        """Convert a value to a type of NumPy."""
        from onnx import helper

        return self.node("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def where(self, condition: Value, yes: Value, no: Value) -> Value:
        """Choose between two values."""
        return self.node("Where", condition, yes, no)

    def equal(self, value: Value, number: int) -> Value:
        """Compare whole numbers with one."""
        return self.node("Equal", value, self.constant(np.int64(number)))


class Value:
    """A value of a graph. The operators are those of whole numbers (``int64``)."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    def __add__(self, other: Value | int) -> Value:
        return self.graph.node("Add", self, self._operand(other))

    def __sub__(self, other: Value | int) -> Value:
        return self.graph.node("Sub", self, self._operand(other))

    def __mul__(self, other: Value | int) -> Value:
        return self.graph.node("Mul", self, self._operand(other))

    def __floordiv__(self, divisor: int) -> Value:
        """Divide and round down; ``Div`` rounds towards 0, but ``Mod`` has the sign of the divisor."""
        by = self._operand(divisor)
        return self.graph.node("Div", self - self.graph.node("Mod", self, by), by)

    def _operand(self, other: Value | int | NDArray[Any]) -> Value:
        return other if isinstance(other, Value) else self.graph.constant(np.int64(other))
