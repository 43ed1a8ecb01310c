"""Studies of each task, and without results, for pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.recipes import small_recipe
from tests.report.html.pages import Page, read_page
from tests.runs import run_scripted
from tuner.cli.main import main

# Only the learning rate matters to the scripted trainer: a low one is best. batch_size 1 fails.
SPACE: dict[str, Any] = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "optimizer": {"type": "choice", "choices": ["adam", "sgd"]},
    "batch_size": {"type": "choice", "choices": [1, 16, 32]},
    "layers": 1,
    "units": {"type": "int", "low": 8, "high": 64, "log": True},
}
Report = Callable[..., Page]


@pytest.fixture(scope="package")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the study ``small`` of 30 trials, some of them pruned or failed, with confirmations and a refit."""
    home = tmp_path_factory.mktemp("page") / ".tuner"
    recipe = small_recipe(
        description="Learns by a formula.",
        space=SPACE,
        budget={"trials": 30, "epochs": 4},
        search={"sampler": "random", "pruner": "median", "seed": 2},
        winner={"confirm": 2, "seeds": 2, "refit": True},
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("TUNER_STORAGE", raising=False)
        run_scripted(home, recipe)
    return home


def invoke(home: Path, *words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [*words, "--home", str(home)])


def page_of(home: Path, name: str = "small", *options: str) -> Page:
    """Return the page of a study."""
    result = invoke(home, "report", name, "--html", "-", *options)
    assert result.exit_code == 0, result.stderr
    return read_page(result.stdout)
