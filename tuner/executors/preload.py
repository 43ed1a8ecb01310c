"""Imports slow libraries once in the fork server, so that workers start fast.

The imports run no operation and do not use the GPU, so it is safe to fork processes afterwards. For functions that no
trainer calls, Keras and TensorFlow also import other packages if they are installed. That would take half of the time,
so these packages are hidden meanwhile.
"""

import gc
import sys

from tuner.environment import backend
from tuner.signals import ignore_signals
from tuner.training.runtime import import_backend

_NOT_NEEDED = ["IPython", "matplotlib", "pandas", "sklearn", *(["jax", "scipy"] if backend() == "tensorflow" else [])]

ignore_signals()  # the server must be able to replace a worker until the coordinator ends
hidden = [name for name in _NOT_NEEDED if name not in sys.modules]
for name in hidden:
    sys.modules[name] = None  # type: ignore[assignment]  # Python refuses to import it
gc.disable()  # each collection would look at a million new objects, and find nothing to free
try:
    import_backend()
finally:
    gc.enable()
    for name in hidden:
        del sys.modules[name]
gc.freeze()  # so that workers do not look at them either, and share their memory
