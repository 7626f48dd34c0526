"""Money facts, statements, gaps and market data of the trader, one story per rule."""

import msgspec

from domain.events import (
    AccountReported,
    BookChanged,
    FeedLost,
    FeedRestored,
    FundingPaid,
    MarketDataRefused,
    OrderFilled,
    TradePrinted,
    TransferBooked,
)
from domain.reasons import Reason
from domain.units import NS_PER_HOUR
from exchange.hyperliquid.requests import Ask
from tests.exchange.trader_line import MS, Line, only
from tests.exchange.trader_venue import ACCOUNT


def resting(line: Line) -> None:
    """Let an order of 0.1 ETH rest under the number 101."""
    line.trader.send(line.place())
    line.run()


def test_trader_is_synced_when_the_account_was_read() -> None:
    line = Line(is_started=False)
    assert not line.trader.is_synced
    line.trader.on_connected(line.now)
    line.trader.start(line.now)
    assert line.run() == []
    assert line.trader.is_synced
    assert (line.trader.statement().cash, line.trader.statement().positions) == (0, {})


def test_trader_does_not_tell_what_was_before_its_start() -> None:
    line = Line(is_started=False)
    line.venue.deposit(10**8)
    line.venue.pay_funding("ETH", 500)
    line.trader.on_connected(line.now)
    line.push()
    line.trader.start(line.now)
    assert line.run() == []
    line.venue.deposit(7 * 10**8)
    (fact,) = line.run()
    assert isinstance(fact, TransferBooked)
    assert line.trader.statement().cash == line.venue.cash == 10_008 * 10**8 + 500


def test_trader_reports_the_account_after_the_facts_it_holds() -> None:
    line = Line()
    resting(line)
    line.venue.fill(101, 400)
    line.venue.pushes.clear()
    line.wait()
    line.trader.send(line.query_account())
    fill, report = line.run()
    assert isinstance(fill, OrderFilled)
    assert isinstance(report, AccountReported)
    assert report.cash == line.venue.cash
    assert report.positions == (("ETH", 400, 8_000_493_824),)
    assert report.ts_event_ns >= fill.ts_event_ns


def test_trader_asks_again_when_a_fact_races_the_statement() -> None:
    line = Line()
    resting(line)
    (asked,) = line.send(line.query_account())
    state = line.reach(asked)
    line.venue.fill(101, 400)
    line.push()
    line.answer(asked, state)
    lists = line.take()
    assert [one.body["type"] for one in lists if isinstance(one, Ask)] == [
        "userFillsByTime",
        "userFunding",
        "userNonFundingLedgerUpdates",
    ]
    for one in lists:
        line.answer(one, line.reach(one))
    assert only(line.events(), AccountReported) == []
    (report,) = only(line.run(), AccountReported)
    assert report.positions[0][:2] == ("ETH", 400)


def test_trader_tells_a_difference_that_stays_and_counts_it() -> None:
    line = Line()
    line.venue.cash -= 123
    line.trader.send(line.query_account())
    (report,) = line.run(10_000)
    assert isinstance(report, AccountReported)
    assert report.cash == line.venue.cash
    assert line.trader.counters.gaps_unproven == 1
    assert line.trader.statement().cash == line.venue.cash


def test_trader_tells_each_fill_once_from_all_channels() -> None:
    line = Line()
    resting(line)
    line.venue.fill(101, 400)
    fill = msgspec.json.encode(line.venue.fills[0])
    snapshot = b'{"isSnapshot":true,"user":"' + ACCOUNT.encode() + b'","fills":[' + fill + b"]}"
    line.trader.on_push("user", b'{"fills":[' + fill + b"]}", line.now)
    line.trader.on_push("userFills", snapshot, line.now)
    facts = line.run()
    assert len(only(facts, OrderFilled)) == 1
    assert line.trader.counters.duplicates == 2


def test_trader_finds_a_missing_fill_by_the_chain() -> None:
    line = Line()
    resting(line)
    line.venue.fill(101, 100)
    line.venue.pushes.clear()
    line.wait()
    line.venue.fill(101, 50)
    facts = only(line.run(), OrderFilled)
    assert sorted(fact.start_position for fact in facts) == [0, 100]
    assert line.trader.is_synced
    assert line.trader.counters.fills_fetched == 1


def test_trader_restores_the_feed_only_when_the_gap_is_proven_closed() -> None:
    line = Line()
    resting(line)
    line.trader.on_lost("reset by peer", line.now)
    assert not line.trader.is_synced
    line.venue.fill(101, 400)
    line.venue.deposit(10**8)
    line.venue.pushes.clear()
    line.wait(3_000)
    line.trader.on_connected(line.now)
    facts = line.run()
    assert [type(fact) for fact in facts] == [FeedLost, OrderFilled, TransferBooked, FeedRestored]
    assert line.trader.is_synced
    assert line.trader.statement().cash == line.venue.cash


def test_trader_learns_after_a_gap_that_an_order_is_gone() -> None:
    line = Line()
    resting(line)
    line.trader.on_lost("reset by peer", line.now)
    line.venue.end(101, "marginCanceled")
    line.venue.pushes.clear()
    line.trader.on_connected(line.now)
    names = [type(fact).__name__ for fact in line.run()]
    assert sorted(names) == ["FeedLost", "FeedRestored", "OrderCanceled"]


def test_trader_rounds_the_hour_of_funding_and_books_it_once() -> None:
    line = Line()
    line.venue.now_ms = (line.venue.now_ms // 3_600_000 + 1) * 3_600_000 + 57
    line.venue.pay_funding("ETH", -1_234)
    line.venue.pushes *= 2
    (fact,) = line.run()
    assert isinstance(fact, FundingPaid)
    assert fact.hour_ns % NS_PER_HOUR == 0
    assert abs(fact.ts_event_ns - fact.hour_ns) == 57 * MS
    assert (fact.amount, fact.rate) == (-1_234, 12_500)


def test_trader_ignores_the_money_of_others_and_of_other_coins() -> None:
    line = Line()
    line.trader.on_push("userFills", b'{"user":"0x00","fills":[]}', line.now)
    line.trader.on_push(
        "user",
        b'{"funding":{"time":99,"coin":"DOGE","usdc":"1.0","szi":"1.0","fundingRate":"0.1","nSamples":null}}',
        line.now,
    )
    assert line.events() == []
    assert line.trader.counters.foreign_money == 1


def test_trader_counts_ledger_updates_nobody_knows() -> None:
    line = Line()
    line.wait()
    entry = f'{{"time":{line.venue.now_ms},"hash":"0x1","delta":{{"type":"airdropOfTheCentury","usdc":"1.0"}}}}'
    data = f'{{"user":"{ACCOUNT}","nonFundingLedgerUpdates":[{entry},{entry}]}}'.encode()
    line.trader.on_push("userNonFundingLedgerUpdates", data, line.now)
    assert line.events() == []
    assert line.trader.counters.unknown_updates == {"airdropOfTheCentury": 1}


def test_trader_tells_trades_once_and_no_old_ones() -> None:
    line = Line()
    line.trader.on_connected(line.now)
    at = line.venue.now_ms
    old = f'{{"coin":"ETH","side":"B","px":"2000.0","sz":"0.1","time":{at - 9_000},"hash":"0x","tid":1}}'
    new = f'{{"coin":"ETH","side":"A","px":"2000.0","sz":"0.1","time":{at + 1},"hash":"0x","tid":2}}'
    line.trader.on_push("trades", f"[{new},{old}]".encode(), line.now)
    line.trader.on_push("trades", f"[{new},{old}]".encode(), line.now)
    (fact,) = only(line.events(), TradePrinted)
    assert (fact.trade_id, fact.price, fact.lots, fact.side) == (2, 200_000, 1_000, -1)
    assert (line.trader.counters.old_trades, line.trader.counters.duplicates) == (1, 2)


def test_trader_leaves_out_a_book_older_than_the_last() -> None:
    line = Line()
    at = line.venue.now_ms
    for time in (at, at - 1):
        book = f'{{"coin":"ETH","time":{time},"levels":[[{{"px":"1999.9","sz":"1.0","n":1}}],[{{"px":"2000.0","sz":"1.0","n":1}}]]}}'
        line.trader.on_push("l2Book", book.encode(), line.now)
    first, second = line.events()
    assert isinstance(first, BookChanged)
    assert isinstance(second, MarketDataRefused)
    assert second.reason is Reason.CLOCK_WENT_BACK


def test_trader_survives_whatever_is_pushed() -> None:
    line = Line()
    channels = ["l2Book", "bbo", "trades", "activeAssetCtx", "orderUpdates", "user", "userFills", "userFundings"]
    nonsense = (b"", b"null", b"{}", b"[]", b"[1]", b'{"coin":3}', b"\xff\xfe", b"[" * 5_000, b'"text"')
    for channel in (*channels, "userNonFundingLedgerUpdates", "webData9"):
        for data in nonsense:
            line.trader.on_push(channel, data, line.now)
    assert only(line.events(), BookChanged) == []
    assert line.trader.counters.malformed > 40
    assert line.trader.counters.unknown_channels == {"webData9": len(nonsense)}


def test_trader_subscribes_to_the_account_and_to_every_coin() -> None:
    subscriptions = Line().trader.subscriptions()
    assert [one.type for one in subscriptions if one.user == ACCOUNT] == [
        "orderUpdates",
        "userEvents",
        "userFills",
        "userFundings",
        "userNonFundingLedgerUpdates",
    ]
    assert len([one for one in subscriptions if one.coin == "BTC"]) == 4


def test_trader_never_lets_receive_times_fall() -> None:
    line = Line()
    line.trader.on_lost("one", line.now)
    line.trader.on_connected(line.now - 5_000_000)
    facts = line.run()
    times = [fact.ts_recv_ns for fact in facts]
    assert times == sorted(times)
