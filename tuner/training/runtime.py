"""Prepare Keras and its backend in this process: silence, threads, device. Call before anything imports Keras."""

from __future__ import annotations

import os

from tuner.errors import RunError


def quiet() -> None:
    """Keep TensorFlow's C++ and oneDNN notices away from the user's terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its notice aside, oneDNN makes sums depend on threads


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
    quiet()
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import keras

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
