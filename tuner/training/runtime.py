"""Prepare Keras and its backend in this process: silence, threads, device. Call before anything imports Keras."""

from __future__ import annotations

import os

from tuner.errors import RunError
from tuner.silence import silenced


def import_backend() -> None:
    """Import Keras and its backend without their notices; takes about 10 seconds the first time."""
    with silenced():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow  # noqa: F401, ICN001


def prepare(device: str = "auto", threads: int | None = None) -> str:
    """Import Keras and set this process up.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu`` or ``gpu``.
        threads: CPU threads that one operation may use; ``None`` leaves the backend's choice.

    Returns:
        What will be used, for people: ``cpu`` or the GPU's name.

    Raises:
        RunError: If ``gpu`` was asked for and there is none.
    """
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import_backend()
    import keras

    with silenced():  # looking for a GPU speaks of every driver that is missing
        found = _prepare_jax() if keras.backend.backend() == "jax" else _prepare_tensorflow(threads)
    if device == "gpu" and found == "cpu":
        raise RunError(
            "no GPU was found", hint="use --device auto, or install the driver and `pip install 'tuner[gpu]'`"
        )
    return found


def _prepare_tensorflow(threads: int | None) -> str:
    import tensorflow as tf

    if threads is not None and not tf.config.threading.get_intra_op_parallelism_threads():
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            pass  # the embedding program has used TensorFlow already: its choice stands
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, enable=True)  # several workers share one GPU
        except RuntimeError:
            break
    if not gpus:
        return "cpu"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu"))


def _prepare_jax() -> str:
    import jax

    device = jax.devices()[0]
    return "cpu" if device.platform == "cpu" else str(device.device_kind)
