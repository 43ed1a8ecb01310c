"""The data sets with a name: their shapes, classes and download sources."""

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
    """A place to download a data set from.

    Attributes:
        url: Address of one ``.npz`` file, or of the folder with the four gzipped IDX files.
        format: ``npz`` or ``idx``.
        sha256: SHA-256 of the file, or of the four files in the order of :data:`~tuner.data.readers.IDX_FILES`. A file
            with another hash is refused.
    """

    url: str
    format: Literal["npz", "idx"]
    sha256: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """Describes a data set.

    Attributes:
        name: Name on the command line, and of its ``.npz`` file.
        description: One line for people.
        input_shape: Shape of one input. Inputs and labels are ``uint8``.
        pixel_max: Value of a white pixel; the model divides by it.
        train_rows: Number of rows for training and validation.
        test_rows: Number of rows for the final evaluation.
        class_names: Names of the classes in the order of the labels.
        sources: Download sources in the order in which they are tried; empty if no download is needed.
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
        """Whether an installed library contains the data set, so that no file is needed."""
        return not self.sources

    def dataset(self, arrays: Arrays, source: str) -> Dataset:
        """Return the arrays as a checked data set.

        Args:
            arrays: The arrays of a file.
            source: Name of the file or server, for messages.

        Raises:
            DataError: If the arrays have other shapes or types than this data set, or labels outside the classes.
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

# Source of the hash: keras.datasets.mnist of Keras 3.
_MNIST_NPZ = ("731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",)
# Source of the hashes of the IDX files: torchvision/prototype/datasets/_builtin/mnist.py.
_MNIST_IDX = (
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
)
_FASHION_MNIST_IDX = (
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)

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
            Source(_BUCKET, "idx", _FASHION_MNIST_IDX),
            Source(
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
                "idx",
                _FASHION_MNIST_IDX,
            ),
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
            Source(f"{_BUCKET}/mnist.npz", "npz", _MNIST_NPZ),
            Source("https://ossci-datasets.s3.amazonaws.com/mnist", "idx", _MNIST_IDX),
        ),
    ),
)

CATALOG = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""The data sets by name, in alphabetical order."""
