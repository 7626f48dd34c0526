"""The ledger held against the venue's own statement: what differs, which facts explain it, and what nobody explains.

Why it exists: a book that only agrees with itself proves nothing. Two sides are compared as of one moment of the
venue's time: cash, positions, open orders, and every fill, funding and transfer by its identity. A fact that one side
lacks, or has with another amount, explains the cash and lots it moves; the rest is unexplained.

Law 1: cash and lots of the venue = those of the ledger without its suspense account + what the facts explain + what is
unexplained, to the last unit. Law 2: nothing here changes either side.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from domain.errors import DataInvalid
from domain.events import FundingPaid, OrderFilled, TransferBooked
from domain.identifiers import ClientOrderId
from domain.statement import OpenOrder, VenueStatement
from domain.units import MICRO_USDC, Money, format_money, format_scaled
from ledger.bookkeeping import fill_id, funding_id
from ledger.equity_bridge import EquityBridge, LedgerSide, account_value_of, equity_bridge, money_per_unit_of

FactOfMoney = OrderFilled | FundingPaid | TransferBooked
Effect = tuple[int, str, int]
"""What a fact moved: cash in Money, symbol, signed lots."""


class What(StrEnum):
    """What differs."""

    CASH = "cash"
    VALUE = "account value"
    POSITION = "position"
    ORDER = "order"
    FILL = "fill"
    FUNDING = "funding"
    TRANSFER = "transfer"


class How(StrEnum):
    """In which way."""

    DIFFERS = "differs"
    NOT_IN_LEDGER = "not in the ledger"
    NOT_AT_VENUE = "not at the venue"


class Discrepancy(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. ledger and venue are what each side says, as text; explained_by names facts by their identity."""

    what: What
    how: How
    subject: str
    ledger: str
    venue: str
    explanation: str
    explained_by: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Return the difference as a person reads it."""
        subject = f"{self.what.value} {self.subject}".rstrip()
        return f"{subject} {self.how.value}: ledger {self.ledger}, venue {self.venue}; {self.explanation}"


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome. Units: Money and signed lots, venue less ledger; suspended is what the ledger already holds as such."""

    account: str
    run_id: str
    ts_ns: int
    discrepancies: tuple[Discrepancy, ...]
    bridge: EquityBridge
    unexplained_cash: Money
    unexplained_lots: dict[str, int]
    suspended_cash: Money
    suspended_lots: dict[str, int]
    decimals: dict[str, tuple[int, int]]
    facts_compared: int
    orders_compared: int | None
    """None when the statement says nothing about orders."""
    compared: dict[str, tuple[int, int]]
    """By kind of fact, how many were compared, of how many that either side knows up to ts_ns."""
    complete_since_ns: int
    facts_newer: int
    newest_ns: int
    """Facts of the ledger that are younger than the statement, and when the youngest happened (venue's time)."""

    @property
    def is_agreed(self) -> bool:
        """Whether the two sides say the same."""
        return not self.discrepancies


def reconcile(
    ledger: LedgerSide,
    venue: VenueStatement,
    since: tuple[LedgerSide, VenueStatement] | None = None,
) -> Reconciliation:
    """Return how the ledger differs from the venue's statement, both as of the same moment.

    since is an earlier pair of the same sides from which the bridge is counted; without it, from nothing at all.
    Raises: DataInvalid when both describe an instrument, differently.
    """
    venue = _described(ledger, venue)
    since = (since[0], _described(*since)) if since is not None else None
    facts, effects, compared = _facts(ledger, venue)
    explained_cash = sum(cash for cash, _, _ in effects.values())
    cash_gap = venue.cash - ledger.cash
    unexplained_cash = cash_gap + ledger.suspended_cash - explained_cash
    found: list[Discrepancy] = []
    if cash_gap:
        movers = tuple(fact_id for fact_id, (cash, _, _) in effects.items() if cash)
        found.append(
            Discrepancy(
                what=What.CASH,
                how=How.DIFFERS,
                subject="USDC",
                ledger=format_money(ledger.cash),
                venue=format_money(venue.cash),
                explanation=_explained(cash_gap, unexplained_cash, "USDC", movers, format_money),
                explained_by=movers,
            )
        )
    positions, unexplained_lots = _positions(ledger, venue, effects)
    orders, orders_compared = _orders(ledger, venue)
    return Reconciliation(
        account=venue.account or ledger.account,
        run_id=ledger.run_id,
        ts_ns=venue.ts_ns,
        discrepancies=(*found, *_value(ledger, venue), *positions, *orders, *facts),
        bridge=equity_bridge(ledger, venue, since),
        unexplained_cash=Money(unexplained_cash),
        unexplained_lots=unexplained_lots,
        suspended_cash=ledger.suspended_cash,
        suspended_lots=ledger.suspended_lots,
        decimals=venue.decimals,
        facts_compared=sum(count for count, _ in compared.values()),
        orders_compared=orders_compared,
        compared=compared,
        complete_since_ns=venue.complete_since_ns,
        facts_newer=ledger.facts_newer,
        newest_ns=ledger.newest_ns,
    )


def _described(ledger: LedgerSide, venue: VenueStatement) -> VenueStatement:
    """Return the statement with the decimals of every instrument either side names."""
    for symbol, decimals in ledger.decimals.items():
        told = venue.decimals.get(symbol, decimals)
        if told != decimals:
            raise DataInvalid(
                f"statement of {venue.account or 'the venue'}",
                f"{symbol} has {told[0]} price and {told[1]} size decimals, in the ledger {decimals[0]} and {decimals[1]}",
            )
    return replace(venue, decimals={**ledger.decimals, **venue.decimals})


def effect_of(fact: FactOfMoney, money_per_unit: int) -> Effect:
    """Return the cash, symbol and lots a fact moves."""
    match fact:
        case OrderFilled():
            change = int(fact.side) * fact.lots
            return -change * fact.price * money_per_unit - fact.fee, fact.symbol, change
        case FundingPaid():
            return fact.amount, fact.symbol, 0
        case TransferBooked():
            return fact.amount, "", 0


def _facts(
    ledger: LedgerSide, venue: VenueStatement
) -> tuple[list[Discrepancy], dict[str, Effect], dict[str, tuple[int, int]]]:
    """Compare every fact by its identity; return differences, what they explain by fact, and by kind how many of all."""
    first_ns = max(venue.complete_since_ns, ledger.opened_ns + 1)
    found: list[Discrepancy] = []
    effects: dict[str, Effect] = {}
    compared: dict[str, tuple[int, int]] = {}
    kinds: tuple[tuple[What, Mapping[str, FactOfMoney], Mapping[str, FactOfMoney]], ...] = (
        (What.FILL, {fill_id(one): one for one in ledger.fills}, {fill_id(one): one for one in venue.fills}),
        (
            What.FUNDING,
            {funding_id(one): one for one in ledger.fundings},
            {funding_id(one): one for one in venue.fundings},
        ),
        (
            What.TRANSFER,
            {one.transfer_id: one for one in ledger.transfers},
            {one.transfer_id: one for one in venue.transfers},
        ),
    )
    for what, ours, theirs in kinds:
        seen = missing = 0
        for fact_id in sorted({**ours, **theirs}):
            mine, told = ours.get(fact_id), theirs.get(fact_id)
            known = told if mine is None else mine
            if known is None or not first_ns <= known.ts_event_ns <= venue.ts_ns:
                continue
            seen += 1
            missing += mine is None
            difference = _fact_difference(what, fact_id, mine, told, venue)
            if difference is not None:
                found.append(difference[0])
                effects[f"{what.value} {fact_id}"] = difference[1]
        compared[what.value] = (seen, max(seen, ledger.totals.get(what.value, 0) + missing))
    return found, effects, compared


def _fact_difference(
    what: What, fact_id: str, mine: FactOfMoney | None, told: FactOfMoney | None, venue: VenueStatement
) -> tuple[Discrepancy, Effect] | None:
    """Return how one fact differs and the cash and lots it explains (venue less ledger); None when both say the same."""
    if mine is not None and told is not None and _terms(mine) == _terms(told):
        return None
    shown_mine = _shown(mine, venue) if mine is not None else "nothing"
    shown_told = _shown(told, venue) if told is not None else "nothing"
    moved_mine, moved_told = _moved(mine, venue), _moved(told, venue)
    symbol = moved_mine[1] or moved_told[1]
    effect = (moved_told[0] - moved_mine[0], symbol, moved_told[2] - moved_mine[2])
    if mine is None:
        how, why = How.NOT_IN_LEDGER, "the venue booked it and we were never told"
    elif told is None:
        how, why = How.NOT_AT_VENUE, "the ledger booked it and the venue does not know it"
    else:
        how, why = How.DIFFERS, "both know it, with other terms"
    explained = [f"{_signed(effect[0], format_money)} USDC"] if effect[0] else []
    if effect[2]:
        explained.append(f"{_signed(effect[2], lambda lots: _size(lots, symbol, venue))} {symbol}")
    explanation = f"{why}; it explains {' and '.join(explained) or 'no money'}"
    return (
        Discrepancy(what=what, how=how, subject=fact_id, ledger=shown_mine, venue=shown_told, explanation=explanation),
        effect,
    )


def _moved(fact: FactOfMoney | None, venue: VenueStatement) -> Effect:
    if fact is None:
        return 0, "", 0
    symbol = "" if isinstance(fact, TransferBooked) else fact.symbol
    return effect_of(fact, money_per_unit_of(venue, symbol) if symbol else 0)


def _terms(fact: FactOfMoney) -> tuple[object, ...]:
    """Return what both sides must say alike of a fact."""
    match fact:
        case OrderFilled():
            return fact.side, fact.lots, fact.price, fact.fee, fact.client_order_id
        case FundingPaid() | TransferBooked():
            return (fact.amount,)


def _shown(fact: FactOfMoney, venue: VenueStatement) -> str:
    """Return the terms of a fact as text."""
    match fact:
        case OrderFilled():
            size, price = _size(fact.lots, fact.symbol, venue), _price(fact.price, fact.symbol, venue)
            fee = format_money(fact.fee)
            return (
                f"{fact.side.label} {size} {fact.symbol} at {price}, fee {fee}, order {fact.client_order_id or 'none'}"
            )
        case FundingPaid() | TransferBooked():
            return f"{_signed(fact.amount, format_money)} USDC"


def _value(ledger: LedgerSide, venue: VenueStatement) -> list[Discrepancy]:
    """Hold a statement against itself: its account value against its cash and positions at its own marks."""
    if not venue.account_value or any(symbol not in venue.marks for symbol in venue.positions):
        return []
    own = replace(venue, account_value=Money(0))
    summed = account_value_of(own)
    gap = venue.account_value - summed
    if abs(gap) <= MICRO_USDC * (1 + len(venue.positions)):
        return []
    ours = account_value_of(replace(own, cash=ledger.cash, positions=ledger.positions, costs=ledger.costs))
    return [
        Discrepancy(
            what=What.VALUE,
            how=How.DIFFERS,
            subject="USDC",
            ledger=format_money(ours),
            venue=format_money(venue.account_value),
            explanation=f"the statement's own cash, positions and marks add up to {format_money(summed)}: it contradicts "
            f"itself by {_signed(gap, format_money)} USDC, more than its rounding",
        )
    ]


def _positions(
    ledger: LedgerSide, venue: VenueStatement, effects: Mapping[str, Effect]
) -> tuple[list[Discrepancy], dict[str, int]]:
    """Compare positions; return differences, and by symbol the lots that no fact explains."""
    found: list[Discrepancy] = []
    unexplained: dict[str, int] = {}
    named = {symbol for _, symbol, lots in effects.values() if lots}
    for symbol in sorted({*ledger.positions, *venue.positions, *ledger.suspended_lots, *named}):
        mine, told = ledger.positions.get(symbol, 0), venue.positions.get(symbol, 0)
        moved = {fact_id: lots for fact_id, (_, owner, lots) in effects.items() if owner == symbol and lots}
        left = told - mine + ledger.suspended_lots.get(symbol, 0) - sum(moved.values())
        if left:
            unexplained[symbol] = left
        if told != mine:

            def size(lots: int, symbol: str = symbol) -> str:
                return _size(lots, symbol, venue)

            found.append(
                Discrepancy(
                    what=What.POSITION,
                    how=How.DIFFERS,
                    subject=symbol,
                    ledger=size(mine),
                    venue=size(told),
                    explanation=_explained(told - mine, left, symbol, tuple(moved), size),
                    explained_by=tuple(moved),
                )
            )
    return found, unexplained


def _orders(ledger: LedgerSide, venue: VenueStatement) -> tuple[list[Discrepancy], int | None]:
    """Compare open orders; those whose answers were on the way at that moment are passed over."""
    if venue.open_orders is None:
        return [], None
    ours = {one.client_order_id: one for one in ledger.open_orders}
    theirs = {one.client_order_id or f"number {one.venue_order_id}": one for one in venue.open_orders}
    found: list[Discrepancy] = []
    for name in sorted({*ours, *theirs}):
        mine, told = ours.get(ClientOrderId(name)), theirs.get(name)
        if mine is None and name in ledger.orders_possible:
            continue
        shown_mine = _order_shown(mine, venue) if mine is not None else "nothing"
        shown_told = _order_shown(told, venue) if told is not None else "nothing"
        if shown_mine == shown_told:
            continue
        if mine is None:
            how, why = How.NOT_IN_LEDGER, "it rests at the venue and is not ours, or its end was never true: cancel it"
        elif told is None:
            how, why = How.NOT_AT_VENUE, "it has ended there and we were never told: its fills may be missing too"
        else:
            how, why = How.DIFFERS, "a fill or a change of its terms did not reach us"
        found.append(
            Discrepancy(what=What.ORDER, how=how, subject=name, ledger=shown_mine, venue=shown_told, explanation=why)
        )
    return found, len({*ours, *theirs})


def _order_shown(order: OpenOrder, venue: VenueStatement) -> str:
    size, price = _size(order.leaves, order.symbol, venue), _price(order.price, order.symbol, venue)
    return f"{order.side.label} {size} {order.symbol} at {price}"


def _explained(gap: int, left: int, unit: str, facts: tuple[str, ...], shown: Callable[..., str]) -> str:
    """Return in one clause how much of a gap the facts account for."""
    told = f"venue less ledger is {_signed(gap, shown)} {unit}"
    if not left:
        return f"{told}, explained to the last unit by {', '.join(facts) or 'what the ledger holds as unexplained'}"
    if facts:
        return f"{told}, {', '.join(facts)} {'explains' if len(facts) == 1 else 'explain'} all but {_signed(left, shown)} {unit}"
    return f"{told}, and no fact explains {_signed(left, shown)} {unit} of it"


def _signed(value: int, shown: Callable[..., str]) -> str:
    return f"{'+' if value > 0 else ''}{shown(value)}"


def _size(lots: int, symbol: str, venue: VenueStatement) -> str:
    described = venue.decimals.get(symbol)
    return format_scaled(lots, described[1]) if described is not None else f"{lots} lots"


def _price(price: int, symbol: str, venue: VenueStatement) -> str:
    described = venue.decimals.get(symbol)
    return format_scaled(price, described[0]) if described is not None else f"{price} units"
