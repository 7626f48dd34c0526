"""The paced loop: the backtest's own driver, waiting until each event is due.

Simulated time is the engine's only time; this file maps it to the wall clock with a speed factor. A slow machine makes
the run late, never different.
"""

from collections.abc import Callable

from backtest.runner import Driver
from bot.clock import monotonic_ns
from bot.stop_flag import StopFlag
from domain.units import NS_PER_SECOND

STOP_SECONDS_MAX = 10
WAIT_NS_MIN = 200_000
"""Shorter waits cost more than they wait."""


class Pace:
    """Maps simulated time to the wall clock. speed 0 means as fast as it goes."""

    def __init__(self, start_ns: int, speed: float) -> None:
        """Start now, at start_ns of simulated time."""
        self._start_ns = start_ns
        self._speed = speed
        self._started = monotonic_ns()

    def wait_ns(self, ts_ns: int) -> int:
        """Return how long to wait until ts_ns is due; 0 or less when it is."""
        if self._speed <= 0:
            return 0
        return self._started + int((ts_ns - self._start_ns) / self._speed) - monotonic_ns()


def run_paced(
    driver: Driver, *, speed: float, for_ns: int | None, stop: StopFlag, beat: Callable[[], None] | None = None
) -> str:
    """Run until the data end, for_ns of market time has passed, or stop is set; then cancel everything and drain.

    beat is called after every event. Returns why it ended. Draining is not paced, and bounded by STOP_SECONDS_MAX.
    """
    driver.start()
    pace = Pace(driver.now_ns, speed)
    deadline_ns = driver.now_ns + for_ns if for_ns is not None else None
    ended = "end of data"
    while True:
        if stop.is_set():
            ended = "signal"
            break
        ts_ns = driver.next_ts_ns()
        if ts_ns is None:
            break
        if deadline_ns is not None and ts_ns > deadline_ns:
            if _wait(pace, deadline_ns, stop):
                ended = "signal"
                break
            ended = "end of time"
            break
        if _wait(pace, ts_ns, stop):
            ended = "signal"
            break
        driver.advance()
        if beat is not None:
            beat()
    limit_ns = monotonic_ns() + STOP_SECONDS_MAX * NS_PER_SECOND
    driver.finish(ended, lambda: monotonic_ns() < limit_ns)
    return ended


def _wait(pace: Pace, ts_ns: int, stop: StopFlag) -> bool:
    """Wait until ts_ns is due; return True when stop was set meanwhile."""
    wait_ns = pace.wait_ns(ts_ns)
    return wait_ns > WAIT_NS_MIN and stop.wait(wait_ns / NS_PER_SECOND)
