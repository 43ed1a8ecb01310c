"""What the fork server imports once for all workers: the libraries that take seconds.

Importing runs no operation and touches no GPU, so the processes that are forked afterwards are sound.
"""

from tuner.training.runtime import quiet

quiet()

import keras  # noqa: E402
import sklearn.model_selection  # noqa: E402, F401

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf  # noqa: F401
