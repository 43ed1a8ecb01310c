"""A small recipe cannot ask for gigabytes: what it describes is counted before any of it is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.measured import measured
from tuner.config.dimensions import Float, Int

GRID = "[search]\nsampler = 'grid'\n"
MANY = ", ".join(f"{number / 100}" for number in range(99))
NAMES = ("dropout", "input_dropout", "momentum", "weight_decay", "label_smoothing")
RANGES = "".join(f"{name} = {{ type = 'float', low = 0.0, high = 0.98 }}\n" for name in NAMES)
WHEN = ", ".join(f"{name} = [{MANY}]" for name in NAMES)

RECIPES = {
    "a tiny step": (
        GRID + "[space]\ndropout = { type = 'float', low = 0.0, high = 0.9, step = 1e-9 }\n",
        "a grid has at most 100,000 configurations, but 'dropout' alone has 900,000,001 values",
    ),
    "whole numbers without end": (
        GRID + "[space]\nbatch_size = { type = 'int', low = 1, high = 2_000_000_000 }\n",
        "'batch_size' alone has 2,000,000,000 values",
    ),
    "a step below all digits": (
        "[space]\ndropout = { type = 'float', low = 0.0, high = 0.9, step = 1e-320 }\n",
        "a range has at most 1,000,000,000,000,000 steps, got low=0.0, high=0.9, step=1e-320",
    ),
    "a range beyond all numbers": (
        "[space]\nweight_decay = { type = 'float', low = 0.0, high = 1e308, step = 1e-9 }\n",
        "a range has at most",
    ),
    "a batch of more digits than a number may have": (
        f"[space]\nbatch_size = {'9' * 400}\n",
        "batch_size: must be less than or equal to 2147483647",
    ),
    "a range of whole numbers of 400 digits": (
        f"[space]\nbatch_size = {{ type = 'int', low = 1, high = {'9' * 400} }}\n",
        "batch_size: must be less than or equal to 2147483647",
    ),
    "conditions on all values of everything": (
        f"[space]\n{RANGES}batch_size = {{ type = 'choice', choices = [32, 64], when = {{ {WHEN} }} }}\n",
        "the conditions in [space] distinguish more than 10,000 cases",
    ),
    "too many choices": (
        f"[space]\nbatch_size = {{ type = 'choice', choices = {list(range(1, 50_000))} }}\n",
        "'batch_size' in [space] has 49,999 choices, at most 1,000 are searched",
    ),
    "too many trials": ("[budget]\ntrials = 1_000_000_000_000\n[space]\n", "budget.trials: must be less than"),
    "too many epochs": ("[budget]\nepochs = 1_000_000_000_000\n[space]\n", "budget.epochs: must be less than"),
    "too many seeds": ("[winner]\nconfirm = 1\nseeds = 1_000_000_000\n[space]\n", "winner.seeds: must be less than"),
    "too many layers": ("[space]\nlayers = 1_000_000\n", "layers: must be less than or equal to 32"),
    "a model for each value": (
        "[search]\nsampler = 'gp'\n[space]\nbatch_size = { type = 'int', low = 1, high = 2_000_000_000 }\n",
        "sampler 'gp' lists all values of 'batch_size': it has 2,000,000,000, at most 1,000,000 are possible",
    ),
    "lists in lists": (f"[space]\nlayers = {'[' * 3000}{']' * 3000}\n", "it is nested more than 50 levels deep"),
    "tables in tables": (f"[space]\nlayers = {'{a=' * 200}1{'}' * 200}\n", "it is nested more than 50 levels deep"),
    "a key of tens of thousands of parts": (f"[space]\n{'a.' * 30_000}a = 1\n", "a dotted key has more than 32 parts"),
    "a quoted key of many parts": ("[space]\n" + "\"a.=\\\"\" . 'b' ." * 20 + "a = 1\n", "a dotted key has more"),
    "a number of too many digits": (f"[space]\nlayers = {'9' * 5000}\n", "mine.toml is not TOML: Exceeds the limit"),
    "too many start configurations": (
        "[space]\n" + "[[start]]\nlabel = 'x'\nparams = {}\n" * 2000,
        "start: Tuple should have at most 1000 items",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RECIPES)
def test_a_recipe_of_a_few_bytes_takes_no_gigabytes(tmp_path: Path, case: str) -> None:
    """`tuner space check` says in one line what is too large, before it makes any of it."""
    text, message = RECIPES[case]
    file = tmp_path / "mine.toml"
    file.write_text(f"data = 'digits'\n{text}")
    checked = measured("space", "check", str(file), folder=tmp_path)

    assert checked.exit_code == 2, checked.stderr
    first = checked.stderr.splitlines()[0]
    assert message in first
    assert len(first) < 1000
    assert checked.growth < 200_000_000


@pytest.mark.parametrize(
    "dimension",
    [Int(low=1, high=1, log=True), Int(low=3, high=100, log=True), Int(low=16, high=16 * 2**9, log=True),
     Int(low=1, high=64, step=9), Float(low=0.1, high=0.9, step=0.1), Float(low=0.5, high=0.5)],
)  # fmt: skip
def test_the_size_of_a_grid_is_the_number_of_its_points(dimension: Int | Float) -> None:
    """It is computed without making them."""
    assert dimension.grid_size() == len(dimension.points() or ())
