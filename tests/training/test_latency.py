"""Measuring how long a model takes for one row."""

from __future__ import annotations

import time

import keras
import numpy as np
import pytest

from tuner.training import latency
from tuner.training.rows import place


def test_a_prediction_takes_well_below_a_second() -> None:
    """The result is in milliseconds for one raw row."""
    model = keras.Sequential([keras.Input((8, 8), dtype="uint8"), keras.layers.Flatten(), keras.layers.Dense(10)])
    x, _ = place(np.zeros((3, 8, 8), np.uint8), np.zeros(3, np.uint8))

    assert 0 < latency.latency_ms(model, x[:1]) < 1000


def test_it_is_the_median_of_many_calls_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first calls and single slow calls do not count."""
    calls: list[float] = []

    def predict() -> None:
        slow = len(calls) < latency.WARM_UP or len(calls) % 10 == 0
        calls.append(0.05 if slow else 0.001)
        time.sleep(calls[-1])

    monkeypatch.setattr(latency, "_compiled", lambda model, row: predict)

    assert latency.latency_ms(None, None) < 40
    assert len(calls) == latency.WARM_UP + latency.TIMES
