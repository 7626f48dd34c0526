"""The wall clock of a process: it follows steps forward and passes over steps back."""

import time

from bot import clock

HOUR_NS = 3_600 * 10**9


def test_the_wall_clock_is_the_machines() -> None:
    before = time.time_ns()
    assert before - 10**9 <= clock.now_ns() <= time.time_ns() + HOUR_NS


def test_a_step_back_is_passed_over_and_a_step_forward_is_taken(monkeypatch) -> None:
    monkeypatch.setattr(clock._Wall, "ahead_ns", 0)
    wall = {"ns": 10 * HOUR_NS}
    steady = {"ns": 5}
    monkeypatch.setattr(clock.time, "time_ns", lambda: wall["ns"])
    monkeypatch.setattr(clock.time, "perf_counter_ns", lambda: steady["ns"])
    assert 10 * HOUR_NS == clock.now_ns()
    wall["ns"] -= HOUR_NS
    steady["ns"] += 7
    assert 10 * HOUR_NS + 7 == clock.now_ns()
    wall["ns"] += 3 * HOUR_NS
    assert 12 * HOUR_NS == clock.now_ns()
