"""While a run trains, its coordinator keeps no copy of the data set: the trainers have their own."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from tests.houses import houses_csv
from tuner import open_study
from tuner.run.progress import Plan, Silent


class PlannedError(Exception):
    """Ends the run when its trainers would start."""


class Looks(Silent):
    """Looks for the data set when the run is about to train."""

    def __init__(self, data: object) -> None:
        self._data = weakref.ref(data)

    def planned(self, plan: Plan) -> None:
        """End the run."""
        gc.collect()
        raise PlannedError("kept" if self._data() is not None else "gone")


def arrays(folder: Path) -> Path:
    """Write a small data set of arrays."""
    random = np.random.default_rng(0)
    x, y = random.random((60, 4), np.float32), np.arange(60) % 3
    np.savez(folder / "few.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return folder / "few.npz"


@pytest.mark.parametrize(("write", "target"), [(arrays, None), (houses_csv, "sold")])
def test_the_coordinator_lets_go_of_the_rows(write: object, target: str | None, tmp_path: Path) -> None:
    """Whether they were read before the run or by it; afterwards they can be read again."""
    assert callable(write)
    study = open_study(write(tmp_path), target=target, home=tmp_path / ".tuner")
    looks = Looks(study.load_data())

    with pytest.raises(PlannedError, match="gone"):
        study.run(trials=1, workers=1, executor="inline", progress=looks)
    assert study.load_data().train_rows > 0
