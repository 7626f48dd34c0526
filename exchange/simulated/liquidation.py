"""Who is liquidated, how much of it, by whom, and who is deleveraged: decisions, not deeds.

Theory of operation. The venue asks `stage` for each cross account and each isolated position with its equity and
maintenance at the mark. BOOK sends `lots_to_close` to the book as a market order; BACKSTOP hands positions and margin
over to the liquidator; DELEVERAGE closes positions against the winners of `deleverage_plan` at the mark before.

Laws: an account above maintenance is left alone; no decision closes more than the position; a plan closes exactly the
lots asked for, or all there is on the other side; equal ranks are ordered by address, so that a run repeats.

Source: HYPERLIQUID 9.5 (venue docs, "Liquidations", "Auto-deleveraging"), read 2026-11-20. Nothing of it is recorded
in our data: the rules are the documents' word, and what they leave open is said at each function.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from domain.units import MONEY_UNIT, NS_PER_SECOND, Money
from exchange.simulated.margins import ratio_scaled

PARTIAL_ABOVE = Money(100_000 * MONEY_UNIT)
PARTIAL_ABOVE_TESTNET = Money(10_000 * MONEY_UNIT)
PARTIAL_DIVISOR = 5
COOL_DOWN_NS = 30 * NS_PER_SECOND
"""Above this notional one fifth goes first; for so long after it, all of the rest. Source: HYPERLIQUID 9.5."""

RANK_DECIMALS = 6
"""Of each of the two ratios a rank is made of: a profit of a thousand times at leverage 1000 still fits 64 bits."""

SAFE, BOOK, BACKSTOP, DELEVERAGE = 0, 1, 2, 3
"""What `stage` says, from nothing to the last resort."""


class Method(StrEnum):
    """How a liquidation fill came about, in the venue's words. Source: HYPERLIQUID 2.4 (userFills)."""

    MARKET = "market"
    BACKSTOP = "backstop"


def stage(equity: int, maintenance: int) -> int:
    """Return SAFE, BOOK, BACKSTOP or DELEVERAGE for a cross account or an isolated position.

    Units: Money. Equity equal to maintenance is safe; equal to two thirds of it still goes to the book.
    Source: HYPERLIQUID 9.5.
    """
    if equity < 0:
        return DELEVERAGE
    if equity >= maintenance:
        return SAFE
    return BOOK if 3 * equity >= 2 * maintenance else BACKSTOP


def lots_to_close(position: int, notional: int, is_cooling: bool, partial_above: int) -> int:
    """Return how many lots a liquidation order of stage BOOK is for: a fifth of a large position first, then all.

    Units: signed lots in, unsigned lots out, rounded up; notional and partial_above in Money.
    Source: HYPERLIQUID 9.5.
    """
    lots = abs(position)
    if is_cooling or notional <= partial_above:
        return lots
    return (lots + PARTIAL_DIVISOR - 1) // PARTIAL_DIVISOR


def rank(position: int, mark_price: int, entry_price: int, notional: int, equity: int) -> int:
    """Return where a position stands in line to be deleveraged; the highest goes first.

    The venue's index is (mark / entry) * (notional / account value). Read for shorts as entry / mark: taken literally
    it would close the losing shorts first, and the documents say that profit and leverage decide.
    Units: signed lots, price units (> 0), Money (equity > 0); result in 1e-12. Source: HYPERLIQUID 9.5.
    """
    won, paid = (mark_price, entry_price) if position > 0 else (entry_price, mark_price)
    return ratio_scaled(won, paid, RANK_DECIMALS) * ratio_scaled(notional, equity, RANK_DECIMALS)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A position that could be deleveraged. Units: signed lots; index as rank gives it."""

    address: str
    position: int
    index: int


def deleverage_plan(candidates: Iterable[Candidate], position: int) -> list[tuple[str, int]]:
    """Return (address, lots) that take over a position of signed lots, highest index first.

    Positions on the same side are passed over. The lots are unsigned and sum up to those of the position, or to all
    there is on the other side.
    """
    left, plan = abs(position), []
    for candidate in sorted(candidates, key=lambda one: (-one.index, one.address)):
        if left == 0:
            break
        if candidate.position * position < 0:
            lots = min(left, abs(candidate.position))
            plan.append((candidate.address, lots))
            left -= lots
    return plan


class CoolDowns:
    """Which accounts had a partial liquidation in the last 30 seconds; until it ends their orders are for everything."""

    __slots__ = ("_until_ns",)

    def __init__(self) -> None:
        """Start with none."""
        self._until_ns: dict[str, int] = {}

    def begin(self, address: str, ts_ns: int) -> None:
        """Remember a partial liquidation of now."""
        self._until_ns[address] = ts_ns + COOL_DOWN_NS

    def is_cooling(self, address: str, ts_ns: int) -> bool:
        """Say whether an account is cooling down."""
        return ts_ns < self._until_ns.get(address, 0)

    def next_due_ns(self) -> int | None:
        """Return when the first cool-down ends; None without any."""
        return min(self._until_ns.values(), default=None)

    def expire(self, ts_ns: int) -> None:
        """Forget the cool-downs that ended."""
        for address in [one for one, until_ns in self._until_ns.items() if until_ns <= ts_ns]:
            del self._until_ns[address]
