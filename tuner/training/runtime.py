"""Loads Keras and its backend, and prepares them in this process: settings, output, threads and device."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tuner.distribution import install
from tuner.environment import check_backend
from tuner.errors import RunError
from tuner.silence import silenced


def import_backend() -> None:
    """Import Keras and its backend without their output. The first time takes about 10 seconds.

    Raises:
        UsageError: If the backend cannot be used.
    """
    check_backend()
    with silenced():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow  # noqa: F401, ICN001


@contextmanager
def standard_keras() -> Iterator[None]:
    """Use the standard settings of Keras inside the block, whatever ``~/.keras/keras.json`` and its variables say.

    Afterwards, the settings are what they were: the calling program may have chosen them.
    """
    import keras

    config = keras.config
    before = [
        (config.set_floatx, config.floatx(), "float32"),
        (config.set_epsilon, config.epsilon(), 1e-7),
        (config.set_image_data_format, config.image_data_format(), "channels_last"),
        (config.set_dtype_policy, config.dtype_policy(), "float32"),
        (config.set_max_epochs, config.max_epochs(), None),
        (config.set_max_steps_per_epoch, config.max_steps_per_epoch(), None),
    ]
    try:
        for change, _, standard in before:
            change(standard)
        yield
    finally:
        for change, value, _ in before:
            change(value)


@contextmanager
def ready_keras(device: str) -> Iterator[None]:
    """Use the standard settings of Keras inside the block, and with ``cpu`` no other device."""
    import keras

    with standard_keras():
        if device == "cpu":
            with keras.device("cpu:0"):
                yield
        else:
            yield


def restrict_process(device: str, threads: int | None) -> None:
    """Set what a backend reads from the environment of its process when it starts. Only for our own processes.

    Args:
        device: With ``cpu``, the drivers of GPUs are not even loaded.
        threads: Number of CPU threads of JAX; TensorFlow gets it from :func:`prepare`.
    """
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several workers can share one GPU
    if threads is not None:
        os.environ.setdefault("NPROC", str(threads))  # read by XLA's pool of threads


def restrict_gpu(gpu: str, workers: int) -> None:
    """Let this process see one GPU alone. Only for our own processes, before a backend starts.

    Args:
        gpu: Number or UUID of the GPU.
        workers: How many processes share it. TensorFlow takes memory as it needs it; JAX gets its share of 90 %.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{0.9 / workers:.3f}")


def prepare(device: str = "auto", threads: int | None = None) -> str:
    """Import Keras and set device and threads.

    Args:
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``gpu``.
        threads: Number of CPU threads for one operation; ``None`` keeps the backend's default.

    Returns:
        The device, for people: ``cpu`` or the name of the GPU.

    Raises:
        UsageError: If the backend of Keras cannot be used.
        RunError: If ``device`` is ``gpu`` and there is no GPU.
    """
    import_backend()
    import keras

    with silenced():  # the search for a GPU prints a message for each missing driver
        name = _prepare_jax() if keras.backend.backend() == "jax" else _prepare_tensorflow(threads)
    if device == "gpu" and name == "cpu":
        raise RunError("no GPU was found", hint=f"use --device auto, or install the driver and `{install('gpu')}`")
    return "cpu" if device == "cpu" else name


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
