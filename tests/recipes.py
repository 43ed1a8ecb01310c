"""Small recipes for tests."""

from __future__ import annotations

from typing import Any

from tuner.config.recipe import Recipe, parse_recipe


def small_recipe(**changes: Any) -> Recipe:
    """Return a recipe that searches the learning rate for the digits. ``changes`` replace whole tables."""
    raw: dict[str, Any] = {
        "name": "small",
        "data": "digits",
        "budget": {"trials": 6, "epochs": 4},
        "search": {"sampler": "random", "pruner": "none"},
        "space": {"learning_rate": {"type": "float", "low": 0.001, "high": 0.5}, "layers": 1, "units": 8},
    }
    return parse_recipe(raw | changes, "test")


def always(kind: int) -> dict[str, Any]:
    """Return a space in which the scripted trainer behaves the same in all trials, as it does for ``kind``."""
    return {"learning_rate": {"type": "float", "low": 0.001, "high": 0.5}, "batch_size": kind, "layers": 0}
