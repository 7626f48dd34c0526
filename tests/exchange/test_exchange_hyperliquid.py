"""The whole adapter against a server on loopback: the hot path, lost connections, limits, statements."""

import asyncio
import time

import msgspec
import pytest

from domain.commands import CancelOrder
from domain.events import BookChanged, FeedLost, FeedRestored, OrderAccepted, OrderRejected
from domain.order import Side
from domain.reasons import Reason
from exchange.hyperliquid.limits import LimitSettings
from exchange.hyperliquid.wire_actions import CancelByNameAction, PlaceAction
from tests.exchange.exchange_scene import (
    ACCOUNT,
    SETTINGS,
    SIGNER,
    next_of,
    opened,
    place,
    push_book,
    recovered,
    run,
    taken,
    venue_of,
)
from tests.exchange.loopback_venue import until


def test_an_order_leaves_in_the_call_that_brought_the_frame(tmp_path):
    async def test():
        venue = venue_of()
        resting = {"type": "order", "data": {"statuses": [{"resting": {"oid": 77}}]}}
        venue.action_answer = {"status": "ok", "response": resting}
        async with opened(venue, tmp_path) as (exchange, _):
            exchange.board._wake = lambda: decide(exchange)
            await push_book(venue)
            await until(lambda: venue.actions)
            assert stack == [True]
            assert recovered(venue.actions[0], PlaceAction) == SIGNER.address
            await until(lambda: any(isinstance(event, OrderAccepted) for event in seen))
            (accepted,) = [event for event in seen if isinstance(event, OrderAccepted)]
            assert accepted.venue_order_id == 77
            exchange.send(CancelOrder(accepted.client_order_id, "BTC", ts_ns=time.time_ns()))
            exchange.flush()
            await until(lambda: len(venue.actions) == 2)
            assert recovered(venue.actions[1], CancelByNameAction) == SIGNER.address
            nonces = [body["nonce"] for body in venue.actions]
            assert nonces == sorted(set(nonces))
        assert exchange.session.counters.socket_posts >= 2

    seen, stack = [], []

    def decide(exchange):
        events = taken(exchange)
        seen.extend(events)
        if any(isinstance(event, BookChanged) for event in events):
            before = exchange.session.counters.socket_posts
            exchange.send(place(1))
            exchange.flush()
            stack.append(exchange.session.counters.socket_posts == before + 1)

    run(test)


def test_a_lost_connection_comes_back_subscribed_and_whole(tmp_path):
    async def test():
        venue = venue_of()
        async with opened(venue, tmp_path) as (exchange, wakes):
            subscribed = venue.subscribed()
            venue.frames.clear()
            wakes.clear()
            venue.drop()
            await next_of(exchange, FeedLost)
            assert wakes
            await next_of(exchange, FeedRestored)
            assert venue.subscribed() == subscribed
            assert exchange.trader.is_synced
            assert venue.upgrades == 2

    run(test)


def test_a_silent_connection_is_replaced(tmp_path):
    async def test():
        venue = venue_of()
        settings = msgspec.structs.replace(SETTINGS, silence_ns_max=300_000_000)
        async with opened(venue, tmp_path, settings) as (exchange, _):
            venue.is_mute = True
            lost = await next_of(exchange, FeedLost)
            assert "nothing heard" in lost.detail
            venue.is_mute = False
            await next_of(exchange, FeedRestored)

    run(test)


def test_a_frame_that_cannot_be_read_makes_a_gap_that_is_proven_closed(tmp_path):
    async def test():
        venue = venue_of()
        async with opened(venue, tmp_path) as (exchange, _):
            await venue.sockets[-1].send_str('{"channel":"userFills","data":{"fi')
            await next_of(exchange, FeedLost)
            await next_of(exchange, FeedRestored)
            assert venue.upgrades == 1
            await push_book(venue)
            await next_of(exchange, BookChanged)

    run(test)


def test_an_order_goes_over_http_when_the_socket_is_down(tmp_path):
    async def test():
        venue = venue_of()
        async with opened(venue, tmp_path) as (exchange, _):
            venue.refuses_upgrade = True
            venue.drop()
            await next_of(exchange, FeedLost)
            posts = exchange.session.counters.http_posts
            exchange.send(place(1))
            exchange.flush()
            await until(lambda: venue.actions)
            assert exchange.session.counters.http_posts > posts

    run(test)


def test_an_order_beyond_the_budget_is_refused_before_it_is_sent_and_an_exit_is_not(tmp_path):
    async def test():
        venue = venue_of(userRateLimit={"cumVlm": "0.0", "nRequestsUsed": 100, "nRequestsCap": 110})
        settings = msgspec.structs.replace(SETTINGS, limits=LimitSettings(actions_reserve=10))
        async with opened(venue, tmp_path, settings) as (exchange, wakes):
            wakes.clear()
            exchange.send(place(1))
            exchange.flush()
            await until(lambda: wakes)
            refused = await next_of(exchange, OrderRejected)
            assert "address budget" in refused.venue_text
            assert venue.actions == []
            exchange.send(place(2, side=Side.SELL, reduce_only=True))
            exchange.flush()
            await until(lambda: venue.actions)

    run(test)


def test_an_order_whose_answer_never_comes_is_not_sent_again(tmp_path):
    async def test():
        venue = venue_of()
        settings = msgspec.structs.replace(SETTINGS, answer_ns_max=200_000_000)
        async with opened(venue, tmp_path, settings) as (exchange, _):
            venue.is_mute = True
            exchange.send(place(1))
            exchange.flush()
            await until(lambda: exchange.session.counters.timeouts)
            orders = [frame for frame in venue.frames if frame["method"] == "post"]
            placed = [one for one in orders if one["request"]["payload"].get("action", {}).get("type") == "order"]
            assert len(placed) == 1
            assert [body for body in venue.actions if body["action"]["type"] == "order"] == []

    run(test)


def test_what_breaks_inside_comes_out_as_itself(tmp_path):
    async def test():
        def broken():
            raise ZeroDivisionError("ours")

        venue = venue_of()
        async with opened(venue, tmp_path) as (exchange, _):
            exchange.board._wake = broken
            await push_book(venue)
            await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError, match="ours"):
        run(test)


def test_what_breaks_beside_the_hot_path_comes_out_too(tmp_path):
    async def test():
        def broken():
            raise ZeroDivisionError("ours")

        venue = venue_of(userRateLimit={"cumVlm": "0.0", "nRequestsUsed": 100, "nRequestsCap": 100})
        async with opened(venue, tmp_path) as (exchange, _):
            exchange.board._wake = broken
            exchange.send(place(1))
            exchange.flush()
            await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError, match="ours"):
        run(test)


def test_the_venues_statement_holds_fills_funding_transfers_and_orders(tmp_path):
    async def test():
        venue = venue_of()
        async with opened(venue, tmp_path) as (exchange, _):
            now_ms = time.time_ns() // 1_000_000
            fill = {
                "coin": "BTC", "px": "60000.0", "sz": "0.001", "side": "B", "time": now_ms, "startPosition": "0.0",
                "dir": "Open Long", "closedPnl": "0.0", "hash": "0x" + "0" * 64, "oid": 5, "crossed": True,
                "fee": "0.027", "tid": 9, "feeToken": "USDC", "cloid": f"0x{1:032x}",
            }  # fmt: skip
            delta = {"type": "funding", "coin": "BTC", "usdc": "-0.5", "szi": "0.001", "fundingRate": "0.0000125"}
            deposit = {"type": "deposit", "usdc": "10.0"}
            order = {"coin": "BTC", "side": "A", "limitPx": "61000.0", "sz": "0.002", "oid": 6, "timestamp": now_ms}
            venue.answers |= {
                "userFillsByTime": [fill, fill],
                "userFunding": [{"time": now_ms, "hash": "0x0", "delta": delta | {"nSamples": 1}}],
                "userNonFundingLedgerUpdates": [{"time": now_ms, "hash": "0x1", "delta": deposit}],
                "openOrders": [order],
            }
            told = await exchange.fetch_statement()
            (filled,) = told.fills
            assert (filled.lots, filled.fee, filled.client_order_id) == (100, 2_700_000, f"0x{1:032x}")
            assert [paid.amount for paid in told.fundings] == [-50_000_000]
            assert [booked.amount for booked in told.transfers] == [10 * 10**8]
            assert [(one.venue_order_id, one.side, one.leaves) for one in told.open_orders] == [(6, Side.SELL, 200)]
            assert exchange.account_statement(ACCOUNT) is told

    run(test)


def test_entries_stop_when_the_venue_says_that_the_address_has_nothing_left(tmp_path):
    async def test():
        venue = venue_of()
        venue.action_answer = {
            "status": "err",
            "response": "Too many cumulative requests sent (97460 > 97456) for cumulative volume traded $87457.46.",
        }
        async with opened(venue, tmp_path) as (exchange, _):
            exchange.send(place(1))
            exchange.flush()
            assert (await next_of(exchange, OrderRejected)).reason is Reason.RATE_BUDGET
            sent = len(venue.actions)
            exchange.send(place(2))
            exchange.flush()
            refused = await next_of(exchange, OrderRejected)
            assert refused.venue_text.startswith("Too many requests: address budget: 0 actions left")
            assert refused.reason is Reason.RATE_BUDGET
            exchange.send(place(3, reduce_only=True))
            exchange.flush()
            await next_of(exchange, OrderRejected)
            assert len(venue.actions) == sent + 1

    run(test)
