"""Timers: in the order they come due, one per id."""

from domain.commands import WakeAt
from engine.timers import Timers


def asked(*wishes: tuple[int, str]) -> Timers:
    """Return timers with these wakes."""
    timers = Timers()
    for ts_ns, timer_id in wishes:
        timers.ask(WakeAt(ts_ns, timer_id, ts_ns=0))
    return timers


def test_nothing_asked_is_nothing_due() -> None:
    assert Timers().next_ts_ns() is None


def test_wakes_come_in_order_of_time_then_of_asking() -> None:
    timers = asked((5, "b"), (3, "c"), (5, "a"))

    found = [timers.take() for _ in range(3) if timers.next_ts_ns() is not None]

    assert found == [(3, "c"), (5, "b"), (5, "a")]
    assert timers.next_ts_ns() is None


def test_later_wish_replaces_an_earlier_of_the_same_id() -> None:
    timers = asked((5, "pulse"), (9, "pulse"), (7, "other"))

    assert timers.next_ts_ns() == 7
    assert timers.take() == (7, "other")
    assert timers.next_ts_ns() == 9


def test_a_taken_wake_can_be_asked_again() -> None:
    timers = asked((5, "pulse"))
    timers.take()
    timers.ask(WakeAt(6, "pulse", ts_ns=5))

    assert timers.next_ts_ns() == 6
