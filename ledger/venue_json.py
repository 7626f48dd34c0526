"""A venue statement as JSON that a person can read: amounts are decimal text, times nanoseconds of Unix time.

Why it exists: `hat ledger reconcile` takes a file, so that a statement can come from a running bot, from another tool or
from an auditor's hand. A file is nobody's word: every field is checked, and what cannot be used is named.

Laws: decode(encode(statement)) is the statement; text that would lose a digit is refused, never rounded; no fact and
no position is named twice.
"""

from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

import msgspec

from domain.errors import DataInvalid
from domain.events import FundingPaid, OrderFilled, TransferBooked
from domain.identifiers import ClientOrderId, TradeId, VenueOrderId
from domain.order import FillCause, Liquidity, Side
from domain.statement import OpenOrder, VenueStatement
from domain.units import (
    MONEY_DECIMALS,
    RATE_DECIMALS,
    Lots,
    Money,
    Price,
    Rate,
    format_money,
    format_rate,
    format_scaled,
    parse_scaled,
)
from ledger.bookkeeping import fill_id, funding_id

VERSION = 1
INT64_MAX = 2**63 - 1
SIDES = {side.label: side for side in Side}
LIQUIDITIES = {liquidity.label: liquidity for liquidity in Liquidity}
CAUSES = {cause.label: cause for cause in FillCause}

Member = TypeVar("Member")


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is written: a field nobody knows is a mistake of who wrote it."""


class _Decimals(_Line, frozen=True):
    price_decimals: int
    size_decimals: int


class _Position(_Line, frozen=True):
    symbol: str
    size: str
    entry_cost: str = "0"
    mark: str = "0"


class _Order(_Line, frozen=True):
    symbol: str
    side: str
    price: str
    leaves: str
    client_order_id: str = ""
    venue_order_id: int = 0


class _Fill(_Line, frozen=True):
    symbol: str
    trade_id: int
    ts_ns: int
    side: str
    price: str
    size: str
    fee: str
    liquidity: str
    start_position: str
    client_order_id: str = ""
    venue_order_id: int = 0
    cause: str = FillCause.ORDER.label
    evidence: str = ""


class _Funding(_Line, frozen=True):
    symbol: str
    hour_ns: int
    ts_ns: int
    amount: str
    position: str
    rate: str = "0"
    oracle_price: str = "0"


class _Transfer(_Line, frozen=True):
    transfer_id: str
    ts_ns: int
    amount: str


class _File(_Line, frozen=True):
    version: int
    account: str
    ts_ns: int
    cash: str
    instruments: dict[str, _Decimals]
    account_value: str = "0"
    complete_since_ns: int | None = None
    positions: tuple[_Position, ...] = ()
    open_orders: tuple[_Order, ...] | None = None
    fills: tuple[_Fill, ...] = ()
    fundings: tuple[_Funding, ...] = ()
    transfers: tuple[_Transfer, ...] = ()


def encode_statement(statement: VenueStatement) -> bytes:
    """Return a statement as indented JSON."""
    scales = {
        symbol: _Decimals(price_decimals=price, size_decimals=size)
        for symbol, (price, size) in sorted(statement.decimals.items())
    }

    def price(symbol: str, value: int) -> str:
        return format_scaled(value, scales[symbol].price_decimals)

    def size(symbol: str, value: int) -> str:
        return format_scaled(value, scales[symbol].size_decimals)

    orders = statement.open_orders
    written = _File(
        version=VERSION,
        account=statement.account,
        ts_ns=statement.ts_ns,
        cash=format_money(statement.cash),
        account_value=format_money(statement.account_value),
        complete_since_ns=statement.complete_since_ns,
        instruments=scales,
        positions=tuple(
            _Position(
                symbol=symbol,
                size=size(symbol, lots),
                entry_cost=format_money(Money(statement.costs.get(symbol, 0))),
                mark=price(symbol, statement.marks.get(symbol, 0)),
            )
            for symbol, lots in sorted(statement.positions.items())
        ),
        open_orders=None
        if orders is None
        else tuple(
            _Order(
                symbol=one.symbol,
                side=one.side.label,
                price=price(one.symbol, one.price),
                leaves=size(one.symbol, one.leaves),
                client_order_id=one.client_order_id,
                venue_order_id=one.venue_order_id,
            )
            for one in orders
        ),
        fills=tuple(_written_fill(one, price, size) for one in statement.fills),
        fundings=tuple(_written_funding(one, price, size) for one in statement.fundings),
        transfers=tuple(
            _Transfer(transfer_id=one.transfer_id, ts_ns=one.ts_event_ns, amount=format_money(one.amount))
            for one in statement.transfers
        ),
    )
    return msgspec.json.format(msgspec.json.encode(written), indent=1) + b"\n"


Scaled = Callable[[str, int], str]


def _written_funding(paid: FundingPaid, price: Scaled, size: Scaled) -> _Funding:
    return _Funding(
        symbol=paid.symbol,
        hour_ns=paid.hour_ns,
        ts_ns=paid.ts_event_ns,
        amount=format_money(paid.amount),
        position=size(paid.symbol, paid.position),
        rate=format_rate(paid.rate),
        oracle_price=price(paid.symbol, paid.oracle_price),
    )


def _written_fill(fill: OrderFilled, price: Scaled, size: Scaled) -> _Fill:
    return _Fill(
        symbol=fill.symbol,
        trade_id=fill.trade_id,
        ts_ns=fill.ts_event_ns,
        side=fill.side.label,
        price=price(fill.symbol, fill.price),
        size=size(fill.symbol, fill.lots),
        fee=format_money(fill.fee),
        liquidity=fill.liquidity.label,
        start_position=size(fill.symbol, fill.start_position),
        client_order_id=fill.client_order_id,
        venue_order_id=fill.venue_order_id,
        cause=fill.cause.label,
        evidence=fill.evidence,
    )


def decode_statement(place: str, content: bytes) -> VenueStatement:
    """Return the statement a file holds. Raises: DataInvalid naming the place, the field and what was expected."""
    try:
        read = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataInvalid(place, f"is no venue statement: {error}") from None
    except RecursionError:
        raise DataInvalid(place, "is no venue statement: nested too deep") from None
    if read.version != VERSION:
        raise DataInvalid(place, f"version = {read.version}: expected {VERSION}")
    return _Reader(place, read).statement()


class _Reader:
    """Turns what was written into house units, and says where it could not."""

    def __init__(self, place: str, read: _File) -> None:
        self._place = place
        self._read = read

    def statement(self) -> VenueStatement:
        """Return the statement. Raises: DataInvalid as decode_statement does."""
        read = self._read
        for symbol, one in read.instruments.items():
            if (
                one.price_decimals < 0
                or one.size_decimals < 0
                or one.price_decimals + one.size_decimals > MONEY_DECIMALS
            ):
                self._refuse(
                    f"instruments.{symbol}",
                    f"{one.price_decimals} price and {one.size_decimals} size decimals",
                    f"0 or more each, at most {MONEY_DECIMALS} together",
                )
        positions = {one.symbol: self._size("positions.size", one.symbol, one.size) for one in read.positions}
        costs = {one.symbol: self._money("positions.entry_cost", one.entry_cost) for one in read.positions}
        marks = {one.symbol: self._price("positions.mark", one.symbol, one.mark) for one in read.positions}
        self._once("positions", (one.symbol for one in read.positions))
        fills = tuple(self._fill(one) for one in read.fills)
        self._once("fills", map(fill_id, fills))
        fundings = tuple(self._funding(one) for one in read.fundings)
        self._once("fundings", map(funding_id, fundings))
        self._once("transfers", (one.transfer_id for one in read.transfers))
        orders = read.open_orders
        if orders is not None:
            self._once("open_orders", (one.client_order_id or f"number {one.venue_order_id}" for one in orders))
        return VenueStatement(
            account=read.account,
            ts_ns=self._time("ts_ns", read.ts_ns),
            cash=self._money("cash", read.cash),
            account_value=self._money("account_value", read.account_value),
            complete_since_ns=read.ts_ns + 1
            if read.complete_since_ns is None
            else self._time("complete_since_ns", read.complete_since_ns),
            decimals={symbol: (one.price_decimals, one.size_decimals) for symbol, one in read.instruments.items()},
            positions={symbol: lots for symbol, lots in positions.items() if lots},
            costs={symbol: cost for symbol, cost in costs.items() if positions[symbol]},
            marks={symbol: mark for symbol, mark in marks.items() if mark},
            open_orders=None if orders is None else tuple(self._order(one) for one in orders),
            fills=fills,
            fundings=fundings,
            transfers=tuple(
                TransferBooked(
                    one.transfer_id,
                    self._money("transfers.amount", one.amount),
                    ts_event_ns=self._time("transfers.ts_ns", one.ts_ns),
                    ts_recv_ns=one.ts_ns,
                )
                for one in read.transfers
            ),
        )

    def _order(self, one: _Order) -> OpenOrder:
        return OpenOrder(
            client_order_id=ClientOrderId(one.client_order_id),
            venue_order_id=VenueOrderId(one.venue_order_id),
            symbol=one.symbol,
            side=self._member("open_orders.side", one.side, SIDES),
            price=self._price("open_orders.price", one.symbol, one.price),
            leaves=self._size("open_orders.leaves", one.symbol, one.leaves),
        )

    def _fill(self, one: _Fill) -> OrderFilled:
        size = self._size("fills.size", one.symbol, one.size)
        price = self._price("fills.price", one.symbol, one.price)
        if size <= 0 or price <= 0:
            self._refuse("fills", f"{one.size} at {one.price}", "a size and a price above 0")
        return OrderFilled(
            client_order_id=ClientOrderId(one.client_order_id),
            venue_order_id=VenueOrderId(one.venue_order_id),
            symbol=one.symbol,
            side=self._member("fills.side", one.side, SIDES),
            trade_id=TradeId(one.trade_id),
            price=price,
            lots=size,
            liquidity=self._member("fills.liquidity", one.liquidity, LIQUIDITIES),
            fee=self._money("fills.fee", one.fee),
            start_position=self._size("fills.start_position", one.symbol, one.start_position),
            cause=self._member("fills.cause", one.cause, CAUSES),
            evidence=one.evidence,
            ts_event_ns=self._time("fills.ts_ns", one.ts_ns),
            ts_recv_ns=one.ts_ns,
        )

    def _funding(self, one: _Funding) -> FundingPaid:
        return FundingPaid(
            one.symbol,
            self._time("fundings.hour_ns", one.hour_ns),
            self._size("fundings.position", one.symbol, one.position),
            Rate(self._number("fundings.rate", one.rate, RATE_DECIMALS)),
            self._price("fundings.oracle_price", one.symbol, one.oracle_price),
            self._money("fundings.amount", one.amount),
            ts_event_ns=self._time("fundings.ts_ns", one.ts_ns),
            ts_recv_ns=one.ts_ns,
        )

    def _money(self, field: str, text: str) -> Money:
        return Money(self._number(field, text, MONEY_DECIMALS))

    def _price(self, field: str, symbol: str, text: str) -> Price:
        return Price(self._number(field, text, self._scale(field, symbol).price_decimals))

    def _size(self, field: str, symbol: str, text: str) -> Lots:
        return Lots(self._number(field, text, self._scale(field, symbol).size_decimals))

    def _scale(self, field: str, symbol: str) -> _Decimals:
        found = self._read.instruments.get(symbol)
        if found is None:
            known = ", ".join(sorted(self._read.instruments)[:5]) or "none is"
            self._refuse(field.partition(".")[0] + ".symbol", symbol[:40], f"an instrument described above ({known})")
        return found

    def _number(self, field: str, text: str, decimals: int) -> int:
        try:
            value = parse_scaled(text, decimals)
        except ValueError as error:
            raise DataInvalid(self._place, f"{field}: {error}") from None
        if abs(value) > INT64_MAX:
            self._refuse(field, text, "a number that fits 64 bits")
        return value

    def _time(self, field: str, ts_ns: int) -> int:
        if not 0 <= ts_ns < INT64_MAX:
            self._refuse(field, str(ts_ns), "nanoseconds of Unix time")
        return ts_ns

    def _member(self, field: str, text: str, known: dict[str, Member]) -> Member:
        found = known.get(text)
        if found is None:
            self._refuse(field, text[:40], " or ".join(known))
        return found

    def _once(self, field: str, names: Iterable[str]) -> None:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                self._refuse(field, name[:80], "every one of them once")
            seen.add(name)

    def _refuse(self, field: str, found: str, expected: str) -> NoReturn:
        raise DataInvalid(self._place, f"{field} = {found!r}: expected {expected}")
