"""How long to wait before the next try: exponential with jitter, deterministic under a seed.

Why jitter: after an outage everybody comes back, and all at once is the next outage. Half of the wait is fixed, so that
a lucky draw never hammers: the venue takes thirty new connections a minute (HYPERLIQUID 5.7), and no sequence of
failures here makes as many.
"""

from random import Random

_DOUBLINGS_MAX = 30


class Backoff:
    """Waits of one thing that keeps failing."""

    def __init__(self, ns_min: int, ns_max: int, seed: int) -> None:
        """Know the first ceiling and the last one. Units: nanoseconds."""
        self._ns_min, self._ns_max = ns_min, ns_max
        self._random = Random(seed)
        self._failures = 0

    def reset(self) -> None:
        """Start over: it worked."""
        self._failures = 0

    def next_wait_ns(self) -> int:
        """Return the next wait: between half of the ceiling and all of it; the ceiling doubles each time."""
        ceiling_ns = min(self._ns_min << min(self._failures, _DOUBLINGS_MAX), self._ns_max)
        self._failures += 1
        return ceiling_ns // 2 + self._random.randrange(ceiling_ns // 2 + 1)
