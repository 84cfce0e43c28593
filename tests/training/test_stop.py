import os
import signal
from contextlib import suppress

import pytest

from containerid.training.stop import Stopped, stop_signals


def test_a_signal_ends_what_runs_and_is_named() -> None:
    with stop_signals() as stop:
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == "SIGTERM"


def test_a_second_signal_does_nothing() -> None:
    with stop_signals() as stop:
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == "SIGINT"


def test_a_signal_that_a_library_swallowed_is_raised_again() -> None:
    with stop_signals() as stop:
        with suppress(BaseException):
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped):
            stop.check()


def test_a_signal_while_something_is_being_started_waits() -> None:
    with stop_signals() as stop:
        with stop.hold():
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped):
            stop.check()
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_after_the_end_is_too_late() -> None:
    with stop_signals() as stop:
        stop.disarm()
        os.kill(os.getpid(), signal.SIGTERM)
        stop.check()


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
