"""The executors by name: our own, and those that other packages provide.

A package provides an executor with an entry point of the group ``tuner.executors``: its name, and a callable of the
type :data:`MakeExecutor`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from tuner.errors import UsageError, did_you_mean
from tuner.executors.base import Executor
from tuner.executors.devices import default_workers, find_gpus
from tuner.executors.inline import InlineExecutor
from tuner.executors.local import LocalExecutor
from tuner.executors.resources import Resources
from tuner.jobs import TrainerSetup

MakeExecutor = Callable[[TrainerSetup, Resources], Executor]
"""Creates an executor, which is not started. It raises ``UsageError`` if it cannot be used."""

GROUP = "tuner.executors"


def make_executor(name: str, setup: TrainerSetup, resources: Resources) -> Executor:
    """Create an executor.

    Args:
        name: ``local``, ``inline``, ``ray``, or the name of an entry point.
        setup: What all trials of the study share.
        resources: What the trainers may use.

    Raises:
        UsageError: If there is no executor of this name, or it cannot be used.
    """
    if name in _OURS:
        return _OURS[name](setup, resources)
    others = _others()
    if name not in others:
        names = sorted({*_OURS, *others})
        raise UsageError(f"there is no executor '{name}'", hint=did_you_mean(name, names))
    try:
        make = cast("MakeExecutor", others[name].load())
    except (ImportError, AttributeError) as error:
        raise UsageError(f"executor '{name}' cannot be loaded: {error}") from None
    return make(setup, resources)


def _others() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _inline(setup: TrainerSetup, _: Resources) -> Executor:
    return InlineExecutor(setup)


def _local(setup: TrainerSetup, resources: Resources) -> Executor:
    if resources.workers:
        return LocalExecutor(setup, resources.workers, threads=resources.threads)
    gpus = find_gpus() if setup.device != "cpu" else ()
    return LocalExecutor(setup, default_workers(gpus), threads=resources.threads, gpus=gpus)


def _ray(setup: TrainerSetup, resources: Resources) -> Executor:
    from tuner.executors.ray_cluster import require_ray

    require_ray()
    from tuner.executors.ray import RayExecutor

    return RayExecutor(setup, resources)


_OURS: dict[str, MakeExecutor] = {"local": _local, "inline": _inline, "ray": _ray}
