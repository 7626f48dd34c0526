"""Subscriptions as clients ask for them, and as the venue writes them back.

Laws: pure. The same wish, however it is written, is the same `Subscription`: addresses lower-case, keys that a kind
does not know dropped, those of `l2Book` always there. Source: HYPERLIQUID 5.1, 5.2.
"""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET

from exchange.hyperliquid.wire import Maybe, Request, Subscription, Wire
from services.venue_server.candles import INTERVALS
from services.venue_server.info_market import is_aggregation
from services.venue_server.questions import is_address


class Wish(Wire, frozen=True, kw_only=True, gc=False):
    """What is asked for; null is as good as absent."""

    type: str
    coin: str | None = None
    user: str | None = None
    interval: str | None = None
    dex: str | None = None
    figures: int | None = msgspec.field(default=None, name="nSigFigs")
    mantissa: int | None = None
    fast: bool | None = None
    aggregate_by_time: bool | None = None
    is_portfolio_margin: bool | None = None


class Incoming(Wire, frozen=True, kw_only=True, gc=False):
    """One frame of a client: ping, subscribe, unsubscribe or post."""

    method: str
    subscription: Wish | Maybe = UNSET
    id: int | Maybe = UNSET
    request: Request | Maybe = UNSET


COIN, USER, NOTHING = ("coin",), ("user",), ()
NEEDS: Mapping[str, tuple[str, ...]] = {
    "allMids": NOTHING,
    "l2Book": COIN,
    "trades": COIN,
    "bbo": COIN,
    "candle": ("coin", "interval"),
    "activeAssetCtx": COIN,
    "activeAssetData": ("user", "coin"),
    "orderUpdates": USER,
    "userEvents": USER,
    "userFills": USER,
    "userFundings": USER,
    "userNonFundingLedgerUpdates": USER,
    "userHistoricalOrders": USER,
    "userTwapHistory": USER,
    "userTwapSliceFills": USER,
    "webData2": USER,
    "webData3": USER,
    "notification": USER,
    "twapStates": USER,
    "clearinghouseState": USER,
    "openOrders": USER,
    "spotState": USER,
    "allDexsClearinghouseState": USER,
    "allDexsAssetCtxs": NOTHING,
    "assetCtxs": NOTHING,
    "spotAssetCtxs": NOTHING,
}
"""Kind of subscription to the fields it cannot do without."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "allMids": ("dex",),
    "l2Book": ("fast",),
    "userFills": ("aggregate_by_time",),
    "twapStates": ("dex",),
    "clearinghouseState": ("dex",),
    "openOrders": ("dex",),
    "spotState": ("is_portfolio_margin",),
    "assetCtxs": ("dex",),
}
"""Kind of subscription to the fields that may be there too."""


def is_readable(wish: Wish) -> bool:
    """Say whether the venue knows this kind, and all is there that it needs."""
    needs = NEEDS.get(wish.type)
    return needs is not None and all(getattr(wish, name) is not None for name in needs)


def subscription_of(wish: Wish, coins: Mapping[str, object]) -> Subscription | None:
    """Return a readable wish in the venue's words, None when it asks for what is not there."""
    names = NEEDS[wish.type] + OPTIONS.get(wish.type, ())
    fields = {name: value for name in names if (value := getattr(wish, name)) is not None}
    if "user" in fields:
        if not is_address(fields["user"]):
            return None
        fields["user"] = fields["user"].lower()
    if "coin" in fields and fields["coin"] not in coins:
        return None
    if "interval" in fields and fields["interval"] not in INTERVALS:
        return None
    if wish.type == "l2Book":
        if not is_aggregation(wish.figures, wish.mantissa):
            return None
        fields["figures"], fields["mantissa"] = wish.figures, wish.mantissa
    return Subscription(type=wish.type, **fields)
