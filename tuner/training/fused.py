"""Keras models that train a whole epoch in one compiled program and call Keras' callbacks between epochs.

On TensorFlow, the epoch is a :class:`~tuner.training.program.Program`, which trials of the same structure share.
On JAX, it is a scan over Keras' own ``train_step``. On both, callbacks can use the model's ``get_weights``, its
``rate`` and ``stop_training``, and change the learning rate of its optimizer if it follows no schedule.
"""

from __future__ import annotations

import keras

from tuner.training.fused_jax import JaxFused
from tuner.training.fused_tensorflow import TensorFlowFused

FusedModel = JaxFused if keras.backend.backend() == "jax" else TensorFlowFused
