"""The data sets that are known by name: what each must look like and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tuner.data.dataset import Dataset
from tuner.data.readers import Arrays
from tuner.errors import DataError

DIGITS = tuple("0123456789")


@dataclass(frozen=True, slots=True)
class Source:
    """A place to download from: the address of one ``.npz`` file, or of the folder of the four gzipped IDX files."""

    url: str
    format: Literal["npz", "idx"]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """What a data set must look like.

    Attributes:
        name: Name on the command line, and of its ``.npz`` file.
        description: A line for people.
        input_shape: Shape of one input; inputs and labels are ``uint8``.
        pixel_max: Value of a full pixel; the model divides by it.
        train_rows: Rows that train and validate.
        test_rows: Rows that only the final evaluation reads.
        class_names: In the order of the labels.
        sources: Where to download from, in the order in which they are tried; empty where no download is needed.
    """

    name: str
    description: str
    input_shape: tuple[int, ...]
    pixel_max: int
    train_rows: int
    test_rows: int
    class_names: tuple[str, ...]
    sources: tuple[Source, ...] = ()

    @property
    def embedded(self) -> bool:
        """Whether it comes with an installed library, so that there is nothing to look for."""
        return not self.sources

    def dataset(self, arrays: Arrays, source: str) -> Dataset:
        """Return the arrays as a valid data set.

        Args:
            arrays: What was read.
            source: Where from, for messages.

        Raises:
            DataError: If they are not this data set: another shape or type, or labels outside the classes.
        """
        expected = {
            "x_train": (self.train_rows, *self.input_shape),
            "y_train": (self.train_rows,),
            "x_test": (self.test_rows, *self.input_shape),
            "y_test": (self.test_rows,),
        }
        for name, shape in expected.items():
            array = getattr(arrays, name)
            if array.shape != shape or array.dtype.name != "uint8":
                raise DataError(
                    f"{source} is not {self.name}: {name} must be uint8 {shape}, got {array.dtype} {array.shape}",
                    hint="delete or rename the file, and `tuner data fetch` gets the right one",
                )
        return Dataset(
            name=self.name,
            x_train=arrays.x_train,
            y_train=arrays.y_train,
            x_test=arrays.x_test,
            y_test=arrays.y_test,
            class_names=self.class_names,
            source=source,
            scale=1 / self.pixel_max,
        )


_BUCKET = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"

_ENTRIES = (
    CatalogEntry(
        name="digits",
        description="handwritten digits, 8x8 pixels, embedded in scikit-learn",
        input_shape=(8, 8),
        pixel_max=16,
        train_rows=1437,
        test_rows=360,
        class_names=DIGITS,
    ),
    CatalogEntry(
        name="fashion_mnist",
        description="articles of clothing, 28x28 pixels",
        input_shape=(28, 28),
        pixel_max=255,
        train_rows=60000,
        test_rows=10000,
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        sources=(
            Source(_BUCKET, "idx"),
            Source("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion", "idx"),
        ),
    ),
    CatalogEntry(
        name="mnist",
        description="handwritten digits, 28x28 pixels",
        input_shape=(28, 28),
        pixel_max=255,
        train_rows=60000,
        test_rows=10000,
        class_names=DIGITS,
        sources=(
            Source(f"{_BUCKET}/mnist.npz", "npz"),
            Source("https://ossci-datasets.s3.amazonaws.com/mnist", "idx"),
        ),
    ),
)

CATALOG = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""The known data sets by name, in alphabetical order."""
