"""What the fork server imports once for all workers: the libraries that take seconds.

Importing runs no operation and touches no GPU, so the processes that are forked afterwards are sound.
"""

import sklearn.model_selection  # noqa: F401

from tuner.training.runtime import import_backend

import_backend()
