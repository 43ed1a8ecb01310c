"""Nodes of a Ray cluster are killed while a study runs: every trial ends once, and nothing is lost."""

from __future__ import annotations

import os
import random
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine

from tests.chaos.audit import FINISHED, Audit
from tests.ray_cluster import MISSING, ray_cluster
from tests.recipes import small_recipe
from tests.runs import SETUP, Recorder, run_scripted
from tests.scripted import ScriptedTrainer
from tuner.executors.resources import Resources
from tuner.run.progress import RunView

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason=MISSING)
ROUNDS = int(os.environ.get("CHAOS_NODES", "10"))
SPACE = {"learning_rate": {"type": "float", "low": 0.001, "high": 0.5}, "batch_size": 3, "layers": 1, "units": 8}
TRIALS, EPOCHS = 8, 10


def test_a_node_that_dies_costs_no_trial(tmp_path: Path) -> None:
    """A trial of the dead node goes on elsewhere from its checkpoint; ten rounds."""
    from tuner.executors.ray import RayExecutor

    moment = random.Random(0)  # noqa: S311 - no secret
    recipe = small_recipe(
        space=SPACE, budget={"trials": TRIALS, "epochs": EPOCHS}, search={"sampler": "random", "pruner": "none"}
    )
    continued = 0
    with ray_cluster(cpus=1) as cluster:
        for number in range(ROUNDS):
            home = tmp_path / str(number)
            executor = RayExecutor(SETUP, Resources(), ScriptedTrainer)
            killer = _Killer(cluster, cluster.add_node(num_cpus=1), moment.uniform(0.3, 2.5))
            run_scripted(home, recipe, executor=executor, recorder=Recorder(on_update=killer.look))
            assert killer.done, "the study ended before the node was killed"
            engine = create_engine(f"sqlite:///{home}/studies.db", poolclass=NullPool)
            audit = Audit(engine, home / "artifacts")
            states = audit.check()
            attempts = audit._rows("SELECT trial_number, outcome, reason, first_epoch FROM tuner_attempt")
            engine.dispose()
            assert len(states) == TRIALS
            assert set(states.values()) <= FINISHED
            assert Counter(outcome for _, outcome, _, _ in attempts)["complete"] >= 1
            continued += sum(first > 0 for _, _, _, first in attempts)
    assert continued > 0


class _Killer:
    """Removes a node after some seconds with two running trials.

    Attributes:
        done: Whether it was removed.
    """

    def __init__(self, cluster: Any, node: Any, after: float) -> None:
        self._cluster, self._node, self._after = cluster, node, after
        self._seen: float | None = None
        self.done = False

    def look(self, view: RunView) -> None:
        if len(view.running) == 2 and self._seen is None:
            self._seen = view.elapsed
        if not self.done and self._seen is not None and view.elapsed > self._seen + self._after:
            self.done = True
            self._cluster.remove_node(self._node, allow_graceful=False)
