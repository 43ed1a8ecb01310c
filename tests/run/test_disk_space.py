"""The disk space that a study may need, and the warning if the disk has less."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes import small_recipe
from tests.schemas import numbers
from tuner.cli.live import announce
from tuner.run.disk_space import CHECKPOINT_BYTES, MODEL_BYTES, bytes_needed
from tuner.run.progress import DiskSpace, Plan
from tuner.search.size_limit import weights_for

WEIGHTS = weights_for(numbers((10,), 2))


def test_the_largest_network_of_the_space_decides() -> None:
    """Two layers of 64 units with 10 inputs and 2 classes: 5 models, 1 in writing, 3 checkpoints of 1 worker."""
    space = {"layers": {"type": "int", "low": 1, "high": 2}, "units": {"type": "int", "low": 4, "high": 64}}
    weights = 10 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2

    expected = weights * (6 * MODEL_BYTES + 3 * CHECKPOINT_BYTES)
    assert bytes_needed(small_recipe(space=space), WEIGHTS, 1) == expected


def test_paused_trials_and_workers_add_their_files() -> None:
    """A pruner that pauses trials needs `keep_checkpoints` more. `max_parameters` bounds the network."""
    budget = {"trials": 100, "epochs": 9}
    pausing = {"sampler": "random", "pruner": "asha"}
    least = bytes_needed(small_recipe(budget=budget), WEIGHTS, 1)

    assert bytes_needed(small_recipe(budget=budget), WEIGHTS, 2) > least
    more = bytes_needed(small_recipe(budget=budget, search=pausing), WEIGHTS, 1) - least
    assert more == 16 * CHECKPOINT_BYTES * (10 * 8 + 8 + 8 * 2 + 2)
    assert bytes_needed(small_recipe(budget={**budget, "max_parameters": 10}), WEIGHTS, 1) < least


@pytest.mark.parametrize(("available", "warns"), [(999, True), (1000, False)])
def test_a_disk_with_less_room_than_the_study_may_need_is_named(available: int, warns: bool) -> None:
    """The line says how much is needed, how much there is, and which settings need less."""
    disk = DiskSpace(Path("runs/artifacts"), 1000, available)
    text = announce(Plan("small", 0, 6, 4, 1, 10.0, None, disk))

    assert ("models and checkpoints may need 1.0 kB, and runs/artifacts has room for 999 bytes" in text) is warns
