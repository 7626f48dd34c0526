"""Wakes asked for, in the order they come due. Pure: the driver asks what is next and decides when it is that late.

Laws: one wake per timer id (a later WakeAt of the same id replaces the earlier); equal times come in the order asked.
"""

from heapq import heappop, heappush

from domain.commands import WakeAt

PULSE = "pulse"


class Timers:
    """The wakes of one engine."""

    def __init__(self) -> None:
        """Start without wakes."""
        self._heap: list[tuple[int, int, str]] = []
        self._current: dict[str, int] = {}
        self._sequence = 0

    def ask(self, wish: WakeAt) -> None:
        """Take a wish for a wake."""
        self._sequence += 1
        self._current[wish.timer_id] = self._sequence
        heappush(self._heap, (wish.ts_wake_ns, self._sequence, wish.timer_id))

    def next_ts_ns(self) -> int | None:
        """Return when the next wake is due, or None."""
        while self._heap and self._current.get(self._heap[0][2]) != self._heap[0][1]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self) -> tuple[int, str]:
        """Remove the next wake and return (ts_ns, timer id). Ask next_ts_ns first: it must not be None."""
        ts_ns, sequence, timer_id = heappop(self._heap)
        if self._current.get(timer_id) == sequence:
            del self._current[timer_id]
        return ts_ns, timer_id
