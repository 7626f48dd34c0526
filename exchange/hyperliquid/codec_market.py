"""Market data: wire structures to facts, with exact integers or a reason.

Laws: pure; a message that cannot be used becomes MarketDataRefused, whatever is wrong with it, and nothing raises.
Source: HYPERLIQUID 2.3, 5.3.
"""

from collections.abc import Mapping

from domain.events import (
    BookChanged,
    Level,
    MarkChanged,
    MarketDataRefused,
    TopOfBookChanged,
    TradePrinted,
)
from domain.identifiers import TradeId
from domain.order import Side
from domain.reasons import Reason
from domain.units import NS_PER_MS, RATE_UNIT, Lots, Price
from exchange.hyperliquid.codec_numbers import Numbers, rate
from exchange.hyperliquid.wire_market import BestPrices, Book, BookLevel, PerpContextPushed, Trade

MS_MAX = 4_102_444_800_000
"""The year 2100: a later time is a wrong unit."""
RATE_MAX = RATE_UNIT // 25
"""The venue's cap of 4 % an hour (HYPERLIQUID 9.1)."""
SIDES = {"B": Side.BUY, "A": Side.SELL}
Coins = Mapping[str, Numbers]


class Unusable(Exception):
    """Inside this file: why a message is left out."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def book_changed(book: Book, coins: Coins, now_ns: int) -> BookChanged | MarketDataRefused:
    """Return the visible book. now_ns is the time of receipt."""
    try:
        return _book(book, coins, now_ns)
    except Unusable as why:
        return refused(book.coin, why.reason, why.detail, now_ns)


def _book(book: Book, coins: Coins, now_ns: int) -> BookChanged:
    numbers, ts_ns = _known(coins, book.coin), _time(book.time)
    bids = _levels(numbers, book.levels[0], -1)
    asks = _levels(numbers, book.levels[1], 1)
    if not bids or not asks:
        raise Unusable(Reason.BOOK_EMPTY, "no bids" if asks else "no asks" if bids else "no bids and no asks")
    if bids[0][0] >= asks[0][0]:
        raise Unusable(Reason.BOOK_CROSSED, f"bid {book.levels[0][0].price}, ask {book.levels[1][0].price}")
    return BookChanged(ts_event_ns=ts_ns, ts_recv_ns=now_ns, symbol=book.coin, bids=bids, asks=asks)


def top_changed(best: BestPrices, coins: Coins, now_ns: int) -> TopOfBookChanged | MarketDataRefused:
    """Return best bid and ask; an empty side is 0."""
    try:
        return _top(best, coins, now_ns)
    except Unusable as why:
        return refused(best.coin, why.reason, why.detail, now_ns)


def _top(best: BestPrices, coins: Coins, now_ns: int) -> TopOfBookChanged:
    numbers, ts_ns = _known(coins, best.coin), _time(best.time)
    if len(best.bbo) != len(SIDES):
        # Nobody can say which side a single level is.
        raise Unusable(Reason.BOOK_INVALID_LEVEL, f"{len(best.bbo)} sides")
    (bid, bid_lots), (ask, ask_lots) = (_level(numbers, side) if side else (0, 0) for side in best.bbo)
    if bid and ask and bid >= ask:
        raise Unusable(Reason.BOOK_CROSSED, f"bid {bid}, ask {ask} (price units)")
    return TopOfBookChanged(
        ts_event_ns=ts_ns,
        ts_recv_ns=now_ns,
        symbol=best.coin,
        bid_price=Price(bid),
        bid_lots=Lots(bid_lots),
        ask_price=Price(ask),
        ask_lots=Lots(ask_lots),
    )


def trade_printed(trade: Trade, coins: Coins, now_ns: int) -> TradePrinted | MarketDataRefused:
    """Return a trade."""
    try:
        return _trade(trade, coins, now_ns)
    except Unusable as why:
        return refused(trade.coin, why.reason, why.detail, now_ns)


def _trade(trade: Trade, coins: Coins, now_ns: int) -> TradePrinted:
    numbers, ts_ns = _known(coins, trade.coin), _time(trade.time)
    price, lots = _level(numbers, trade)
    side = SIDES.get(trade.side)
    if side is None:
        raise Unusable(Reason.BOOK_INVALID_LEVEL, f"side {trade.side[:20]!r}")
    return TradePrinted(
        ts_event_ns=ts_ns,
        ts_recv_ns=now_ns,
        symbol=trade.coin,
        price=Price(price),
        lots=Lots(lots),
        side=side,
        trade_id=TradeId(trade.trade_id),
    )


def mark_changed(pushed: PerpContextPushed, coins: Coins, now_ns: int) -> MarkChanged | MarketDataRefused:
    """Return mark, oracle and hourly funding rate; the message has no time, so its receipt stands for it."""
    try:
        return _mark(pushed, coins, now_ns)
    except Unusable as why:
        return refused(pushed.coin, why.reason, why.detail, now_ns)


def _mark(pushed: PerpContextPushed, coins: Coins, now_ns: int) -> MarkChanged:
    numbers, context = _known(coins, pushed.coin), pushed.context
    try:
        mark, oracle = numbers.price(context.mark_price), numbers.price(context.oracle_price)
        funding = rate(context.funding)
    except ValueError as error:
        raise Unusable(Reason.BOOK_INVALID_LEVEL, str(error)) from None
    if mark <= 0 or oracle <= 0:
        raise Unusable(Reason.BOOK_INVALID_LEVEL, f"mark {context.mark_price}, oracle {context.oracle_price}")
    if abs(funding) > RATE_MAX:
        raise Unusable(Reason.BOOK_INVALID_LEVEL, f"funding rate {context.funding} beyond the venue's cap")
    return MarkChanged(
        ts_event_ns=now_ns,
        ts_recv_ns=now_ns,
        symbol=pushed.coin,
        mark_price=mark,
        oracle_price=oracle,
        funding_rate=funding,
    )


def refused(coin: str, reason: Reason, detail: str, now_ns: int) -> MarketDataRefused:
    """Return the fact that a message was left out."""
    return MarketDataRefused(
        ts_event_ns=now_ns, ts_recv_ns=now_ns, symbol=coin[:40], reason=reason, detail=detail[:200]
    )


def time_ns(time_ms: int) -> int:
    """Return a time of the wire in ns. Raises: ValueError when it is no time of this century."""
    if not 0 <= time_ms < MS_MAX:
        raise ValueError(f"time {time_ms} ms")
    return time_ms * NS_PER_MS


def _known(coins: Coins, coin: str) -> Numbers:
    numbers = coins.get(coin)
    if numbers is None:
        raise Unusable(Reason.UNKNOWN_INSTRUMENT, f"coin {coin[:40]!r}")
    return numbers


def _time(time_ms: int) -> int:
    if not 0 <= time_ms < MS_MAX:
        raise Unusable(Reason.BOOK_INVALID_LEVEL, f"time {time_ms} ms")
    return time_ms * NS_PER_MS


def _level(numbers: Numbers, level: BookLevel | Trade) -> Level:
    try:
        price, lots = numbers.price(level.price), numbers.lots(level.size)
    except ValueError as error:
        raise Unusable(Reason.BOOK_INVALID_LEVEL, str(error)) from None
    if price <= 0 or lots <= 0:
        raise Unusable(Reason.BOOK_INVALID_LEVEL, f"{level.size} at {level.price}")
    return price, lots


def _levels(numbers: Numbers, levels: tuple[BookLevel, ...], direction: int) -> tuple[Level, ...]:
    """Return one side, best first: direction is the sign in which prices go."""
    read = numbers.level
    try:
        found = tuple([read(level.price, level.size) for level in levels])
    except ValueError as error:
        raise Unusable(Reason.BOOK_INVALID_LEVEL, str(error)) from None
    before = 0 if direction > 0 else MS_MAX * NS_PER_MS
    for price, lots in found:
        if lots <= 0 or price <= 0 or (price - before) * direction <= 0:
            raise Unusable(Reason.BOOK_INVALID_LEVEL, f"{lots} lots at {price}, after {before} (price units)")
        before = price
    return found
