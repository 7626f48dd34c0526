"""Puts a recorded or synthetic market on the wall clock.

Why it exists: clients sign with wall-clock nonces and judge quotes by their age, so the venue lives in wall time. A
recording of another day is moved there, and pressed together or stretched by a speed.

Laws: order is kept; no event happens before its time; what our line alone knew (feed lost, data refused) is left out.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from domain.events import BookChanged, MarkChanged, MarketEvent, TopOfBookChanged, TradePrinted
from domain.units import RATE_UNIT, Rate

REAL_TIME = Rate(RATE_UNIT)
AT_THE_VENUE = (BookChanged, TopOfBookChanged, TradePrinted, MarkChanged)


def on_wall_clock(events: Iterable[MarketEvent], start_ns: int, speed: Rate = REAL_TIME) -> Iterator[MarketEvent]:
    """Yield the events with both times moved: the first happens at start_ns, the others after it at speed.

    Units: speed as Rate (1e-9), > 0: two means twice as fast as recorded.
    """
    first_ns = None
    last_ns = start_ns
    for event in events:
        if not isinstance(event, AT_THE_VENUE):
            continue
        if first_ns is None:
            first_ns = event.ts_event_ns
        passed_ns = max(event.ts_event_ns - first_ns, 0)
        last_ns = max(start_ns + passed_ns * RATE_UNIT // speed, last_ns)
        yield replace(event, ts_event_ns=last_ns, ts_recv_ns=last_ns)
