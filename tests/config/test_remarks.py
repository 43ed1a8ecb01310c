"""Remarks about valid recipes: nothing to search, parameters without effect, batches larger than the data."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recipes import small_recipe
from tuner.config.remarks import remarks

RATE = {"learning_rate": {"type": "float", "low": 0.01, "high": 0.1}}
WIDTHS = {"units": {"type": "int", "low": 8, "high": 64}}
OPTIMIZERS = {"optimizer": {"type": "choice", "choices": ["adam", "sgd"]}}
MOMENTUM = {"momentum": {"type": "float", "low": 0.1, "high": 0.9}}


def remarks_on(space: dict[str, Any], sampler: str = "auto", rows: int | None = None) -> tuple[str, ...]:
    """Return the remarks on a search of seven trials over a space."""
    search = {"sampler": sampler, "pruner": "none"}
    return remarks(small_recipe(space=space, search=search, budget={"trials": 7, "epochs": 2}), rows)


@pytest.mark.parametrize(
    ("space", "sampler", "expected"),
    [
        ({"layers": 1}, "auto", "there is nothing to search: [space] has one configuration, so 1 of 7 trials is run"),
        (
            {"layers": 1, "units": {"type": "int", "low": 8, "high": 8}},
            "random",
            "there is nothing to search: [space] has one configuration; each trial trains it with another seed",
        ),
        (OPTIMIZERS, "auto", "[space] has 2 configurations, so 2 of 7 trials are run"),
        (
            {**RATE, **WIDTHS, "layers": 0},
            "auto",
            "'units' can have no effect: `layers` is always 0, and it belongs to hidden layers",
        ),
        (
            {**RATE, **MOMENTUM},
            "auto",
            "'momentum' can have no effect: only the optimizer sgd uses it, and it is never chosen",
        ),
    ],
)
def test_what_an_author_may_not_expect_is_said(space: dict[str, Any], sampler: str, expected: str) -> None:
    """One line for each."""
    assert remarks_on(space, sampler) == (expected,)


def test_an_ordinary_search_needs_no_remark() -> None:
    """A parameter that matters for some configurations is no reason for one."""
    space = {**RATE, **WIDTHS, **OPTIMIZERS, **MOMENTUM, "layers": {"type": "int", "low": 0, "high": 1}}

    assert remarks_on(space, rows=500) == ()


@pytest.mark.parametrize(
    "size", [512, {"type": "choice", "choices": [32, 512]}, {"type": "int", "low": 1, "high": 512}]
)
def test_a_batch_larger_than_the_data_is_said(size: object) -> None:
    """The default of 128 counts, too."""
    assert remarks_on({**RATE, "batch_size": size}, rows=500) == (
        "a batch_size of 512 is more than the 500 training rows: each step then takes all rows",
    )
    assert remarks_on(RATE, rows=100)
    assert remarks_on({**RATE, "batch_size": size}, rows=512) == ()
