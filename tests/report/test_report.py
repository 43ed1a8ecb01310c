"""``tuner report`` as text and as JSON, on a study that the scripted trainer ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.recipes import small_recipe
from tests.runs import run_in_vain, run_scripted
from tuner.cli.main import main

# Only the learning rate matters to the scripted trainer: a low one is best. batch_size 1 fails.
SPACE = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "dropout": {"type": "float", "low": 0.0, "high": 0.5},
    "optimizer": {"type": "choice", "choices": ["adam", "sgd"]},
    "momentum": {"type": "float", "low": 0.5, "high": 0.9, "when": {"optimizer": "sgd"}},
    "layers": 1,
    "units": 8,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a study of 24 trials, whose best ones lie at the lower end of the learning rate."""
    home = tmp_path_factory.mktemp("report") / ".tuner"
    search = {"sampler": "random", "pruner": "none", "seed": 1}
    run_scripted(home, small_recipe(space=SPACE, budget={"trials": 24, "epochs": 3}, search=search))
    return home


def report(home: Path, *options: str) -> Result:
    result = CliRunner().invoke(main, ["report", "small", "--home", str(home), *options])
    assert result.exit_code == 0, result.stderr
    return result


def as_json(home: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(report(home, "--json").stdout)
    return data


def test_the_json_has_importances_regions_and_the_paragraph(finished: Path) -> None:
    """Both measures rank the learning rate first. Momentum is left out, because not every trial has it."""
    data = as_json(finished)
    importances, rate = data["importances"], data["regions"]["learning_rate"]

    for measure in ("ped_anova", "fanova"):
        assert next(iter(importances[measure])) == "learning_rate"
        assert set(importances[measure]) == {"learning_rate", "dropout", "optimizer"}
        assert sum(importances[measure].values()) == pytest.approx(1)
    assert importances["left_out"] == ["momentum"]
    assert (rate["searched"], rate["end"], rate["limit"], rate["top"]) == ([0.001, 0.5], "lower", False, 3)
    assert data["top"][0]["params"]["learning_rate"] == rate["low"]
    assert sum(value["trials"] for value in data["regions"]["optimizer"]["values"]) == 3
    assert data["reading"].startswith("All 24 trials are complete. The best is trial ")


def test_the_paragraph_comes_before_the_tables(finished: Path) -> None:
    """Below the importances are their meaning and what is left out. A range whose end is reached is marked."""
    printed = report(finished).stdout
    paragraph, _, tables = printed.partition("\n\n")
    order = ["The best 10 of 'small'", "Importance of each parameter", "Left out", "Where the best 3 trials lie"]
    rate = next(line for line in tables.splitlines() if "at the lower end" in line)

    assert paragraph.replace("\n", " ") == as_json(finished)["reading"]
    assert max(len(line) for line in paragraph.splitlines()) <= 100
    assert "The most important parameter is learning_rate (" in " ".join(paragraph.split())
    assert [tables.index(title) for title in order] == sorted(tables.index(title) for title in order)
    assert "because not every trial has it: momentum." in tables
    assert rate.split()[:4] == ["learning_rate", "0.001", "to", "0.5"]
    assert rate.rstrip().endswith("at the lower end: consider a wider range")


def test_a_command_in_the_paragraph_can_be_copied(home: Path) -> None:
    """It is never wrapped, even if the name of the study is long."""
    name = "a study whose name is long " * 4
    run_scripted(home, small_recipe(budget={"trials": 2, "epochs": 1}), name=name.strip())
    result = CliRunner().invoke(main, ["report", name.strip(), "--home", str(home)])

    assert f"`tuner study start '{name.strip()}' --trials 4 --home {home}`." in result.stdout


@pytest.mark.parametrize(
    ("kind", "expected"), [(1, "All 2 trials failed (loss was nan in epoch 1)."), (16, "2 trials are complete")]
)
def test_a_study_with_few_results_is_reported_too(home: Path, kind: int, expected: str) -> None:
    """With failed or too few trials, some tables are left out, and a message gives the reason."""
    space = {"learning_rate": SPACE["learning_rate"], "batch_size": kind, "layers": 0}
    recipe = small_recipe(space=space, budget={"trials": 2, "epochs": 2})
    if kind == 1:
        run_in_vain(home, recipe, "2 failed")
    else:
        run_scripted(home, recipe)
    result, data = report(home), as_json(home)

    assert expected in result.stdout
    assert "lie" not in result.stdout
    assert ("it takes at least 4 complete trials, and there are 2" in result.stderr) == (kind == 16)
    assert ("tuner export" in result.stderr) == (kind == 16)
    assert data["importances"] == {"ped_anova": {}, "fanova": {}, "left_out": []}
    assert data["regions"] == {}
