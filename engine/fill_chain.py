"""The chain of fills: every fill says where our position stood before it, so a missing one shows at the next.

Laws: a fill that continues the chain says nothing; one that does not says so once, and again only when yet more is
missing; a fill that comes late closes the gap it left. A statement of the venue that agrees with the book, or was
booked, begins every chain anew.
"""

from collections.abc import Mapping
from typing import Any

from domain.events import OrderFilled


class FillChain:
    """What the venue's fills say of our positions beyond what we booked."""

    __slots__ = ("_begun_ns", "_missing", "_newest_ns")

    def __init__(self) -> None:
        """Know no fill."""
        self._begun_ns = 0
        self._missing: dict[str, int] = {}
        self._newest_ns: dict[str, int] = {}

    def take(self, fact: OrderFilled, before: int, after: int) -> bool:
        """Take a fill that was just booked and say whether it shows that others are missing or contradict each other.

        Units: before and after are our position in signed lots around the booking; they differ by less than the fill
        when it explains what a statement had told already.
        """
        symbol = fact.symbol
        known = self._missing.get(symbol, 0)
        ahead = fact.start_position - before
        newest_ns = self._newest_ns.get(symbol, 0)
        newest_ns = max(newest_ns, self._begun_ns)
        if fact.ts_event_ns < newest_ns or (fact.ts_event_ns == newest_ns and ahead != known):
            missing = known - (after - before)
            is_broken = abs(missing) > abs(known)
        else:
            missing = fact.start_position + fact.side * fact.lots - after
            is_broken = ahead not in {0, known}
            self._newest_ns[symbol] = fact.ts_event_ns
        if missing:
            self._missing[symbol] = missing
        elif known:
            del self._missing[symbol]
        return is_broken

    def begin_anew(self, ts_event_ns: int) -> None:
        """Our positions are the venue's at this venue time; fills from before it are late."""
        self._begun_ns = max(self._begun_ns, ts_event_ns)
        self._missing.clear()

    def snapshot(self) -> dict[str, Any]:
        """Return everything remembered, sorted."""
        return {
            "begun_ns": self._begun_ns,
            "missing": dict(sorted(self._missing.items())),
            "newest_ns": dict(sorted(self._newest_ns.items())),
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Replace everything by a snapshot."""
        self._begun_ns = kept["begun_ns"]
        self._missing, self._newest_ns = dict(kept["missing"]), dict(kept["newest_ns"])
