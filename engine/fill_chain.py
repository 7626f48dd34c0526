"""The chain of fills: every fill says where our position stood before it, so a missing one shows at the next.

Laws: a fill that continues the chain says nothing; one that does not says so once, and again only when yet more is
missing; a fill that comes late closes the gap it left; when all fills are told, in whatever order, nothing is missing.
A statement of the venue that agrees with the book, or was booked, begins every chain anew.

Fills of one time chain among themselves: each is a step from one position to another, and where more steps end than
begin their chain ends. So the newest ones are remembered as steps, not as told.
"""

from collections.abc import Mapping
from typing import Any

from domain.events import OrderFilled


class FillChain:
    """What the venue's fills say of our positions beyond what we booked."""

    __slots__ = ("_begun_ns", "_missing", "_newest_ns", "_steps")

    def __init__(self) -> None:
        """Know no fill."""
        self._begun_ns = 0
        self._missing: dict[str, int] = {}
        self._newest_ns: dict[str, int] = {}
        self._steps: dict[str, dict[int, int]] = {}

    def take(self, fact: OrderFilled, before: int, after: int) -> bool:
        """Take a fill that was just booked and say whether it shows that others are missing or contradict each other.

        Units: before and after are our position in signed lots around the booking; they are the same when a statement
        had told already what the fill did.
        """
        if after == before:
            return False
        symbol, start = fact.symbol, fact.start_position
        end = start + fact.side * fact.lots
        known = self._missing.get(symbol, 0)
        newest_ns = max(self._newest_ns.get(symbol, 0), self._begun_ns)
        steps = self._steps.get(symbol)
        if fact.ts_event_ns > newest_ns or (fact.ts_event_ns == newest_ns and steps is None):
            self._newest_ns[symbol] = fact.ts_event_ns
            self._steps[symbol] = {start: -1, end: 1}
            missing = end - after
            is_broken = start - before not in {0, known}
        else:
            missing = known - (after - before)
            if fact.ts_event_ns == newest_ns and steps is not None:
                steps[start] = steps.get(start, 0) - 1
                steps[end] = steps.get(end, 0) + 1
                if start - before == known:
                    missing = end - after
            if steps is not None:
                missing = _missing_at_end(steps, after, missing)
            is_broken = abs(missing) > abs(known)
        if missing:
            self._missing[symbol] = missing
        elif known:
            del self._missing[symbol]
        return is_broken

    def begin_anew(self, ts_event_ns: int) -> None:
        """Our positions are the venue's at this venue time; fills from before it are late."""
        self._begun_ns = max(self._begun_ns, ts_event_ns)
        self._missing.clear()
        self._steps.clear()

    def snapshot(self) -> dict[str, Any]:
        """Return everything remembered, sorted."""
        return {
            "begun_ns": self._begun_ns,
            "missing": dict(sorted(self._missing.items())),
            "newest_ns": dict(sorted(self._newest_ns.items())),
            "steps": {symbol: sorted(map(list, steps.items())) for symbol, steps in sorted(self._steps.items())},
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Replace everything by a snapshot."""
        self._begun_ns = kept["begun_ns"]
        self._missing, self._newest_ns = dict(kept["missing"]), dict(kept["newest_ns"])
        self._steps = {symbol: dict(steps) for symbol, steps in kept["steps"].items()}


def _missing_at_end(steps: Mapping[int, int], after: int, otherwise: int) -> int:
    """Return the lots missing at the end of the newest fills' chain; otherwise where it does not show its end.

    Shape: steps are ends less begins by position. A chain that ends where it began may have begun at any of them: also
    where our position is.
    """
    ends = [at for at, more in steps.items() if more > 0]
    if not ends:
        return 0 if after in steps else otherwise
    return ends[0] - after if len(ends) == 1 and steps[ends[0]] == 1 else otherwise
