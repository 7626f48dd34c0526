"""Answers about the market: what is listed, prices, books, trades, candles, funding rates.

Laws: reads, never changes; a coin nobody lists is answered with null, a market of somebody else with an empty shape.
Source: HYPERLIQUID 2.2, 2.3, 7.1.
"""

from collections.abc import Iterable

from msgspec import UNSET

from domain.units import MONEY_DECIMALS, MONEY_UNIT, NS_PER_HOUR, NS_PER_MS
from exchange.hyperliquid.wire_market import (
    Asset,
    BestPrices,
    Book,
    BookLevel,
    Candle,
    FundingRate,
    MarginTable,
    MarginTierRow,
    Meta,
    PerpContext,
    PredictedRate,
    SpotContext,
    SpotMeta,
    Token,
    Trade,
)
from exchange.simulated.clearing import open_interest
from exchange.simulated.market import Market
from exchange.simulated.premium import PREMIUM_DECIMALS, impact_notional, impact_price
from services.venue_server.candles import INTERVALS
from services.venue_server.encoding import money_text, price_text, rate_text, size_text
from services.venue_server.questions import ROWS_MAX, Query, Question, Sources
from services.venue_server.replies import decimal_text
from services.venue_server.tape import candle, trade

LEVELS_MAX = 20
ALL_LEVELS = 1_000_000
FINE_FIGURES = 5
COARSE_FIGURES = (2, 3, 4, 5)
MANTISSAS = (1, 2, 5)
IMPACT_LEVELS = 100
TABLES_FROM = 50
"""Margin tables below this number are one tier of as much leverage and are not listed. Source: HYPERLIQUID 2.2."""

USDC = Token(
    name="USDC",
    size_decimals=8,
    wei_decimals=8,
    index=0,
    token_id="0x6d1e7cde53ba9467b783cb7c530ce054",  # noqa: S106 the venue's public name of the token
    is_canonical=True,
    evm_contract=None,
    full_name=None,
    deployer_trading_fee_share="0.0",
)
SPOT_META = SpotMeta(universe=(), tokens=(USDC,))
"""No spot pair is listed: nothing can refer to a token that is missing."""

NO_META = Meta(universe=(), margin_tables=(), collateral_token=0)
ORDER_NOTIONALS = ((25, 30_000_000), (20, 5_000_000), (10, 2_000_000), (0, 500_000))
"""Leverage from which on a market order may be this big, in USDC. Source: HYPERLIQUID 6.3."""


def meta_of(sources: Sources) -> Meta:
    """Return what is listed; the place in the universe is the asset id."""
    numbers: dict[tuple[tuple[int, int], ...], int] = {}
    tables: list[tuple[int, MarginTable]] = []
    universe = []
    for market in sources.markets():
        instrument = market.instrument
        tiers = tuple(zip(market.lower_bounds, market.leverages, strict=True))
        number = numbers.get(tiers)
        if number is None:
            number = market.leverages[0]
            if len(tiers) > 1 or number >= TABLES_FROM:
                number = TABLES_FROM + len(tables)
                tables.append((number, _margin_table(tiers, tables)))
            numbers[tiers] = number
        universe.append(
            Asset(
                size_decimals=instrument.size_decimals,
                name=market.symbol,
                max_leverage=instrument.leverage_max,
                margin_table_id=number,
            )
        )
    return Meta(universe=tuple(universe), margin_tables=tuple(tables), collateral_token=0)


def _margin_table(tiers: tuple[tuple[int, int], ...], tables: Iterable[tuple[int, MarginTable]]) -> MarginTable:
    """Return a table; a description that was taken gets a number."""
    plain = f"tiered {tiers[0][1]}x" if len(tiers) > 1 else ""
    taken = sum(1 for _, table in tables if str(table.description).partition(" (")[0] == plain)
    return MarginTable(
        description=f"{plain} ({taken + 1})" if plain and taken else plain,
        margin_tiers=tuple(
            MarginTierRow(lower_bound=money_text(bound), max_leverage=leverage) for bound, leverage in tiers
        ),
    )


def context_of(sources: Sources, market: Market, now_ms: int) -> PerpContext:
    """Return the state of a market; prices nobody knows yet are those of the last trade, or null where null may be."""
    instrument, per_unit = market.instrument, market.money_per_unit
    lots, notional, previous = sources.tape.candles(market.symbol).day(now_ms)
    amount = impact_notional(market.symbol)
    impacts = tuple(
        impact_price([(price, size) for price, size, _ in market.levels(side, IMPACT_LEVELS)], amount, per_unit)
        for side in (1, -1)
    )
    mark = market.reference() or market.last_price
    oracle = market.oracle_price or mark
    return PerpContext(
        funding=rate_text(market.funding_rate),
        open_interest=size_text(instrument, open_interest(sources.venue, market.symbol)),
        previous_day_price=price_text(instrument, previous or mark),
        day_notional=money_text(notional),
        premium=decimal_text(market.premium, PREMIUM_DECIMALS) if all(impacts) else None,
        oracle_price=price_text(instrument, oracle),
        mark_price=price_text(instrument, mark),
        mid_price=mid_text(market),
        impact_prices=(price_text(instrument, impacts[0]), price_text(instrument, impacts[1]))
        if all(impacts)
        else None,
        day_base_volume=size_text(instrument, lots),
    )


def mid_text(market: Market) -> str | None:
    """Return the middle of the best prices, half a price unit included; None while a side is empty."""
    bid, ask = market.best_of_all(1), market.best_of_all(-1)
    return decimal_text((bid + ask) * 5, market.instrument.price_decimals + 1) if bid and ask else None


def mids_of(sources: Sources) -> dict[str, str]:
    """Return the middle prices, of empty books the last trade's; a coin without either is absent."""
    found = {}
    for market in sources.markets():
        mid = mid_text(market)
        if mid is None and market.last_price:
            mid = price_text(market.instrument, market.last_price)
        if mid is not None:
            found[market.symbol] = mid
    return found


def book_of(market: Market, now_ms: int, figures: int | None = None, mantissa: int | None = None) -> Book:
    """Return the visible book, in buckets when figures are given; spread then is that of the book itself."""
    instrument = market.instrument
    bid, ask = market.best_of_all(1), market.best_of_all(-1)
    sides = []
    for side in (1, -1):
        levels = market.levels(side, LEVELS_MAX if figures is None else ALL_LEVELS)
        if figures is not None:
            levels = aggregated(levels, side, figures, mantissa or 1)
        sides.append(tuple(level_of(market, level) for level in levels[:LEVELS_MAX]))
    is_spread_told = figures is not None and bid and ask
    return Book(
        coin=market.symbol,
        time=now_ms,
        levels=(sides[0], sides[1]),
        spread=price_text(instrument, ask - bid) if is_spread_told else UNSET,
    )


def level_of(market: Market, level: tuple[int, int, int]) -> BookLevel:
    """Return one level: price, lots, orders."""
    price, lots, orders = level
    return BookLevel(price=price_text(market.instrument, price), size=size_text(market.instrument, lots), count=orders)


def aggregated(
    levels: Iterable[tuple[int, int, int]], side: int, figures: int, mantissa: int
) -> list[tuple[int, int, int]]:
    """Return levels in buckets of so many significant figures: bids rounded down, asks up. Shape: best first."""
    buckets: list[tuple[int, int, int]] = []
    for price, lots, orders in levels:
        width = 10 ** max(len(str(price)) - figures, 0) * mantissa
        bucket = price - price % width if side > 0 else price + -price % width
        if buckets and buckets[-1][0] == bucket:
            _, before, count = buckets[-1]
            buckets[-1] = (bucket, before + lots, count + orders)
        else:
            buckets.append((bucket, lots, orders))
    return buckets


def is_aggregation(figures: int | None, mantissa: int | None) -> bool:
    """Say whether a book may be asked for like this. Source: HYPERLIQUID 2.3."""
    if mantissa is not None and (figures != FINE_FIGURES or mantissa not in MANTISSAS):
        return False
    return figures is None or figures in COARSE_FIGURES


def best_of(market: Market, now_ms: int) -> BestPrices:
    """Return the best level of each side."""
    sides = (market.levels(1, 1), market.levels(-1, 1))
    return BestPrices(
        coin=market.symbol, time=now_ms, bbo=tuple(level_of(market, side[0]) if side else None for side in sides)
    )


def trades_of(sources: Sources, market: Market) -> list[Trade]:
    """Return the last trades, newest first."""
    return [trade(market, one) for one in reversed(sources.tape.recent(market.symbol))]


def _meta(sources: Sources, asked: Question, _: int) -> Meta:
    return NO_META if asked.is_elsewhere else meta_of(sources)


def _meta_and_contexts(sources: Sources, asked: Question, now_ms: int) -> tuple[Meta, list[PerpContext]]:
    if asked.is_elsewhere:
        return NO_META, []
    return meta_of(sources), [context_of(sources, market, now_ms) for market in sources.markets()]


def _all_metas(sources: Sources, _: Question, __: int) -> list[Meta]:
    return [meta_of(sources)]


def _dexs(_: Sources, __: Question, ___: int) -> list[None]:
    return [None]


def _spot_meta(_: Sources, __: Question, ___: int) -> SpotMeta:
    return SPOT_META


def _spot_contexts(_: Sources, __: Question, ___: int) -> tuple[SpotMeta, list[SpotContext]]:
    return SPOT_META, []


def _mids(sources: Sources, asked: Question, _: int) -> dict[str, str]:
    return {} if asked.is_elsewhere else mids_of(sources)


def _book(sources: Sources, asked: Question, now_ms: int) -> Book | None:
    market = sources.market(asked.coin)
    if market is None or not is_aggregation(asked.figures, asked.mantissa):
        return None
    return book_of(market, now_ms, asked.figures, asked.mantissa)


def _trades(sources: Sources, asked: Question, _: int) -> list[Trade] | None:
    market = sources.market(asked.coin)
    return None if market is None else trades_of(sources, market)


def _candles(sources: Sources, asked: Question, _: int) -> list[Candle] | None:
    span = asked.span
    market = sources.market(span.coin if span else None)
    if span is None or market is None or span.interval not in INTERVALS:
        return None
    bars = sources.tape.candles(market.symbol).between(span.interval, span.start_time, span.end_time)
    return [candle(market, span.interval, bar) for bar in bars]


def _funding_history(sources: Sources, asked: Question, _: int) -> list[FundingRate] | None:
    market = sources.market(asked.coin)
    if market is None:
        return None
    start, end = asked.start_time or 0, asked.end_time
    rows = [row for row in market.funding_rates if row[0] // NS_PER_MS >= start]
    rows = [row for row in rows if end is None or row[0] // NS_PER_MS <= end]
    return [
        FundingRate(
            coin=market.symbol,
            funding_rate=rate_text(rate),
            premium=decimal_text(premium, PREMIUM_DECIMALS),
            time=hour_ns // NS_PER_MS,
        )
        for hour_ns, rate, premium in rows[:ROWS_MAX]
    ]


def _predicted(sources: Sources, _: Question, now_ms: int) -> list[tuple[str, list[tuple[str, PredictedRate]]]]:
    hour_ms = NS_PER_HOUR // NS_PER_MS
    due_ms = now_ms - now_ms % hour_ms + hour_ms
    return [
        (
            market.symbol,
            [
                (
                    "HlPerp",
                    PredictedRate(
                        funding_rate=rate_text(market.funding_rate), next_funding_time=due_ms, funding_interval_hours=1
                    ),
                )
            ],
        )
        for market in sources.markets()
    ]


def _status(_: Sources, __: Question, now_ms: int) -> dict[str, object]:
    return {"time": now_ms, "specialStatuses": None}


def _table(sources: Sources, asked: Question, _: int) -> MarginTable | None:
    number = asked.id or 0
    if 0 < number < TABLES_FROM:
        tier = MarginTierRow(lower_bound="0.0", max_leverage=number)
        return MarginTable(description="", margin_tiers=(tier,))
    listed = meta_of(sources).margin_tables
    return next((table for known, table in listed or () if known == number), None)


def _order_notionals(sources: Sources, _: Question, __: int) -> list[tuple[int, str]]:
    leverages = sorted({market.instrument.leverage_max for market in sources.markets()}, reverse=True)
    most = {each: next(amount for bound, amount in ORDER_NOTIONALS if each >= bound) for each in leverages}
    return [(leverage, decimal_text(amount * MONEY_UNIT, MONEY_DECIMALS)) for leverage, amount in most.items()]


def _none_capped(_: Sources, __: Question, ___: int) -> list[str]:
    return []


MARKET_QUERIES = {
    "meta": Query(make=_meta),
    "metaAndAssetCtxs": Query(make=_meta_and_contexts),
    "allPerpMetas": Query(make=_all_metas),
    "perpDexs": Query(make=_dexs),
    "spotMeta": Query(make=_spot_meta),
    "spotMetaAndAssetCtxs": Query(make=_spot_contexts),
    "allMids": Query(make=_mids, weight=2),
    "l2Book": Query(make=_book, needs=("coin",), weight=2),
    "recentTrades": Query(make=_trades, needs=("coin",), items_per_weight=20),
    "candleSnapshot": Query(make=_candles, needs=("span",), items_per_weight=60),
    "fundingHistory": Query(make=_funding_history, needs=("coin", "start_time"), items_per_weight=20),
    "predictedFundings": Query(make=_predicted),
    "exchangeStatus": Query(make=_status, weight=2),
    "marginTable": Query(make=_table, needs=("id",)),
    "maxMarketOrderNtls": Query(make=_order_notionals),
    "perpsAtOpenInterestCap": Query(make=_none_capped),
}
