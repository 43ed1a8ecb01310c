"""The first signal is a wish, the second ends the program."""

from __future__ import annotations

import signal
import threading

import pytest

from tuner.signals import stop_on_signals


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "interrupt"), (signal.SIGTERM, "terminate")])
def test_the_first_signal_is_a_wish(number: signal.Signals, reason: str) -> None:
    """Nothing is interrupted; the run hears why it should end when it asks."""
    with stop_on_signals() as wish:
        assert wish() is None
        signal.raise_signal(number)
        assert wish() == reason


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_the_program_at_once(second: signal.Signals) -> None:
    """Whoever presses Ctrl-C twice does not want to wait."""
    with stop_on_signals() as wish:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)
        assert wish() == "terminate"


def test_afterwards_signals_do_what_they_did_before() -> None:
    """Handlers are put back, also after an error."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with pytest.raises(RuntimeError), stop_on_signals():
        raise RuntimeError

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_hears_no_signals() -> None:
    """A study that runs in a thread of somebody's program leaves the signals to that program."""
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def run() -> None:
        with stop_on_signals() as wish:
            seen.extend([signal.getsignal(signal.SIGINT), wish()])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert seen == [before, None]
