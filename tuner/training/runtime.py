"""Prepares Keras and its backend in this process: output, threads and device. Call this before Keras is imported."""

from __future__ import annotations

import os

from tuner.errors import RunError
from tuner.silence import silenced


def import_backend() -> None:
    """Import Keras and its backend without their output. The first time takes about 10 seconds."""
    with silenced():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow  # noqa: F401, ICN001


def prepare(device: str = "auto", threads: int | None = None) -> str:
    """Import Keras and set device and threads.

    Args:
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``gpu``.
        threads: Number of CPU threads for one operation; ``None`` keeps the backend's default.

    Returns:
        The device, for people: ``cpu`` or the name of the GPU.

    Raises:
        RunError: If ``device`` is ``gpu`` and there is no GPU.
    """
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import_backend()
    import keras

    with silenced():  # the search for a GPU prints a message for each missing driver
        name = _prepare_jax() if keras.backend.backend() == "jax" else _prepare_tensorflow(threads)
    if device == "gpu" and name == "cpu":
        raise RunError(
            "no GPU was found", hint="use --device auto, or install the driver and `pip install 'tuner[gpu]'`"
        )
    return name


def _prepare_tensorflow(threads: int | None) -> str:
    import tensorflow as tf

    if threads is not None and not tf.config.threading.get_intra_op_parallelism_threads():
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            pass  # the calling program has already used TensorFlow, so its settings stay
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, enable=True)  # several workers can share one GPU
        except RuntimeError:
            break
    if not gpus:
        return "cpu"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu"))


def _prepare_jax() -> str:
    import jax

    device = jax.devices()[0]
    return "cpu" if device.platform == "cpu" else str(device.device_kind)
