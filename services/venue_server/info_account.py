"""Answers about accounts: positions and margin, orders, fills, funding, movements, agents, budgets.

Laws: reads, never changes. An address nobody knows is answered with zeros and empty lists, an agent's address too: it
owns nothing. Source: HYPERLIQUID 2.4, 7.1, 9.4.
"""

from collections.abc import Iterable
from itertools import islice

from msgspec import UNSET

from domain.units import NS_PER_MS
from exchange.hyperliquid.wire_account import (
    ActiveAsset,
    AssetPosition,
    Balance,
    ClearinghouseState,
    Fill,
    FrontendOrder,
    FundingEntry,
    FundingSums,
    LedgerEntry,
    Leverage,
    MarginSummary,
    OpenOrder,
    OrderAnswer,
    OrderRecord,
    Position,
    SpotState,
)
from exchange.simulated.accounts import FILLS_KEPT, HISTORY_KEPT, Account
from exchange.simulated.clearing import Clearing, PositionClearing, clearinghouse
from exchange.simulated.market import Market
from exchange.simulated.records import Execution, VenueOrder
from services.venue_server.encoding import (
    fill,
    frontend_order,
    funding_entry,
    ledger_entry,
    merged,
    money_text,
    open_order,
    order_record,
    price_text,
    size_text,
)
from services.venue_server.info_market import context_of, meta_of
from services.venue_server.questions import ROWS_MAX, Query, Question, Sources
from services.venue_server.registry import UNNAMED
from services.venue_server.replies import decimal_text

FINE_DECIMALS = 10
"""Return on equity and liquidation prices have ten decimals."""

NO_SUMMARY = MarginSummary(account_value="0.0", total_notional="0.0", total_raw_usd="0.0", total_margin_used="0.0")


def account_of(sources: Sources, asked: Question) -> Account | None:
    """Return the account asked about."""
    return sources.venue.accounts.get(asked.user or "")


def clearing_state(sources: Sources, address: str, now_ms: int) -> ClearinghouseState:
    """Return positions and margin of an address, zeros for strangers."""
    account = sources.venue.accounts.get(address)
    if account is None:
        return no_clearing_state(now_ms)
    found = clearinghouse(sources.venue, account)
    markets = sources.venue.markets
    positions = sorted(found.positions, key=lambda one: markets[one.symbol].instrument.asset_id)
    return ClearinghouseState(
        margin_summary=_summary(found.account_value, found.notional, found.raw, found.margin_used),
        cross_margin_summary=_cross_summary(found),
        cross_maintenance_margin_used=money_text(found.cross_maintenance),
        withdrawable=money_text(found.withdrawable),
        asset_positions=tuple(
            AssetPosition(type="oneWay", position=position_of(one, markets[one.symbol])) for one in positions
        ),
        time=now_ms,
    )


def no_clearing_state(now_ms: int) -> ClearinghouseState:
    """Return the state of whoever has nothing."""
    return ClearinghouseState(
        margin_summary=NO_SUMMARY,
        cross_margin_summary=NO_SUMMARY,
        cross_maintenance_margin_used="0.0",
        withdrawable="0.0",
        asset_positions=(),
        time=now_ms,
    )


def _cross_summary(found: Clearing) -> MarginSummary:
    return _summary(found.cross_account_value, found.cross_notional, found.cross_raw, found.cross_margin_used)


def _summary(value: int, notional: int, raw: int, used: int) -> MarginSummary:
    return MarginSummary(
        account_value=money_text(value),
        total_notional=money_text(notional),
        total_raw_usd=money_text(raw),
        total_margin_used=money_text(used),
    )


def position_of(one: PositionClearing, market: Market) -> Position:
    """Return one position."""
    instrument = market.instrument
    return Position(
        coin=one.symbol,
        size=size_text(instrument, one.lots),
        leverage=Leverage(
            type="cross" if one.is_cross else "isolated",
            value=one.leverage,
            raw_usd=UNSET if one.is_cross else money_text(one.raw),
        ),
        entry_price=price_text(instrument, one.entry_price),
        position_value=money_text(one.value),
        unrealized_pnl=money_text(one.unrealized),
        return_on_equity=decimal_text(one.return_on_equity, FINE_DECIMALS),
        liquidation_price=decimal_text(one.liquidation_price, FINE_DECIMALS) if one.liquidation_price else None,
        margin_used=money_text(one.margin_used),
        max_leverage=one.leverage_max,
        cumulative_funding=FundingSums(
            all_time=money_text(-one.funding_ever),
            since_open=money_text(-one.funding_since_open),
            since_change=money_text(-one.funding_since_change),
        ),
    )


def spot_state(sources: Sources, address: str) -> SpotState:
    """Return the tokens an address holds, nothing for strangers."""
    person = sources.registry.person(address)
    if person is None:
        return SpotState(balances=())
    return SpotState(
        balances=(Balance(coin="USDC", token=0, total=money_text(person.spot), hold="0.0", entry_notional="0.0"),)
    )


def open_orders_of(account: Account | None) -> list[VenueOrder]:
    """Return the orders that live, newest first; children of a parent that rests are among them, as recorded."""
    return [order for _, order in sorted(account.orders.items(), reverse=True)] if account is not None else []


def frontend_orders(sources: Sources, account: Account | None) -> list[FrontendOrder]:
    """Return the orders that live, with everything there is to say."""
    markets = sources.venue.markets
    return [frontend_order(order, markets[order.symbol].instrument) for order in open_orders_of(account)]


def records_of(sources: Sources, account: Account | None) -> list[OrderRecord]:
    """Return live and ended orders, newest first."""
    if account is None:
        return []
    markets = sources.venue.markets
    orders = [*open_orders_of(account), *reversed(account.history)]
    orders.sort(key=lambda order: (order.ts_status_ns, order.venue_order_id), reverse=True)
    return [order_record(order, markets[order.symbol].instrument) for order in orders[:HISTORY_KEPT]]


def fills_of(
    sources: Sources, account: Account, executions: Iterable[Execution], *, aggregates: bool = False
) -> list[Fill]:
    """Return executions, given oldest first, as fills."""
    markets = sources.venue.markets
    told = merged(executions) if aggregates else executions
    return [fill(account, one, markets[one.symbol].instrument) for one in told]


def newest_fills(sources: Sources, account: Account | None, *, aggregates: bool = False) -> list[Fill]:
    """Return the last fills, newest first."""
    if account is None:
        return []
    count = len(account.executions)
    executions = islice(account.executions, max(count - FILLS_KEPT, 0), None)
    return fills_of(sources, account, executions, aggregates=aggregates)[::-1]


def active_asset(sources: Sources, address: str, market: Market) -> ActiveAsset:
    """Return what an address could trade now: its free margin at its leverage, after closing what is held."""
    instrument = market.instrument
    account = sources.venue.accounts.get(address)
    price = market.reference() or market.last_price
    leverage, is_cross = instrument.leverage_max, True
    free = held = 0
    if account is not None:
        leverage = sources.venue.desk.admission.leverage(account, market)
        is_cross = account.leverages.get(market.symbol, (leverage, True))[1]
        free = clearinghouse(sources.venue, account).free_margin
        held = account.positions.get(market.symbol, 0)
    value = price * market.money_per_unit
    room = free * leverage // value if value else 0
    lots = (room + max(-held, 0) * 2, room + max(held, 0) * 2)
    return ActiveAsset(
        user=address,
        coin=market.symbol,
        leverage=Leverage(
            type="cross" if is_cross else "isolated",
            value=leverage,
            raw_usd=UNSET if is_cross or account is None else money_text(account.isolated.get(market.symbol, 0)),
        ),
        max_trade_sizes=(size_text(instrument, lots[0]), size_text(instrument, lots[1])),
        available_to_trade=(money_text(lots[0] * value // leverage), money_text(lots[1] * value // leverage)),
        mark_price=price_text(instrument, price),
    )


def money_moved(account: Account | None) -> str:
    """Return what an account was given less what it gave away, trades aside."""
    return money_text(sum(update.amount for update in account.updates) if account is not None else 0)


def web_data(sources: Sources, address: str, now_ms: int) -> dict[str, object]:
    """Return everything the venue's own page shows of an account (`webData2`)."""
    account = sources.venue.accounts.get(address)
    agents = sources.registry.live_agents(address, now_ms * NS_PER_MS)
    agent = next((one for one in agents if one.name == UNNAMED), None)
    return {
        "clearinghouseState": clearing_state(sources, address, now_ms),
        "leadingVaults": [],
        "totalVaultEquity": "0.0",
        "openOrders": frontend_orders(sources, account),
        "agentAddress": agent.address if agent is not None else None,
        "agentValidUntil": agent.valid_until_ms if agent is not None else None,
        "cumLedger": money_moved(account),
        "meta": meta_of(sources),
        "assetCtxs": [context_of(sources, market, now_ms) for market in sources.markets()],
        "serverTime": now_ms,
        "isVault": False,
        "user": address,
        "twapStates": [],
        "spotState": spot_state(sources, address),
        "spotAssetCtxs": [],
        "perpsAtOpenInterestCap": [],
    }


def _clearing(sources: Sources, asked: Question, now_ms: int) -> ClearinghouseState:
    return no_clearing_state(now_ms) if asked.is_elsewhere else clearing_state(sources, asked.user or "", now_ms)


def _spot(sources: Sources, asked: Question, _: int) -> SpotState:
    return spot_state(sources, asked.user or "")


def _open_orders(sources: Sources, asked: Question, _: int) -> list[OpenOrder]:
    if asked.is_elsewhere:
        return []
    markets = sources.venue.markets
    orders = open_orders_of(account_of(sources, asked))
    return [open_order(order, markets[order.symbol].instrument) for order in orders]


def _frontend_orders(sources: Sources, asked: Question, _: int) -> list[FrontendOrder]:
    return [] if asked.is_elsewhere else frontend_orders(sources, account_of(sources, asked))


def _order_status(sources: Sources, asked: Question, _: int) -> OrderAnswer:
    account, target = account_of(sources, asked), asked.target
    target = target.lower() if isinstance(target, str) else target
    order = account.order(target) if account is not None and target is not None else None
    if order is None:
        return OrderAnswer(status="unknownOid")
    return OrderAnswer(status="order", order=order_record(order, sources.venue.markets[order.symbol].instrument))


def _historical(sources: Sources, asked: Question, _: int) -> list[OrderRecord]:
    return records_of(sources, account_of(sources, asked))


def _fills(sources: Sources, asked: Question, _: int) -> list[Fill]:
    return newest_fills(sources, account_of(sources, asked), aggregates=asked.aggregate_by_time is True)


def _is_within(time_ns: int, asked: Question) -> bool:
    time_ms = time_ns // NS_PER_MS
    return (asked.start_time or 0) <= time_ms and (asked.end_time is None or time_ms <= asked.end_time)


def _fills_by_time(sources: Sources, asked: Question, _: int) -> list[Fill]:
    account = account_of(sources, asked)
    if account is None:
        return []
    executions = [one for one in account.executions if _is_within(one.ts_ns, asked)]
    executions = executions[-FILLS_KEPT:] if asked.reversed else executions[:FILLS_KEPT]
    fills = fills_of(sources, account, executions, aggregates=asked.aggregate_by_time is True)
    return fills[::-1] if asked.reversed else fills


def _fundings(sources: Sources, asked: Question, _: int) -> list[FundingEntry]:
    account = account_of(sources, asked)
    markets = sources.venue.markets
    paid = [one for one in account.fundings if _is_within(one.ts_event_ns, asked)] if account is not None else []
    return [funding_entry(one, markets[one.symbol].instrument) for one in paid[:ROWS_MAX]]


def _updates(sources: Sources, asked: Question, _: int) -> list[LedgerEntry]:
    account = account_of(sources, asked)
    updates = [one for one in account.updates if _is_within(one.ts_ns, asked)] if account is not None else []
    return [ledger_entry(one, sources.venue.markets) for one in updates[:ROWS_MAX]]


def _active_asset(sources: Sources, asked: Question, _: int) -> ActiveAsset | None:
    market = sources.market(asked.coin)
    return None if market is None else active_asset(sources, asked.user or "", market)


def _web_data(sources: Sources, asked: Question, now_ms: int) -> dict[str, object]:
    return web_data(sources, asked.user or "", now_ms)


USER = ("user",)
ACCOUNT_QUERIES = {
    "clearinghouseState": Query(make=_clearing, needs=USER, weight=2),
    "spotClearinghouseState": Query(make=_spot, needs=USER, weight=2),
    "openOrders": Query(make=_open_orders, needs=USER),
    "frontendOpenOrders": Query(make=_frontend_orders, needs=USER),
    "orderStatus": Query(make=_order_status, needs=("user", "target"), weight=2),
    "historicalOrders": Query(make=_historical, needs=USER, items_per_weight=20),
    "userFills": Query(make=_fills, needs=USER, items_per_weight=20),
    "userFillsByTime": Query(make=_fills_by_time, needs=("user", "start_time"), items_per_weight=20),
    # ccxt leaves startTime out where its caller names no time.
    "userFunding": Query(make=_fundings, needs=("user",), items_per_weight=20),
    "userNonFundingLedgerUpdates": Query(make=_updates, needs=("user",), items_per_weight=20),
    "activeAssetData": Query(make=_active_asset, needs=("user", "coin")),
    "webData2": Query(make=_web_data, needs=USER),
}
