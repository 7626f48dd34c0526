"""What must not be concluded, and what must be in the end: doubts, clocks, gaps, lists longer than a page."""

import msgspec

from domain.events import (
    BookChanged,
    FeedLost,
    FeedRestored,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    OrderStatus,
    OrderStatusReported,
    TopOfBookChanged,
)
from exchange.hyperliquid.requests import Answered, Ask, SendAction
from exchange.hyperliquid.trader import TraderSettings
from exchange.hyperliquid.wire_actions import NoopAction
from tests.exchange.trader_line import MS, Line, only
from tests.exchange.trader_venue import LittleVenue


def statuses(line: Line) -> list[OrderStatus]:
    return [fact.status for fact in only(line.events(), OrderStatusReported)]


def top(time_ms: int, price: int = 2_000) -> bytes:
    sides = [{"px": f"{price}.0", "sz": "1.0", "n": 1}, {"px": f"{price + 1}.0", "sz": "1.0", "n": 1}]
    return msgspec.json.encode({"coin": "ETH", "time": time_ms, "bbo": sides})


def asked(line: Line, request: SendAction | Ask) -> list[SendAction | Ask]:
    """Let a request arrive and its answer come back; return what follows."""
    line.answer(request, line.reach(request))
    return line.take()


# Doubts.


def test_trader_does_not_end_another_processes_order_at_its_first_fill() -> None:
    line, other = Line(), Line()
    other.venue = line.venue
    order = line.place()
    line.trader.send(order)
    line.run()
    other.trader.send(other.query(order))
    other.run()
    line.venue.fill(101, 400)
    facts = other.run()
    assert [fact.lots for fact in only(facts, OrderFilled)] == [400]
    other.trader.send(other.query(order))
    (report,) = only(other.run(), OrderStatusReported)
    assert report.status is OrderStatus.OPEN
    line.venue.fill(101, 600)
    other.run()
    other.trader.send(other.query(order))
    (report,) = only(other.run(), OrderStatusReported)
    assert (report.status, report.filled_lots) == (OrderStatus.FILLED, 1_000)


def test_trader_proves_never_seen_when_the_answer_to_its_noop_was_lost() -> None:
    line = Line(TraderSettings(expires_after_ms=0))
    order = line.place()
    (request,) = line.send(order)
    line.fail(request, "timeout")
    (status,) = line.send(line.query(order))
    (noop,) = asked(line, status)
    assert isinstance(noop, SendAction)
    assert isinstance(noop.action, NoopAction)
    line.reach(noop)
    line.fail(noop, "timeout")
    # The nonce is used up by our own noop: that, and time for a late list, is proof.
    (status,) = line.send(line.query(order))
    (noop,) = asked(line, status)
    asked(line, noop)
    assert statuses(line) == []
    line.wait(10_000)
    for again in line.send(line.query(order)):
        asked(line, again)
    assert statuses(line) == [OrderStatus.NEVER_SEEN]
    # And so it stays: the order that comes late is refused.
    assert b"duplicate nonce" in line.reach(request)


def test_trader_concludes_nothing_from_a_duplicate_nonce_of_a_noop_it_sent_once() -> None:
    line = Line(TraderSettings(expires_after_ms=0))
    order = line.place()
    (request,) = line.send(order)
    line.reach(request)
    line.venue.pushes.clear()
    line.fail(request, "timeout")
    hidden = dict(line.venue.orders)
    for _ in range(3):
        # The venue's lists are behind its book.
        line.venue.orders.clear()
        waiting = line.send(line.query(order))
        while waiting:
            waiting = [follow for one in waiting for follow in asked(line, one)]
        line.wait(30_000)
        assert statuses(line) == []
    line.venue.orders.update(hidden)
    for again in line.send(line.query(order)):
        asked(line, again)
    assert statuses(line) == [OrderStatus.OPEN]


def test_trader_does_not_take_a_step_of_our_clock_for_the_end_of_an_action() -> None:
    line = Line(TraderSettings(expires_after_ms=15_000))
    order = line.place()
    (request,) = line.send(order)
    line.fail(request, "timeout")
    stepped = line.now + 120_000 * MS
    line.trader.send(line.query(order))
    (status,) = line.trader.take_requests(stepped)
    assert isinstance(status, Ask)
    line.answer(status, line.reach(status))
    (noop,) = line.trader.take_requests(stepped)
    assert isinstance(noop, SendAction)
    assert statuses(line) == []
    # The order reaches the venue after all, in time by the venue's clock.
    line.reach(request)
    line.answer(noop, line.reach(noop))
    assert statuses(line) == []


def test_trader_proves_an_expired_action_dead_by_the_time_of_the_venues_blocks() -> None:
    line = Line(TraderSettings(expires_after_ms=15_000))
    order = line.place()
    (request,) = line.send(order)
    line.fail(request, "timeout")
    line.wait(30_000)
    line.book()
    (status,) = line.send(line.query(order))
    assert asked(line, status) == []
    assert statuses(line) == [OrderStatus.NEVER_SEEN]
    assert b"expired" in line.reach(request)


# Prices while something may be missing.


def test_trader_tells_no_price_to_quote_on_until_the_gap_is_closed() -> None:
    line = Line()
    line.book()
    assert len(only(line.events(), BookChanged)) == 1
    line.trader.on_lost("cut", line.now)
    line.trader.on_connected(line.now)
    line.wait()
    line.book(2_001)
    line.wait()
    line.trader.on_push("bbo", top(line.venue.now_ms, 2_002), line.now)
    assert [type(fact) for fact in line.events()] == [FeedLost]
    facts = line.run()
    assert [type(fact) for fact in facts] == [FeedRestored, BookChanged, TopOfBookChanged]
    assert [fact.ts_recv_ns for fact in facts] == sorted(fact.ts_recv_ns for fact in facts)
    line.book(2_003)
    assert len(only(line.events(), BookChanged)) == 1


def test_trader_forgets_held_prices_when_the_connection_goes_again() -> None:
    line = Line()
    line.trader.on_lost("cut", line.now)
    line.trader.on_connected(line.now)
    line.book(2_001)
    line.trader.on_lost("cut again", line.now)
    line.trader.on_connected(line.now)
    assert [type(fact) for fact in line.run()] == [FeedLost, FeedRestored]


# Lists.


class PagedVenue(LittleVenue):
    """Hands its lists out in pages of the size the venue may use, in either order."""

    is_newest_first = False
    rows_max = 500

    def answer(self, asked: Ask) -> bytes:
        if asked.body["type"] not in {"userFillsByTime", "userFunding", "userNonFundingLedgerUpdates"}:
            return super().answer(asked)
        until_ms = asked.body.get("endTime")
        rows = msgspec.json.decode(super().answer(asked))
        rows = [row for row in rows if until_ms is None or row["time"] <= until_ms]
        if self.is_newest_first:
            rows.reverse()
        return msgspec.json.encode(rows[: self.rows_max])


def missed(count: int, *, is_newest_first: bool) -> None:
    """Miss many fills in a gap; all of them are told, and the gap is proven closed."""
    line = Line()
    venue = PagedVenue()
    venue.is_newest_first = is_newest_first
    venue.__dict__.update(line.venue.__dict__)
    line.venue = venue
    line.trader.send(line.place(lots=100_000))
    line.run()
    line.trader.on_lost("cut", line.now)
    for number in range(count):
        line.wait(number % 3)
        venue.fill(101, 1)
    venue.pushes.clear()
    line.wait()
    line.trader.on_connected(line.now)
    facts = line.run(3_000)
    assert len(only(facts, OrderFilled)) == count
    assert isinstance(facts[-1], FeedRestored)
    assert line.trader.counters.gaps_unproven == 0
    assert line.trader.statement().cash == venue.cash


def test_trader_reads_every_page_of_a_list_in_pages_of_500() -> None:
    missed(2_345, is_newest_first=False)


def test_trader_reads_every_page_of_a_list_that_comes_newest_first() -> None:
    missed(2_345, is_newest_first=True)


def test_trader_finds_missing_fills_behind_the_first_page() -> None:
    line = Line()
    venue = PagedVenue()
    venue.__dict__.update(line.venue.__dict__)
    line.venue = venue
    line.trader.send(line.place(lots=2_000))
    line.run()
    for _ in range(1_200):
        line.wait()
        venue.fill(101, 1)
    line.push()
    assert len(only(line.events(), OrderFilled)) == 1_200
    line.wait()
    venue.fill(101, 300)
    venue.end(101, "marginCanceled")
    channel, data = venue.pushes[-1]
    venue.pushes.clear()
    line.trader.on_push(channel, data, line.now)
    facts = line.run()
    assert [fact.lots for fact in only(facts, OrderFilled)] == [300]
    assert isinstance(facts[-1], OrderCanceled)


def test_trader_accepts_an_order_of_another_process_once() -> None:
    line, other = Line(), Line()
    other.venue = line.venue
    order = line.place()
    line.trader.send(order)
    line.run()
    for _ in range(2):
        other.trader.send(other.query(order))
    assert len(only(other.run(), OrderAccepted)) == 1


def test_trader_tells_no_price_of_an_instrument_that_was_barred() -> None:
    line = Line()
    line.book()
    line.trader.bar("ETH", "the venue does not list ETH any more", line.now)
    line.trader.bar("ETH", "the venue does not list ETH any more", line.now)
    facts = line.events()
    (lost,) = only(facts, FeedLost)
    assert (lost.symbol, lost.detail) == ("ETH", "the venue does not list ETH any more")
    assert line.trader.counters.listing_changes == 1
    line.wait()
    line.book(2_001)
    line.trader.on_push("bbo", top(line.venue.now_ms, 2_002), line.now)
    line.trader.on_lost("cut", line.now)
    line.trader.on_connected(line.now)
    line.wait()
    line.book(2_003)
    assert [type(fact) for fact in line.run()] == [FeedLost, FeedRestored]


def test_trader_restores_the_feed_although_the_venues_clock_was_set_back() -> None:
    line = Line()
    line.venue.pay_funding("ETH", 500)
    line.run()
    line.trader.on_lost("cut", line.now)
    line.venue.now_ms -= 3_600_000
    line.trader.on_connected(line.now)
    begun_ns = line.now + 3_600_000 * MS
    for step in range(12_000):
        # Our own clock goes on.
        for request in line.trader.take_requests(begun_ns + step * 10 * MS):
            payload = line.reach(request)
            line.trader.on_answer(Answered(request_id=request.request_id, payload=payload), begun_ns + step * 10 * MS)
    assert [type(fact) for fact in line.events()] == [FeedLost, FeedRestored]
    assert line.trader.statement().cash == line.venue.cash


def test_trader_tells_no_prices_any_more_when_the_venue_refuses_the_key() -> None:
    line = Line()
    sentence = "User or API Wallet 0x00000000000000000000000000000000000000aa does not exist."
    for _ in range(2):
        (request,) = line.send(line.place())
        line.answer(request, b'{"status":"err","response":"%s"}' % sentence.encode())
    facts = line.events()
    (lost,) = only(facts, FeedLost)
    assert "the venue refuses our key" in lost.detail
    assert sentence in lost.detail
    assert len(only(facts, OrderRejected)) == 2
    line.book(2_100)
    assert not only(line.events(), BookChanged)
    assert line.trader.counters.key_refusals == 1
