"""The stop flag when the signal arrives inside the wait itself, between any two of its lines."""

import sys

import pytest

from bot.stop_flag import StopFlag


def lines_of_wait(act):
    """Wait on a flag and call act with the number of each line of the wait just before it runs, as a handler would."""
    flag, seen = StopFlag(), []

    def trace(frame, happened, _):
        if frame.f_code is not StopFlag.wait.__code__:
            return None
        if happened == "line":
            seen.append(frame.f_lineno)
            act(flag, len(seen))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return flag.wait(0.01), len(seen)
    finally:
        sys.settrace(before)


def test_wait_that_nothing_ends_has_lines_to_be_interrupted_in():
    ended, lines = lines_of_wait(lambda *_: None)
    assert not ended
    assert lines >= 3


@pytest.mark.parametrize("line", [1, 2, 3])
def test_signal_between_any_two_lines_of_the_wait_ends_it(line):
    """With `threading.Event` this test never comes back: its wait holds the very lock that its set wants."""
    ended, _ = lines_of_wait(lambda flag, number: flag.set() if number == line else None)
    assert ended


def test_flag_that_is_set_needs_no_waiting_and_stays_set():
    flag = StopFlag()
    assert (False, False) == (flag.is_set(), flag.wait(0.001))
    flag.set()
    flag.set()
    assert [True] * 4 == [flag.is_set(), flag.wait(60), flag.wait(60), flag.wait(60)]
