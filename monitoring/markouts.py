"""Average markouts: how far the mid moved in our favor after our fills, by horizon, in bps of what was traded.

Rule 1: a markout whose fill is forgotten or had no mid counts nothing. Rule 2: the fills remembered are bounded.
"""

from collections import OrderedDict

from prometheus_client import Gauge

from domain.notices import FillBooked, MarkoutTaken
from domain.units import NS_PER_SECOND

BPS = 10_000
FILLS_REMEMBERED_MAX = 4_096


class MarkoutMeans:
    """The running means of one gauge. sequence is that of the transaction posted last: a fill directly follows its own."""

    def __init__(self, gauge: Gauge) -> None:
        """Remember nothing yet."""
        self.sequence = 0
        self._gauge = gauge
        self._fills: OrderedDict[int, tuple[int, int]] = OrderedDict()
        self._sums: dict[int, tuple[float, int]] = {}

    def take_fill(self, notice: FillBooked) -> None:
        """Remember a fill: its signed notional and the mid we saw."""
        if not notice.fill_mid_x2:
            return
        self._fills[self.sequence] = (notice.side * abs(notice.notional), notice.fill_mid_x2)
        if len(self._fills) > FILLS_REMEMBERED_MAX:
            self._fills.popitem(last=False)

    def take_markout(self, notice: MarkoutTaken) -> None:
        """Count where the mid stood some time later, and set the gauge of that horizon."""
        fill = self._fills.get(notice.sequence)
        if fill is None:
            return
        signed, mid_x2 = fill
        gain, notional = self._sums.get(notice.horizon_ns, (0.0, 0))
        gain += signed * (notice.mid_x2 - mid_x2) / mid_x2
        notional += abs(signed)
        self._sums[notice.horizon_ns] = gain, notional
        if notional:
            self._gauge.labels(horizon_label(notice.horizon_ns)).set(gain * BPS / notional)


def horizon_label(horizon_ns: int) -> str:
    """Return a horizon as the label of its series, such as 10s. There are as many as the engine has settings for."""
    return f"{horizon_ns / NS_PER_SECOND:g}s"
