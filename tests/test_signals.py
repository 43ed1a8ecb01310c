"""The first signal requests a stop, the second ends the program."""

from __future__ import annotations

import signal
import threading

import pytest

from tuner.signals import stop_on_signals


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGINT, "interrupt"), (signal.SIGTERM, "terminate")])
def test_the_first_signal_requests_a_stop(number: signal.Signals, reason: str) -> None:
    """Nothing is interrupted. The run can read the reason."""
    with stop_on_signals() as request:
        assert request() is None
        signal.raise_signal(number)
        assert request() == reason


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_the_program_at_once(second: signal.Signals) -> None:
    """A user who presses Ctrl-C twice does not want to wait."""
    with stop_on_signals() as request:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)
        assert request() == "terminate"


def test_afterwards_signals_do_what_they_did_before() -> None:
    """The earlier handlers are restored, also after an error."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with pytest.raises(RuntimeError), stop_on_signals():
        raise RuntimeError

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_another_thread_handles_no_signals() -> None:
    """If a study runs in a thread of another program, that program handles the signals."""
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def run() -> None:
        with stop_on_signals() as request:
            seen.extend([signal.getsignal(signal.SIGINT), request()])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert seen == [before, None]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """``nohup tuner study start mnist &`` outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as request:
            signal.raise_signal(signal.SIGHUP)
            assert request() is None
    finally:
        signal.signal(signal.SIGHUP, before)
