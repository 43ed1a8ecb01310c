"""Imports slow libraries once in the fork server, so that workers start fast.

The imports run no operation and do not use the GPU, so it is safe to fork processes afterwards.
"""

import sklearn.model_selection  # noqa: F401

from tuner.signals import ignore_signals
from tuner.training.runtime import import_backend

ignore_signals()  # the server must be able to replace a worker until the coordinator ends
import_backend()
