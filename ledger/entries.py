"""What the stored ledger says of a run, line by line, and the tally that lines add up to.

Why it exists: profit by order, position, instrument, strategy and day, and the statement of a period, are all sums over
the same lines; here is the line, and the one way of adding.

Laws: an entry is one transaction with everything that hangs on it; profit comes from its postings alone, and memos
(slippage, execution, volume) from its fill. Adding tallies loses nothing: whatever way entries are grouped, the sums of
the groups are the sums of all. What a markout showed counts in the hour it was taken in, so that an hour that is over
stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from domain.units import NS_PER_HOUR
from ledger.accounts import (
    CASH,
    FEES,
    FUNDING,
    LIQUIDATION,
    POSITION,
    REALIZED,
    REBATES,
    TRANSFERS,
    UNEXPLAINED,
    kind_of,
    symbol_of,
)
from ledger.bookkeeping import OPENING
from ledger.execution import execution_of
from ledger.pnl import net_of


class RunPart(msgspec.Struct, frozen=True, kw_only=True):
    """One run: who it was, when, and how its prices and lots are scaled.

    last_ns is the last moment the ledger knows of it, opened_ns when its opening statement was booked: a run may end
    before the venue ever told what there is. decimals are price and size decimals by symbol.
    """

    run_id: str
    account: str
    command: str
    strategy: str
    seed: int
    config_hash: str
    code_revision: str
    started_ns: int
    ended_ns: int | None
    last_ns: int
    decimals: Mapping[str, tuple[int, int]]
    opened_ns: int | None = None
    has_booked: bool = False


class FillEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The execution of an entry. Units: lots > 0 with side 1 or -1, money as the fill says.

    markouts are doubled mids by horizon, markouts_ns when they were taken, by our clock.
    """

    side: int
    price: int
    lots: int
    notional: int
    slippage: int
    is_maker: bool
    decision_mid_x2: int
    arrival_mid_x2: int
    fill_mid_x2: int
    money_per_unit: int
    markouts: dict[int, int] = {}
    markouts_ns: dict[int, int] = {}


def is_opening(kind: str, fact_id: str) -> bool:
    """Say whether a transaction is the statement its run began with."""
    return kind == "transfer" and fact_id.startswith(OPENING)


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One transaction. postings are (account, amount), lots (symbol, signed lots) that came without a fill.

    funding_hour_ns is the hour a settlement was for. ts_event_ns is the venue's time, ts_ns when we booked.
    """

    sequence: int
    kind: str
    cause: str
    fact_id: str
    evidence: str
    ts_event_ns: int
    ts_ns: int
    symbol: str
    client_order_id: str
    postings: tuple[tuple[str, int], ...]
    lots: tuple[tuple[str, int], ...] = ()
    fill: FillEntry | None = None
    funding_hour_ns: int | None = None

    @property
    def is_opening(self) -> bool:
        """Say whether this is the statement the run began with."""
        return is_opening(self.kind, self.fact_id)

    @property
    def is_correction(self) -> bool:
        """Say whether this entry corrects others."""
        return self.kind == "correction"


class MarkPoint(msgspec.Struct, frozen=True, gc=False):
    """The account at the last mark of a minute. Units: Money."""

    ts_ns: int
    equity: int
    cash: int
    unrealized: int
    net: int


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the order it was booked. positions are (symbol, lots, cost, unrealized) at its last mark, if that is known.

    entries are gone through once by whoever adds them up, so that they need not be in memory all at once.
    """

    run: RunPart
    entries: Iterable[Entry]
    marks: tuple[MarkPoint, ...]
    positions: tuple[tuple[str, int, int, int], ...]


class Tally(msgspec.Struct, kw_only=True):
    """Profit by cause with its memos, while it is being added up. Units: Money and counts; signs as ProfitAndLoss.

    delay to adverse_60s are how execution went, gains positive (ledger/execution.py). liquidation and slippage are
    memos, parts of the others and not added again.
    """

    realized: int = 0
    unrealized: int = 0
    funding: int = 0
    fees: int = 0
    rebates: int = 0
    slippage: int = 0
    liquidation: int = 0
    delay: int = 0
    drift: int = 0
    spread_captured: int = 0
    adverse_1s: int = 0
    adverse_10s: int = 0
    adverse_60s: int = 0
    fills: int = 0
    maker_fills: int = 0
    volume: int = 0
    maker_volume: int = 0

    @property
    def net(self) -> int:
        """Return net profit by its law."""
        return net_of(self.realized, self.unrealized, self.funding, self.fees, self.rebates)

    @property
    def execution(self) -> int:
        """Return what execution made or cost in all, up to the last markout; > 0 is a gain."""
        return sum(getattr(self, name) for name in EXECUTION)

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.realized += other.realized
        self.unrealized += other.unrealized
        self.funding += other.funding
        self.fees += other.fees
        self.rebates += other.rebates
        self.slippage += other.slippage
        self.liquidation += other.liquidation
        self.delay += other.delay
        self.drift += other.drift
        self.spread_captured += other.spread_captured
        self.adverse_1s += other.adverse_1s
        self.adverse_10s += other.adverse_10s
        self.adverse_60s += other.adverse_60s
        self.fills += other.fills
        self.maker_fills += other.maker_fills
        self.volume += other.volume
        self.maker_volume += other.maker_volume

    def split(self, part: int, whole: int) -> "tuple[Tally, Tally]":
        """Return the share of what closed a position and the rest, of a fill that turned it around.

        Realized profit is the closed part's alone, and so is the count; amounts are shared by lots, rounded toward zero
        for the closed part. Both add up to this tally.
        """
        closed = Tally()
        opened = Tally()
        for name in TALLIED:
            amount = getattr(self, name)
            share = amount
            if name in SHARED:
                share = abs(amount) * part // whole
                share = share if amount >= 0 else -share
            setattr(closed, name, share)
            setattr(opened, name, amount - share)
        return closed, opened


EXECUTION = ("delay", "drift", "spread_captured", "adverse_1s", "adverse_10s", "adverse_60s")
TALLIED = Tally.__struct_fields__
SHARED = frozenset({"fees", "rebates", "slippage", "volume", "maker_volume", *EXECUTION})
"""What a fill that closes one position and opens the next leaves to both."""

HELD = frozenset({CASH, POSITION})
"""Accounts of what there is; all others say where it came from."""

_GAINS = {REALIZED: "realized", FUNDING: "funding", REBATES: "rebates"}


class Booked(msgspec.Struct, frozen=True):
    """What one entry did: profit by symbol, and money that is no profit."""

    by_symbol: dict[str, Tally]
    transfers: int
    unexplained: int


def booked(entry: Entry) -> Booked:
    """Return what an entry did, by symbol; a fill is always there, even if it moved no profit account."""
    by_symbol: dict[str, Tally] = {}
    transfers = unexplained = 0
    for account, amount in entry.postings:
        kind = kind_of(account)
        if kind == TRANSFERS:
            transfers -= amount
        elif kind == UNEXPLAINED:
            unexplained -= amount
        elif kind == FEES:
            _of(by_symbol, account).fees += amount
        elif kind == LIQUIDATION:
            tally = _of(by_symbol, account)
            tally.realized -= amount
            tally.liquidation -= amount
        elif kind in _GAINS:
            tally, name = _of(by_symbol, account), _GAINS[kind]
            setattr(tally, name, getattr(tally, name) - amount)
    if entry.fill is not None:
        _add_fill(by_symbol.setdefault(entry.symbol, Tally()), entry.fill)
    return Booked(by_symbol, transfers, unexplained)


def value_of(entry: Entry) -> int:
    """Return by how much an entry changed cash and positions at cost: transfers, unexplained and net profit together."""
    return -sum(amount for account, amount in entry.postings if kind_of(account) not in HELD)


def by_hour(entry: Entry, done: Booked) -> Iterator[tuple[int, Booked]]:
    """Yield what an entry did and when: with its booking, and what markouts of a later hour showed when they did."""
    fill, hour = entry.fill, entry.ts_ns // NS_PER_HOUR
    taken = fill.markouts_ns if fill is not None else {}
    late = sorted((ts_ns, horizon_ns) for horizon_ns, ts_ns in taken.items() if ts_ns // NS_PER_HOUR > hour)
    if fill is None or not late:
        yield entry.ts_ns, done
        return
    later = {horizon_ns for _, horizon_ns in late}
    known = {horizon_ns: mid_x2 for horizon_ns, mid_x2 in fill.markouts.items() if horizon_ns not in later}
    before = _knowing(entry, fill, known)
    yield entry.ts_ns, before
    for ts_ns, horizon_ns in late:
        known = {**known, horizon_ns: fill.markouts[horizon_ns]}
        after = _knowing(entry, fill, known)
        yield ts_ns, Booked({entry.symbol: _shown(before.by_symbol[entry.symbol], after.by_symbol[entry.symbol])}, 0, 0)
        before = after


def _knowing(entry: Entry, fill: FillEntry, markouts: dict[int, int]) -> Booked:
    return booked(replace(entry, fill=replace(fill, markouts=markouts)))


def _shown(before: Tally, after: Tally) -> Tally:
    return Tally(**{name: getattr(after, name) - getattr(before, name) for name in EXECUTION})


def _of(by_symbol: dict[str, Tally], account: str) -> Tally:
    return by_symbol.setdefault(symbol_of(account), Tally())


def _add_fill(tally: Tally, fill: FillEntry) -> None:
    done = execution_of(
        fill.side,
        fill.price,
        fill.lots,
        fill.decision_mid_x2,
        fill.arrival_mid_x2,
        fill.fill_mid_x2,
        fill.markouts,
        fill.money_per_unit,
    )
    tally.slippage += fill.slippage
    tally.delay += done.delay
    tally.drift += done.drift
    tally.spread_captured += done.spread_captured
    tally.adverse_1s += done.adverse_1s
    tally.adverse_10s += done.adverse_10s
    tally.adverse_60s += done.adverse_60s
    tally.fills += 1
    tally.volume += fill.notional
    if fill.is_maker:
        tally.maker_fills += 1
        tally.maker_volume += fill.notional


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum."""
    found = Tally()
    for tally in tallies:
        found.add(tally)
    return found
