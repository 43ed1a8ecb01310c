"""Ray clusters of several nodes on this machine, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

MISSING = "Ray is not installed: pip install 'mlp-tuner[ray]'"


@contextmanager
def ray_cluster(cpus: int = 1) -> Iterator[Any]:
    """Yield a cluster whose head has room for ``cpus`` trainers, and connect this process to it."""
    pytest.importorskip("ray", reason=MISSING)
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus, "include_dashboard": False})
    try:
        ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]


def nodes() -> int:
    """Return the number of nodes that are alive."""
    import ray

    return sum(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]
