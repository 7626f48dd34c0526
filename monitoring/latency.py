"""A window of latencies and its percentiles, for the log and the status page.

Prometheus has the histograms; this is the answer in numbers, without a Prometheus. Bounded: the newest samples count.
"""

from collections import deque

import msgspec

from domain.units import NS_PER_MS

SAMPLES_MAX = 8_192


class Percentiles(msgspec.Struct, frozen=True):
    """Nearest-rank percentiles of a window. Units: milliseconds."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class LatencyWindow:
    """The newest durations."""

    def __init__(self, samples_max: int = SAMPLES_MAX) -> None:
        """Hold at most samples_max durations."""
        self._samples: deque[int] = deque(maxlen=samples_max)

    def take(self, duration_ns: int) -> None:
        """Add one duration."""
        self._samples.append(duration_ns)

    def percentiles(self) -> Percentiles | None:
        """Return the percentiles of what is in the window; None when it is empty."""
        ranked = sorted(self._samples)
        if not ranked:
            return None

        def at(percent: int) -> float:
            return ranked[max(0, -(-len(ranked) * percent // 100) - 1)] / NS_PER_MS

        return Percentiles(len(ranked), at(50), at(95), at(99), ranked[-1] / NS_PER_MS)

    def clear(self) -> None:
        """Forget everything."""
        self._samples.clear()
