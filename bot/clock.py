"""The only reader of clocks.

Law: within one process the wall clock never goes back. Facts carry rising receive times, and orders must not wait with
them until a clock that was set back has caught up; so a step back is passed over, and a step forward is taken.
"""

import time


class _Wall:
    """How far the wall clock is ahead of the monotonic one, at its furthest."""

    ahead_ns = 0


def now_ns() -> int:
    """Return wall-clock time in nanoseconds since 1970 (UTC), never less than before."""
    steady_ns = time.perf_counter_ns()
    ahead_ns = time.time_ns() - steady_ns
    _Wall.ahead_ns = max(_Wall.ahead_ns, ahead_ns)
    return steady_ns + _Wall.ahead_ns


def monotonic_ns() -> int:
    """Return a clock that never goes back, in nanoseconds from an arbitrary start."""
    return time.perf_counter_ns()
