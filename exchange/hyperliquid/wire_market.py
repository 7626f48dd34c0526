"""Market data on the wire: books, trades, candles, contexts, instruments, funding.

The laws are those of `wire.py`. Source: HYPERLIQUID 2.2, 2.3, 5.3.
"""

from msgspec import UNSET

from exchange.hyperliquid.wire import Maybe, Wire, keys


class BookLevel(Wire, frozen=True, kw_only=True, gc=False, rename=keys(price="px", size="sz", count="n")):
    """One level: price, size in base units, number of orders."""

    price: str
    size: str
    count: int


class Book(Wire, frozen=True, kw_only=True, gc=False):
    """`l2Book`: levels are bids (descending) and asks (ascending), at most 20 each. spread comes with aggregation."""

    coin: str
    time: int
    levels: tuple[tuple[BookLevel, ...], tuple[BookLevel, ...]]
    spread: str | Maybe = UNSET


class BestPrices(Wire, frozen=True, kw_only=True, gc=False):
    """`bbo`: best bid and best ask, null for an empty side. Some recordings hold a single level."""

    coin: str
    time: int
    bbo: tuple[BookLevel | None, ...]


class Trade(Wire, frozen=True, kw_only=True, gc=False, rename=keys(price="px", size="sz", trade_id="tid")):
    """One trade; side is the aggressor's, `B` or `A`; users are buyer and seller."""

    coin: str
    side: str
    price: str
    size: str
    time: int
    hash: str
    trade_id: int
    users: tuple[str, str] | Maybe = UNSET


class Candle(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(
        open_ms="t",
        close_ms="T",
        coin="s",
        interval="i",
        open="o",
        close="c",
        high="h",
        low="l",
        volume="v",
        count="n",
    ),
):
    """One candle; volume in base units, count of trades; close_ms is the last millisecond inside."""

    open_ms: int
    close_ms: int
    coin: str
    interval: str
    open: str
    close: str
    high: str
    low: str
    volume: str
    count: int


class Mids(Wire, frozen=True, kw_only=True, gc=False):
    """`allMids` as pushed."""

    mids: dict[str, str]
    dex: str | Maybe | None = UNSET


class PerpContext(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(
        previous_day_price="prevDayPx",
        day_notional="dayNtlVlm",
        oracle_price="oraclePx",
        mark_price="markPx",
        mid_price="midPx",
        impact_prices="impactPxs",
        day_base_volume="dayBaseVlm",
    ),
):
    """State of a perpetual: funding is the hourly rate, open interest base units of one side."""

    funding: str
    open_interest: str
    previous_day_price: str
    day_notional: str
    premium: str | None
    oracle_price: str
    mark_price: str
    mid_price: str | Maybe | None = UNSET
    impact_prices: tuple[str, str] | Maybe | None = UNSET
    day_base_volume: str | Maybe = UNSET


class SpotContext(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(
        previous_day_price="prevDayPx",
        day_notional="dayNtlVlm",
        mark_price="markPx",
        mid_price="midPx",
        day_base_volume="dayBaseVlm",
    ),
):
    """State of a spot pair."""

    previous_day_price: str
    day_notional: str
    mark_price: str
    mid_price: str | None
    circulating_supply: str
    coin: str | Maybe = UNSET
    total_supply: str | Maybe = UNSET
    day_base_volume: str | Maybe = UNSET


class PerpContextPushed(Wire, frozen=True, kw_only=True, gc=False, rename=keys(context="ctx")):
    """`activeAssetCtx`."""

    coin: str
    context: PerpContext


class SpotContextPushed(Wire, frozen=True, kw_only=True, gc=False, rename=keys(context="ctx")):
    """`activeSpotAssetCtx`."""

    coin: str
    context: SpotContext


class Asset(Wire, frozen=True, kw_only=True, gc=False, rename=keys(size_decimals="szDecimals")):
    """One perpetual of the universe; its index is the asset id, delisted ones keep their place."""

    name: str
    size_decimals: int
    max_leverage: int
    margin_table_id: int | Maybe = UNSET
    only_isolated: bool | Maybe = UNSET
    is_delisted: bool | Maybe = UNSET
    margin_mode: str | Maybe = UNSET
    growth_mode: str | Maybe = UNSET
    last_growth_mode_change_time: str | Maybe = UNSET


class MarginTierRow(Wire, frozen=True, kw_only=True, gc=False):
    """From lower_bound of notional on, leverage is capped."""

    lower_bound: str
    max_leverage: int


class MarginTable(Wire, frozen=True, kw_only=True, gc=False):
    """A margin table."""

    description: str | Maybe = UNSET
    margin_tiers: tuple[MarginTierRow, ...]


class Meta(Wire, frozen=True, kw_only=True, gc=False):
    """`meta`."""

    universe: tuple[Asset, ...]
    margin_tables: tuple[tuple[int, MarginTable], ...] | Maybe = UNSET
    collateral_token: int | Maybe = UNSET


class Token(Wire, frozen=True, kw_only=True, gc=False, rename=keys(size_decimals="szDecimals")):
    """One spot token."""

    name: str
    size_decimals: int
    wei_decimals: int
    index: int
    token_id: str
    is_canonical: bool
    evm_contract: dict[str, object] | str | Maybe | None = UNSET
    full_name: str | Maybe | None = UNSET
    deployer_trading_fee_share: str | Maybe = UNSET


class Pair(Wire, frozen=True, kw_only=True, gc=False):
    """One spot pair; tokens are base and quote, by their index."""

    tokens: tuple[int, int]
    name: str
    index: int
    is_canonical: bool


class SpotMeta(Wire, frozen=True, kw_only=True, gc=False):
    """`spotMeta`."""

    universe: tuple[Pair, ...]
    tokens: tuple[Token, ...]


class FundingRate(Wire, frozen=True, kw_only=True, gc=False):
    """One row of `fundingHistory`: the rate of the hour, a few milliseconds after it."""

    coin: str
    funding_rate: str
    premium: str
    time: int


class PredictedRate(Wire, frozen=True, kw_only=True, gc=False):
    """What a venue is expected to settle next."""

    funding_rate: str
    next_funding_time: int
    funding_interval_hours: int | Maybe = UNSET


class Dex(Wire, frozen=True, kw_only=True, gc=False):
    """One builder dex of `perpDexs`; the main dex is null there."""

    name: str
    full_name: str
    deployer: str
    oracle_updater: str | None
    fee_recipient: str | None
    asset_to_streaming_oi_cap: tuple[tuple[str, str], ...] | Maybe = UNSET
    sub_deployers: tuple[tuple[str, tuple[str, ...]], ...] | Maybe = UNSET
    deployer_fee_scale: str | Maybe = UNSET
    last_deployer_fee_scale_change_time: str | Maybe = UNSET
    asset_to_funding_multiplier: tuple[tuple[str, str], ...] | Maybe = UNSET
    asset_to_funding_interest_rate: tuple[tuple[str, str], ...] | Maybe = UNSET


class DexContextsPushed(Wire, frozen=True, kw_only=True, gc=False, rename=keys(contexts="ctxs")):
    """`allDexsAssetCtxs`: contexts by dex, the main dex is the empty name."""

    contexts: tuple[tuple[str, tuple[PerpContext, ...]], ...]
