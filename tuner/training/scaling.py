"""How a model turns raw values into the inputs of its first layer: ``(x - center) * factor``, within a limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tuner.data.schema import DataSchema


@dataclass(frozen=True)
class Scaling:
    """The preprocessing of a model, in ``float32``.

    Attributes:
        center: Subtracted from each feature, shape ``(features,)``. It is empty if the inputs are not standardised.
        factor: Multiplies each feature, shape ``(features,)``; one value for all if the inputs are not standardised.
        limit: The largest absolute result, shape ``(1,)``. It counts only if the inputs are standardised.
    """

    center: NDArray[np.float32] = field(repr=False)
    factor: NDArray[np.float32] = field(repr=False)
    limit: NDArray[np.float32] = field(repr=False)

    @property
    def standardised(self) -> bool:
        """Whether each feature has its own center and factor."""
        return self.center.size > 0

    @classmethod
    def of(cls, schema: DataSchema) -> Self:
        """Return the preprocessing for a schema. A feature whose deviation is 0 becomes 0."""
        if schema.standard is None:
            return cls(np.zeros(0, np.float32), np.array([schema.scale], np.float32), np.array([np.inf], np.float32))
        deviation = np.array(schema.standard.deviation)
        factor = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        limit = np.array([schema.standard.limit], np.float32)
        return cls(np.array(schema.standard.mean, np.float32), factor.astype(np.float32), limit)
