"""What the venue knows, as it is written on the wire: numbers, orders, fills, positions, movements of money.

Pure functions from the venue's records to the structures of exchange/hyperliquid/wire*.py.

Laws: decimals are exact and plain, whole numbers keep `.0`, there is no exponent and no noise; nothing here decides.
Source: HYPERLIQUID 2.4, 5.4, 9.4, 12.3; recorded answers.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET

from domain.events import FundingPaid
from domain.instrument import Instrument
from domain.order import TimeInForce
from domain.units import MONEY_DECIMALS, NS_PER_MS, RATE_DECIMALS, format_scaled, parse_money
from exchange.hyperliquid.wire_account import (
    Fill,
    FillLiquidation,
    FrontendOrder,
    FundingDelta,
    FundingEntry,
    FundingPayment,
    LedgerEntry,
    OpenOrder,
    OrderRecord,
    OrderUpdate,
)
from exchange.simulated.accounts import Account
from exchange.simulated.market import Market
from exchange.simulated.records import Execution, LedgerUpdate, Status, VenueOrder
from services.venue_server.replies import decimal_text

NO_HASH = "0x" + "0" * 64
"""Of what no action caused: funding. Source: HYPERLIQUID 2.4."""

FEE_COIN = "USDC"
NO_TRIGGER = "N/A"
BUY, SELL = "B", "A"
WITHOUT_USDC = frozenset({"liquidation", "send", "spotTransfer"})
"""Movements whose line tells amounts of its own."""


def price_text(instrument: Instrument, price: int) -> str:
    """Return a price."""
    return decimal_text(price, instrument.price_decimals)


def size_text(instrument: Instrument, lots: int) -> str:
    """Return a size in base units, signed as the lots are."""
    return decimal_text(lots, instrument.size_decimals)


def money_text(amount: int) -> str:
    """Return Money as USDC."""
    return decimal_text(amount, MONEY_DECIMALS)


def rate_text(rate: int) -> str:
    """Return a Rate as a fraction."""
    return decimal_text(rate, RATE_DECIMALS)


def side_text(side: int) -> str:
    """Return `B` for buying and `A` for selling."""
    return BUY if side > 0 else SELL


def direction(start: int, side: int, lots: int) -> str:
    """Return what a fill did to a position, in the venue's words. Units: signed lots before, side +1/-1, lots."""
    held, traded = ("Long", "Short") if start > 0 else ("Short", "Long"), "Long" if side > 0 else "Short"
    if start == 0 or (start > 0) == (side > 0):
        return f"Open {traded}"
    if lots > abs(start):
        return f"{held[0]} > {held[1]}"
    return f"Close {held[0]}"


def fill_direction(account: Account, execution: Execution) -> str:
    """Return the direction of an execution, with the words for forced ones."""
    forced = execution.liquidation
    if execution.is_deleveraging:
        return "Auto-Deleveraging"
    if forced is not None and forced.address == account.address:
        held = "Long" if execution.start_position > 0 else "Short"
        return f"Liquidated {'Isolated' if forced.is_isolated else 'Cross'} {held}"
    return direction(execution.start_position, execution.side, execution.lots)


def fill(account: Account, execution: Execution, instrument: Instrument) -> Fill:
    """Return an execution as its account sees it."""
    forced = execution.liquidation
    return Fill(
        coin=execution.symbol,
        price=price_text(instrument, execution.price),
        size=size_text(instrument, execution.lots),
        side=side_text(execution.side),
        time=execution.ts_ns // NS_PER_MS,
        start_position=size_text(instrument, execution.start_position),
        direction=fill_direction(account, execution),
        closed_pnl=money_text(execution.closed_pnl),
        hash=execution.hash,
        order_id=execution.venue_order_id,
        is_taker=execution.is_taker,
        fee=money_text(execution.fee),
        trade_id=execution.trade_id,
        client_order_id=execution.client_order_id or UNSET,
        liquidation=UNSET
        if forced is None
        else FillLiquidation(
            liquidated_user=forced.address, mark_price=price_text(instrument, forced.mark_price), method=forced.method
        ),
        fee_token=FEE_COIN,
        builder_fee=money_text(execution.surcharge) if execution.surcharge else UNSET,
        twap_id=None,
    )


def merged(executions: Iterable[Execution]) -> list[Execution]:
    """Return executions with those of one order in one action as one, at the average price rounded half up."""
    groups: list[list[Execution]] = []
    for one in executions:
        first = groups[-1][0] if groups else None
        if (
            first is not None
            and one.is_taker
            and (one.action, one.venue_order_id, one.symbol, one.ts_ns, one.is_taker)
            == (first.action, first.venue_order_id, first.symbol, first.ts_ns, first.is_taker)
        ):
            groups[-1].append(one)
        else:
            groups.append([one])
    return [group[0] if len(group) == 1 else _merged(group) for group in groups]


def _merged(group: list[Execution]) -> Execution:
    first = group[0]
    lots = sum(one.lots for one in group)
    value = sum(one.price * one.lots for one in group)
    return Execution(
        symbol=first.symbol,
        side=first.side,
        price=(2 * value + lots) // (2 * lots),
        lots=lots,
        ts_ns=first.ts_ns,
        start_position=first.start_position,
        closed_pnl=sum(one.closed_pnl for one in group),
        fee=sum(one.fee for one in group),
        trade_id=first.trade_id,
        venue_order_id=first.venue_order_id,
        client_order_id=first.client_order_id,
        is_taker=first.is_taker,
        action=first.action,
        liquidation=first.liquidation,
        counterparty=first.counterparty,
        is_deleveraging=first.is_deleveraging,
        surcharge=sum(one.surcharge for one in group),
    )


def open_order(order: VenueOrder, instrument: Instrument) -> OpenOrder:
    """Return an order with what is left of it now."""
    return OpenOrder(
        coin=order.symbol,
        side=side_text(order.side),
        limit_price=price_text(instrument, order.price),
        size=size_text(instrument, order.leaves),
        order_id=order.venue_order_id,
        timestamp=order.ts_ns // NS_PER_MS,
        original_size=size_text(instrument, order.lots),
        client_order_id=order.client_order_id or UNSET,
        reduce_only=True if order.reduce_only else UNSET,
    )


def order_type(order: VenueOrder) -> str:
    """Return the kind of an order in the venue's words."""
    trigger = order.trigger
    if trigger is None:
        return "Limit"
    return f"{'Take Profit' if trigger.is_take_profit else 'Stop'} {'Market' if trigger.is_market else 'Limit'}"


def time_in_force(order: VenueOrder) -> str | None:
    """Return how long an order stays, None where it has no say: market orders that wait for a price."""
    if order.trigger is not None and order.trigger.is_market:
        return None
    if order.post_only:
        return "Alo"
    return "Ioc" if order.time_in_force is TimeInForce.IOC else "Gtc"


def trigger_condition(order: VenueOrder, instrument: Instrument) -> str:
    """Return when an order wakes, in the venue's words: `Price above 10.004`, `N/A`."""
    trigger = order.trigger
    if trigger is None:
        return NO_TRIGGER
    is_above = (order.side > 0) != trigger.is_take_profit
    return f"Price {'above' if is_above else 'below'} {format_scaled(trigger.price, instrument.price_decimals)}"


def frontend_order(order: VenueOrder, instrument: Instrument, leaves: int | None = None) -> FrontendOrder:
    """Return everything the venue shows of an order; leaves are those of now unless given."""
    trigger = order.trigger
    return FrontendOrder(
        coin=order.symbol,
        side=side_text(order.side),
        limit_price=price_text(instrument, order.price),
        size=size_text(instrument, order.leaves if leaves is None else leaves),
        order_id=order.venue_order_id,
        timestamp=order.ts_ns // NS_PER_MS,
        trigger_condition=trigger_condition(order, instrument),
        is_trigger=trigger is not None,
        trigger_price=price_text(instrument, trigger.price) if trigger is not None else "0.0",
        children=tuple(frontend_order(child, instrument) for child in order.children),
        is_position_tpsl=order.is_position_tpsl,
        reduce_only=order.reduce_only,
        order_type=order_type(order),
        original_size=size_text(instrument, order.lots),
        time_in_force=time_in_force(order),
        client_order_id=order.client_order_id or None,
    )


def status_text(order: VenueOrder) -> str:
    """Return the status of an order; one that waits for its parent is open to everybody else."""
    return str(Status.OPEN if order.status == Status.WAITING_FOR_FILL else order.status)


def order_record(order: VenueOrder, instrument: Instrument) -> OrderRecord:
    """Return an order and its status; its size is of the moment the status changed (HYPERLIQUID 2.4)."""
    return OrderRecord(
        order=frontend_order(order, instrument, order.leaves_at_status),
        status=status_text(order),
        status_timestamp=order.ts_status_ns // NS_PER_MS,
    )


def order_update(order: VenueOrder, instrument: Instrument, ts_ns: int) -> OrderUpdate:
    """Return what a stream tells of an order now. ts_ns: when a partial fill, which is no status, happened."""
    is_partial = order.is_open and order.filled > 0
    return OrderUpdate(
        order=open_order(order, instrument),
        status=status_text(order),
        status_timestamp=(ts_ns if is_partial else order.ts_status_ns) // NS_PER_MS,
    )


def funding_payment(paid: FundingPaid, instrument: Instrument) -> FundingPayment:
    """Return one settlement as it is pushed."""
    return FundingPayment(
        time=paid.ts_event_ns // NS_PER_MS,
        coin=paid.symbol,
        usdc=money_text(paid.amount),
        size=size_text(instrument, paid.position),
        funding_rate=rate_text(paid.rate),
        samples=None,
    )


def funding_entry(paid: FundingPaid, instrument: Instrument) -> FundingEntry:
    """Return one settlement as a row of the history."""
    flat = funding_payment(paid, instrument)
    return FundingEntry(
        time=flat.time,
        hash=NO_HASH,
        delta=FundingDelta(
            type="funding",
            coin=flat.coin,
            usdc=flat.usdc,
            size=flat.size,
            funding_rate=flat.funding_rate,
            samples=None,
        ),
    )


def ledger_entry(update: LedgerUpdate, markets: Mapping[str, Market]) -> LedgerEntry:
    """Return one movement of money; amounts on the wire have no sign, the kind and the names tell who gained."""
    delta: dict[str, Any] = {"type": update.kind}
    fields = update.fields
    if update.kind not in WITHOUT_USDC or (
        update.amount and "accountValue" not in fields and "usdcValue" not in fields
    ):
        fee = fields.get("fee") if update.kind == "withdraw" else None
        delta["usdc"] = money_text(abs(update.amount) - (parse_money(fee) if isinstance(fee, str) else 0))
    for name, value in fields.items():
        if name == "accountValue" and isinstance(value, int):
            delta[name] = money_text(value)
        elif name == "liquidatedPositions" and isinstance(value, list | tuple):
            delta[name] = [{"coin": coin, "szi": size_text(markets[coin].instrument, lots)} for coin, lots in value]
        else:
            delta[name] = value
    return LedgerEntry(time=update.ts_ns // NS_PER_MS, hash=update.hash, delta=delta)
