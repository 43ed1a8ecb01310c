"""What the fork server imports once for all workers: the libraries that take seconds.

Importing runs no operation and touches no GPU, so the processes that are forked afterwards are sound.
"""

import sklearn.model_selection  # noqa: F401

from tuner.signals import ignore_signals
from tuner.training.runtime import import_backend

ignore_signals()  # it must be there to replace a worker while the last epochs finish; it ends with the coordinator
import_backend()
