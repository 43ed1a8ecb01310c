"""Connects to a Ray cluster, and says how many trainers fit on each of its nodes."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from tuner.distribution import install
from tuner.environment import available_cores
from tuner.errors import RunError, UsageError
from tuner.executors.interpreter import child_environment
from tuner.silence import silenced

LOCAL = "local"
_CONNECT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster that is alive.

    Attributes:
        id: Ray's id.
        name: Its host name or address, for people.
        capacity: How many trainers fit on it.
    """

    id: str
    name: str
    capacity: int


def require_ray() -> None:
    """Check that Ray is installed.

    Raises:
        UsageError: If it is not.
    """
    if find_spec("ray") is None:
        raise UsageError("trainers on a Ray cluster need Ray, which is not installed", hint=install("ray"))


class Cluster:
    """A connection to a cluster. A cluster that this object started ends with it.

    Args:
        address: ``local`` starts a cluster on this machine; ``auto`` finds the one that this machine belongs to; other
            addresses are Ray's, such as ``ray://host:10001``.
        cpus: CPUs of each trainer.
        gpus: GPUs of each trainer.

    Raises:
        RunError: If there is no such cluster.
    """

    def __init__(self, address: str, *, cpus: int, gpus: float) -> None:
        import ray

        self._cpus, self._gpus = cpus, gpus
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(address)

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive, in a fixed order."""
        import ray

        alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        return [
            Node(node["NodeID"], str(node["NodeManagerHostname"] or node["NodeName"]), self._fitting(node["Resources"]))
            for node in sorted(alive, key=lambda node: str(node["NodeID"]))
        ]

    def _fitting(self, resources: dict[str, float]) -> int:
        fitting = resources.get("CPU", 0.0) // self._cpus
        if self._gpus:
            each = int(1 / self._gpus + 1e-9) if self._gpus < 1 else 1 / self._gpus  # a fraction is of one GPU
            fitting = min(fitting, resources.get("GPU", 0.0) * each)
        return int(fitting)

    def request(self, trainers: int) -> None:
        """Ask a cluster that can grow for room for so many trainers. Others ignore it."""
        from ray.autoscaler.sdk import request_resources

        bundle = {"CPU": self._cpus} | ({"GPU": self._gpus} if self._gpus else {})
        with suppress(Exception):
            request_resources(bundles=[bundle] * trainers)

    def spawn(self, actor: type[Any], node: Node, *arguments: Any) -> Any:
        """Start an actor on a node, which is never restarted; returns its handle."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options = ray.remote(actor).options(
            num_cpus=self._cpus,
            num_gpus=self._gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=4,  # events, jobs and instructions do not wait for each other
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        return options.remote(*arguments)

    def close(self) -> None:
        """Disconnect, and end a cluster that was started for this run. A second call does nothing."""
        import ray

        if self._ours:
            self._ours = False
            with silenced():
                ray.shutdown()


def _connect(address: str) -> None:
    import ray

    settings: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        settings |= {"num_cpus": available_cores(), "include_dashboard": False}
    try:
        _check_port(address)
        with _without_secrets(), _private_files(), silenced():
            ray.init(address=address, **settings)
    except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
        reason = str(error).strip().partition("\n")[0]
        if address == LOCAL:
            raise RunError(
                f"no Ray cluster can be started on this machine: {reason}",
                hint="it writes into ~/.ray and into /tmp/ray: HOME and RAY_TMPDIR name folders that you may write",
            ) from None
        raise RunError(
            f"there is no Ray cluster at {address}: {reason}",
            hint="start one with `ray start --head`, or use --ray local for a cluster on this machine",
        ) from None


def _check_port(address: str) -> None:
    """Raise ``OSError`` if nothing listens at an address with a port: Ray would wait for it for ever."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT).close()


@contextmanager
def _private_files() -> Iterator[None]:
    """Keep what Ray writes from other users of this machine: it would let them read a new token."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _without_secrets() -> Iterator[None]:
    """Hide passwords from the processes that Ray starts: they inherit the environment."""
    before = dict(os.environ)
    for name in before.keys() - child_environment().keys():
        del os.environ[name]
    try:
        yield
    finally:
        for name in before.keys() - os.environ.keys():
            os.environ[name] = before[name]
