"""Formatting of numbers, parameters and curves as short text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.records import ParamValue
from tuner.report.text import brief, duration, metric, network, number, sparkline


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.integers(1, 20))
def test_a_sparkline_has_a_block_per_value_and_shows_the_last_ones(values: list[float], width: int) -> None:
    """The lowest value shown has the lowest block and the highest the highest."""
    shown = values[-width:]
    line = sparkline(values, width)

    assert len(line) == len(shown)
    if len(set(shown)) > 1:
        assert line[shown.index(min(shown))] == "▁"
        assert line[shown.index(max(shown))] == "█"


def test_a_flat_curve_is_drawn_in_the_middle() -> None:
    """There is no highest or lowest value."""
    assert sparkline([0.5, 0.5]) == "▄▄"
    assert sparkline([]) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (8.24, "8.2 s"),
        (59.94, "59.9 s"),
        (59.97, "1:00 min"),
        (185, "3:05 min"),
        (3599.6, "1:00:00 h"),
        (3723, "1:02:03 h"),
        (100_000, "27:46:40 h"),
    ],
)
def test_a_duration_has_the_unit_that_fits(seconds: float, text: str) -> None:
    """Rounding never shows 60 seconds or 60 minutes."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0.001, "0.001"),
        (0.00012345, "0.0001234"),
        (0.3, "0.3"),
        (1e-7, "1e-07"),
        (128, "128"),
        (True, "yes"),
        (False, "no"),
        ("adam", "adam"),
    ],
)
def test_a_number_has_four_significant_digits(value: ParamValue | None, text: str) -> None:
    """Four significant digits; flags become words."""
    assert number(value) == text


def test_a_metric_has_four_decimals() -> None:
    """Columns line up."""
    assert metric(0.98) == "0.9800"
    assert metric(None) == ""


def test_a_network_is_its_widths() -> None:
    """Softmax regression has no hidden layer."""
    assert network({"layers": 2, "units_0": 256, "units_1": 128, "dropout": 0.1}) == "256-128"
    assert network({f"units_{i}": i for i in range(11)}) == "0-1-2-3-4-5-6-7-8-9-10"
    assert network({"layers": 0}) == "-"


def test_the_brief_form_tells_trials_apart() -> None:
    """Network, optimizer and the main parameters, in a fixed order. Missing parameters are left out."""
    params: dict[str, ParamValue] = {"batch_size": 64, "dropout": 0.25, "optimizer": "sgd", "learning_rate": 0.0123456}

    assert brief(params) == "sgd  lr 0.01235  drop 0.25  batch 64"
    assert brief({"units_0": 32, **params, "activation": "relu"}) == "32  sgd  lr 0.01235  drop 0.25  batch 64  relu"
    assert brief({}) == ""
