"""One of several coordinators of a study, in a process of its own, with a trainer that follows a script.

python -m tests.chaos.coordinator URL HOME TRIALS [MACHINE]

With MACHINE, its lease looks like one of another machine: whether it lives can only be seen from the renewals, which
are more frequent than in reality.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from tuner_storage import lease, locate
from tuner_storage.owner import this_owner

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.config.recipe import Recipe
from tuner.run import sharing


def recipe(trials: int) -> Recipe:
    """Return a search with rungs, confirmations and a refit, whose epochs take 0.2 s and write checkpoints."""
    return small_recipe(
        budget={"trials": trials, "epochs": 6},
        search={"sampler": "random", "pruner": "asha"},
        winner={"confirm": 2, "seeds": 1, "refit": True},
        space={**small_recipe().space, "batch_size": 3},
    )


def main(url: str, home: str, trials: str, machine: str | None = None) -> None:
    """Run to the end."""
    lease.DURATION, lease.RENEWAL, sharing.LOOK = timedelta(seconds=3), 0.5, 0.5
    own = f"{machine}:{this_owner().split(':')[1]}:1" if machine else this_owner()
    location = locate(url, Path(home))
    stopped_by = run_scripted(Path(home), recipe(int(trials)), location=location, shared_as=own).stopped_by
    assert stopped_by is None, stopped_by


if __name__ == "__main__":
    main(*sys.argv[1:])
