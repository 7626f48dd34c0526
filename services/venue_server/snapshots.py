"""What each kind of subscription tells as a whole: on subscribing, and again from time to time where it is a state.

Laws: pure readers of the sources. A kind without a whole (orders, events) is absent here: it tells changes alone.
Source: HYPERLIQUID 5.3, 5.4.
"""

from collections.abc import Callable, Mapping

from msgspec import UNSET

from domain.units import NS_PER_MS
from exchange.hyperliquid.wire import Subscription
from exchange.hyperliquid.wire_account import FillsPushed, FundingsPushed, LedgerPushed
from exchange.hyperliquid.wire_market import Mids, PerpContext, PerpContextPushed
from exchange.simulated.accounts import FUNDINGS_KEPT, Account
from exchange.simulated.market import Market
from services.venue_server.encoding import funding_payment, ledger_entry
from services.venue_server.info_account import (
    active_asset,
    clearing_state,
    frontend_orders,
    money_moved,
    newest_fills,
    no_clearing_state,
    records_of,
    spot_state,
    web_data,
)
from services.venue_server.info_market import best_of, book_of, context_of, mids_of, trades_of
from services.venue_server.questions import Sources
from services.venue_server.tape import candle

Snapshot = Callable[[Sources, Subscription, int], object]
"""Makes the data of a message from the sources, the subscription and the time in ms; None: there is nothing to tell."""


def text_of(value: object) -> str:
    """Return a field of a subscription, empty when it is missing."""
    return value if isinstance(value, str) else ""


def _market(sources: Sources, wanted: Subscription) -> Market:
    return sources.venue.markets[text_of(wanted.coin)]


def _account(sources: Sources, wanted: Subscription) -> Account | None:
    return sources.venue.accounts.get(text_of(wanted.user))


def _mids(sources: Sources, wanted: Subscription, _: int) -> object:
    return Mids(mids={} if wanted.dex else mids_of(sources), dex=wanted.dex)


def book(sources: Sources, wanted: Subscription, now_ms: int) -> object:
    """Return a book as subscribed."""
    figures = None if wanted.figures is UNSET else wanted.figures
    return book_of(_market(sources, wanted), now_ms, figures, None if wanted.mantissa is UNSET else wanted.mantissa)


def _best(sources: Sources, wanted: Subscription, now_ms: int) -> object:
    return best_of(_market(sources, wanted), now_ms)


def _trades(sources: Sources, wanted: Subscription, _: int) -> object:
    return trades_of(sources, _market(sources, wanted))


def newest_candle(sources: Sources, wanted: Subscription, _: int) -> object:
    """Return the candle that is open, or the last one there was."""
    market, interval = _market(sources, wanted), text_of(wanted.interval)
    bar = sources.tape.candles(market.symbol).last(interval)
    return None if bar is None else candle(market, interval, bar)


def _context(sources: Sources, wanted: Subscription, now_ms: int) -> object:
    market = _market(sources, wanted)
    return PerpContextPushed(coin=market.symbol, context=context_of(sources, market, now_ms))


def _asset(sources: Sources, wanted: Subscription, _: int) -> object:
    return active_asset(sources, text_of(wanted.user), _market(sources, wanted))


def _fills(sources: Sources, wanted: Subscription, _: int) -> object:
    fills = newest_fills(sources, _account(sources, wanted), aggregates=wanted.aggregate_by_time is True)
    return FillsPushed(is_snapshot=True, user=text_of(wanted.user), fills=tuple(fills))


def _fundings(sources: Sources, wanted: Subscription, _: int) -> object:
    account, markets = _account(sources, wanted), sources.venue.markets
    paid = list(account.fundings)[-FUNDINGS_KEPT:] if account is not None else []
    return FundingsPushed(
        is_snapshot=True,
        user=text_of(wanted.user),
        fundings=tuple(funding_payment(one, markets[one.symbol].instrument) for one in paid),
    )


def _updates(sources: Sources, wanted: Subscription, _: int) -> object:
    account = _account(sources, wanted)
    updates = list(account.updates)[-FUNDINGS_KEPT:] if account is not None else []
    entries = tuple(ledger_entry(one, sources.venue.markets) for one in updates)
    return LedgerPushed(is_snapshot=True, user=text_of(wanted.user), entries=entries)


def _historical(sources: Sources, wanted: Subscription, _: int) -> object:
    return {
        "isSnapshot": True,
        "user": text_of(wanted.user),
        "orderHistory": records_of(sources, _account(sources, wanted)),
    }


def _twap_history(_: Sources, wanted: Subscription, __: int) -> object:
    return {"isSnapshot": True, "user": text_of(wanted.user), "history": []}


def _twap_fills(_: Sources, wanted: Subscription, __: int) -> object:
    return {"isSnapshot": True, "user": text_of(wanted.user), "twapSliceFills": []}


def _web_data(sources: Sources, wanted: Subscription, now_ms: int) -> object:
    return web_data(sources, text_of(wanted.user), now_ms)


def _newer_web_data(sources: Sources, wanted: Subscription, now_ms: int) -> object:
    address = text_of(wanted.user)
    agents = sources.registry.live_agents(address, now_ms * NS_PER_MS)
    agent = next((one for one in agents if not one.name), None)
    return {
        "userState": {
            "agentAddress": agent.address if agent is not None else None,
            "agentValidUntil": agent.valid_until_ms if agent is not None else None,
            "serverTime": now_ms,
            "cumLedger": money_moved(sources.venue.accounts.get(address)),
            "isVault": False,
            "user": address,
        },
        "perpDexStates": [{"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}],
    }


def _clearing(sources: Sources, wanted: Subscription, now_ms: int) -> object:
    address = text_of(wanted.user)
    state = no_clearing_state(now_ms) if wanted.dex else clearing_state(sources, address, now_ms)
    return {"dex": text_of(wanted.dex), "user": address, "clearinghouseState": state}


def _all_clearing(sources: Sources, wanted: Subscription, now_ms: int) -> object:
    address = text_of(wanted.user)
    return {"user": address, "clearinghouseStates": [("", clearing_state(sources, address, now_ms))]}


def _open_orders(sources: Sources, wanted: Subscription, _: int) -> object:
    orders = [] if wanted.dex else frontend_orders(sources, _account(sources, wanted))
    return {"dex": text_of(wanted.dex), "user": text_of(wanted.user), "orders": orders}


def _twap_states(_: Sources, wanted: Subscription, __: int) -> object:
    return {"dex": text_of(wanted.dex), "user": text_of(wanted.user), "states": []}


def _spot(sources: Sources, wanted: Subscription, _: int) -> object:
    address = text_of(wanted.user)
    return {"user": address, "spotState": spot_state(sources, address)}


def _contexts(sources: Sources, now_ms: int) -> list[PerpContext]:
    return [context_of(sources, market, now_ms) for market in sources.markets()]


def _one_dex(sources: Sources, wanted: Subscription, now_ms: int) -> object:
    return {"dex": text_of(wanted.dex), "ctxs": [] if wanted.dex else _contexts(sources, now_ms)}


def _all_dexs(sources: Sources, _: Subscription, now_ms: int) -> object:
    return {"ctxs": [("", _contexts(sources, now_ms))]}


def _spot_contexts(_: Sources, __: Subscription, ___: int) -> object:
    return []


STATES: Mapping[str, Snapshot] = {
    "allMids": _mids,
    "activeAssetCtx": _context,
    "activeAssetData": _asset,
    "webData2": _web_data,
    "webData3": _newer_web_data,
    "clearinghouseState": _clearing,
    "allDexsClearinghouseState": _all_clearing,
    "openOrders": _open_orders,
    "twapStates": _twap_states,
    "spotState": _spot,
    "assetCtxs": _one_dex,
    "allDexsAssetCtxs": _all_dexs,
    "spotAssetCtxs": _spot_contexts,
}
"""Kinds that are told again whenever they have changed, as often as the settings say."""

SNAPSHOTS: Mapping[str, Snapshot] = {
    **STATES,
    "l2Book": book,
    "bbo": _best,
    "trades": _trades,
    "candle": newest_candle,
    "userFills": _fills,
    "userFundings": _fundings,
    "userNonFundingLedgerUpdates": _updates,
    "userHistoricalOrders": _historical,
    "userTwapHistory": _twap_history,
    "userTwapSliceFills": _twap_fills,
}
"""Kinds that begin with a whole."""
