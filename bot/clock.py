"""The only reader of clocks."""

import time


def now_ns() -> int:
    """Return wall-clock time in nanoseconds since 1970 (UTC)."""
    return time.time_ns()


def monotonic_ns() -> int:
    """Return a clock that never goes back, in nanoseconds from an arbitrary start."""
    return time.perf_counter_ns()
