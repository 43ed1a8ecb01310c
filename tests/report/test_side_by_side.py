"""``tuner study compare``: what differed, whether a comparison is fair, and who won by how much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.cli.main import main
from tuner.results.side_by_side import Side, compare_sides
from tuner.search.confirmation import Standing

LOW, HIGH = ({"learning_rate": {"type": "float", "low": low, "high": 2 * low}, "layers": 0} for low in (0.01, 0.2))
CONFIRMED = {"confirm": 2, "seeds": 2}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Studies of the scripted trainer, for which a low learning rate is best."""
    home = tmp_path_factory.mktemp("compare") / ".tuner"
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("TUNER_STORAGE", raising=False)
        run_scripted(home, small_recipe(space=LOW, winner=CONFIRMED), name="low")
        run_scripted(home, small_recipe(space=HIGH, winner=CONFIRMED), name="high")
        run_scripted(home, small_recipe(space=HIGH), name="once")
        run_scripted(home, small_recipe(space=LOW, objective={"metric": "val_loss"}), name="other")
    return home


def compare(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["study", "compare", *words, "--home", str(home)])


def compared(home: Path, *names: str) -> dict[str, Any]:
    result = compare(home, *names, "--json")
    assert result.exit_code == 0, result.stderr
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def test_confirmed_studies_are_compared_with_the_noise_between_seeds(home: Path) -> None:
    """The scripted trainer has no noise, so any lead is real. What differed is the range of one parameter."""
    data, printed = compared(home, "high", "low"), compare(home, "high", "low")
    means = {study["study"]: study["value"] for study in data["studies"]}

    assert (data["verdict"]["winner"], data["verdict"]["real"]) == ("low", True)
    assert data["verdict"]["difference"] == pytest.approx(means["low"] - means["high"])
    assert data["differences"] == {"space: learning_rate": ["0.2 to 0.4", "0.01 to 0.02"]}
    assert "'low' is better than 'high' by" in printed.stdout
    assert "more than the noise" in printed.stdout
    assert "tuner study compare high low --html compare.html" in printed.stderr


def test_without_further_seeds_the_noise_is_unknown(home: Path) -> None:
    """A lead of single values is stated, but not called real."""
    assert compared(home, "once", "low")["verdict"]["real"] is None
    assert "Whether that is more than noise is unknown" in " ".join(compare(home, "once", "low").stdout.split())


def test_studies_with_another_objective_are_not_compared(home: Path) -> None:
    """They are shown side by side, and no winner is named."""
    data = compared(home, "low", "other")

    assert (data["fair"], data["verdict"]) == (False, None)
    assert "This comparison is not fair: the objective differs" in " ".join(
        compare(home, "low", "other").stdout.split()
    )


def side(name: str, fingerprint: str = "a", values: tuple[float, ...] = ()) -> Side:
    """Return a study whose winner reached these values with further seeds."""
    mean = sum(values) / len(values) if values else 0.0
    standing = Standing(0, tuple(range(1, len(values) + 1)), values, mean, 0.01, 1) if values else None
    return Side(name, small_recipe(), fingerprint, {}, None, standing, {}, 1, 1.0)


def test_a_lead_below_two_standard_errors_is_within_the_noise() -> None:
    """The error of the difference is that of both means: 0.014 if each has 0.01."""
    near, far = (compare_sides([side("a", values=(0.9,)), side("b", values=(b,))]).verdict for b in (0.92, 0.93))

    assert near is not None
    assert far is not None
    assert (near.real, far.real) == (False, True)
    assert near.error == pytest.approx(0.01414, abs=1e-5)


def test_other_data_is_not_fair() -> None:
    """Values on other rows say nothing of the search."""
    assert compare_sides([side("a", "a", (0.9,)), side("b", "b", (0.95,))]).unfair == ("the data differ",)


def test_one_study_is_not_a_comparison(home: Path) -> None:
    """One line says so, and one how to find others."""
    result = compare(home, "low")

    assert result.exit_code == 2
    assert "a comparison takes two or more studies, got 'low'" in result.stderr
