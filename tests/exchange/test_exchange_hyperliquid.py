"""The whole adapter against a server on loopback: opening, the hot path, lost connections, limits, statements."""

import asyncio
import time
from contextlib import asynccontextmanager

import msgspec
import pytest

from domain.commands import CancelOrder, PlaceOrder, QueryAccount
from domain.errors import ConfigInvalid, DataInvalid
from domain.events import AccountReported, BookChanged, FeedLost, FeedRestored, OrderAccepted, OrderRejected
from domain.order import Side, TimeInForce
from domain.units import Lots, Price
from exchange.hyperliquid.exchange import NEVER, ExchangeSettings, HyperliquidExchange
from exchange.hyperliquid.limits import LimitSettings
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.nonces import Nonces
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer, recover_l1
from exchange.hyperliquid.universe import UNIVERSE
from exchange.hyperliquid.wire import Signature
from exchange.hyperliquid.wire_actions import CancelByNameAction, PlaceAction, UpdateLeverageAction
from tests.exchange.loopback_venue import LoopbackVenue, until

ACCOUNT = "0x" + "ab" * 20
BTC = UNIVERSE["BTC"]
SIGNER = Signer(SecretKey(b"\x01" * 32), is_mainnet=False)
SETTINGS = ExchangeSettings(answer_ns_max=1_000_000_000, open_ns_max=3_000_000_000)
ZERO = {"accountValue": "1000.0", "totalNtlPos": "0.0", "totalRawUsd": "1000.0", "totalMarginUsed": "0.0"}


def account_state(_body=None):
    return {
        "marginSummary": ZERO,
        "crossMarginSummary": ZERO,
        "crossMaintenanceMarginUsed": "0.0",
        "withdrawable": "1000.0",
        "assetPositions": [],
        "time": time.time_ns() // 1_000_000,
    }


def venue_of(**answers) -> LoopbackVenue:
    """Return a venue with one funded account and our agent."""
    venue = LoopbackVenue()
    leverage = {"type": "cross", "value": 20}
    venue.answers = {
        "meta": {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}]},
        "userRole": lambda body: (
            {"role": "agent", "data": {"user": ACCOUNT}} if body["user"] == SIGNER.address else {"role": "user"}
        ),
        "clearinghouseState": account_state,
        "userAbstraction": "default",
        "userRateLimit": {"cumVlm": "0.0", "nRequestsUsed": 10, "nRequestsCap": 10_000},
        "activeAssetData": {
            "user": ACCOUNT,
            "coin": "BTC",
            "leverage": leverage,
            "maxTradeSzs": ["1", "1"],
            "availableToTrade": ["1", "1"],
        },
        **{key: [] for key in ("openOrders", "userFillsByTime", "userFunding", "userNonFundingLedgerUpdates")},
        "orderStatus": {"status": "unknownOid"},
        **answers,
    }
    return venue


@asynccontextmanager
async def opened(venue, tmp_path, settings=SETTINGS, *, opens=True):
    """Yield an exchange that is open, and the count of its wakes."""
    wakes = []
    async with venue.serving():
        exchange = HyperliquidExchange(
            Network.at("local", venue.url),
            [BTC],
            ACCOUNT,
            SIGNER,
            Nonces(tmp_path / "nonces", lambda: time.time_ns() // 1_000_000),
            time.time_ns,
            settings,
            lambda: wakes.append(1),
            steady_clock=time.monotonic_ns,
        )
        async with exchange.connected():
            if opens:
                await exchange.open()
            yield exchange, wakes


def taken(exchange) -> list:
    events = []
    while (event := exchange.advance()) is not None:
        events.append(event)
    return events


async def next_of(exchange, kind):
    """Return the next event of a kind, and leave those after it."""
    found = []

    def look():
        while not found and (event := exchange.advance()) is not None:
            found.extend([event] if isinstance(event, kind) else [])
        return found

    await until(look)
    return found[0]


def place(name: int, price: int = 60_000_0, **changes) -> PlaceOrder:
    terms = {
        "symbol": "BTC",
        "side": Side.BUY,
        "price": Price(price),
        "lots": Lots(100),
        "time_in_force": TimeInForce.GTC,
        "post_only": True,
        "reduce_only": False,
    }
    return PlaceOrder(client_order_id=f"0x{name:032x}", ts_ns=time.time_ns(), **(terms | changes))


def recovered(body: dict, action_type: type) -> str | None:
    """Return who signed a body."""
    action = msgspec.json.decode(msgspec.json.encode(body["action"]), type=action_type)
    signature = msgspec.convert(body["signature"], Signature)
    vault = body.get("vaultAddress")
    return recover_l1(
        msgspec.msgpack.encode(action),
        body["nonce"],
        signature,
        bytes.fromhex(vault[2:]) if vault else None,
        body.get("expiresAfter"),
        is_mainnet=False,
    )


def run(test) -> None:
    asyncio.run(test())


def test_open_checks_subscribes_and_reads_the_account(tmp_path):
    async def test():
        venue = venue_of()
        async with opened(venue, tmp_path) as (exchange, _):
            kinds = {one["type"] for one in venue.subscribed()}
            assert {"l2Book", "activeAssetCtx", "orderUpdates", "userFills", "userEvents"} <= kinds
            assert exchange.limits.actions_left == 9_990
            told = exchange.account_statement(ACCOUNT)
            assert (told.cash, told.positions, told.account) == (1000 * 10**8, {}, ACCOUNT)
            exchange.send(QueryAccount(ts_ns=time.time_ns()))
            exchange.flush()
            report = await next_of(exchange, AccountReported)
            assert report.cash == 1000 * 10**8
            assert exchange.statement().cash == 1000 * 10**8
            assert exchange.next_ts_ns() == NEVER
        assert [type(event) for event in taken(exchange)] == [FeedLost]
        assert exchange.next_ts_ns() is None

    run(test)


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        ({"meta": {"universe": []}}, ConfigInvalid, "a perpetual that the venue lists"),
        (
            {"meta": {"universe": [{"name": "X", "szDecimals": 0, "maxLeverage": 3},
                                   {"name": "BTC", "szDecimals": 5, "maxLeverage": 40}]}},
            ConfigInvalid,
            "BTC.asset_id = 0: expected 1",
        ),
        ({"userRole": {"role": "missing"}}, ConfigInvalid, "of role 'missing'"),
        ({"userRole": {"role": "agent", "data": {"user": "0x" + "00" * 20}}}, ConfigInvalid, "an agent's address"),
        (
            {"userRole": lambda body: {"role": "user"} if body["user"] == ACCOUNT else {"role": "missing"}},
            ConfigInvalid,
            "acts for nobody",
        ),
        ({"clearinghouseState": {"error": "no"}}, DataInvalid, "clearinghouseState"),
    ],
)  # fmt: skip
def test_open_refuses_with_one_sentence_and_sends_nothing(tmp_path, answers, error, words):
    async def test():
        venue = venue_of(**answers)
        async with opened(venue, tmp_path, opens=False) as (exchange, _):
            with pytest.raises(error, match=words):
                await exchange.open()
        assert venue.actions == []
        assert venue.upgrades == 0

    run(test)


def test_open_sets_leverage_only_where_it_differs(tmp_path):
    async def test():
        venue = venue_of()
        settings = msgspec.structs.replace(SETTINGS, leverage=20)
        async with opened(venue, tmp_path, settings):
            assert venue.actions == []
        venue = venue_of()
        settings = msgspec.structs.replace(SETTINGS, leverage=5)
        async with opened(venue, tmp_path, settings):
            (body,) = venue.actions
            assert body["action"] == {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5}
            assert recovered(body, UpdateLeverageAction) == SIGNER.address

    run(test)


def test_open_says_what_the_venue_said_when_it_refuses_the_leverage(tmp_path):
    async def test():
        venue = venue_of()
        venue.action_answer = {"status": "err", "response": "Cannot switch leverage type with open position."}
        async with opened(venue, tmp_path, opens=False) as (exchange, _):
            exchange.settings = msgspec.structs.replace(SETTINGS, leverage=5)
            with pytest.raises(DataInvalid, match="Cannot switch leverage type"):
                await exchange.open()

    run(test)


def test_a_sub_account_is_named_in_the_envelope_and_the_signature(tmp_path):
    async def test():
        master = "0x" + "cd" * 20
        roles = {
            ACCOUNT: {"role": "subAccount", "data": {"master": master}},
            SIGNER.address: {"role": "agent", "data": {"user": master}},
        }
        venue = venue_of(userRole=lambda body: roles[body["user"]])
        async with opened(venue, tmp_path) as (exchange, _):
            exchange.send(place(1))
            exchange.flush()
            await until(lambda: venue.actions)
            assert venue.actions[0]["vaultAddress"] == ACCOUNT
            assert recovered(venue.actions[0], PlaceAction) == SIGNER.address

    run(test)


def test_a_unified_account_tells_its_spot_balance(tmp_path):
    async def test():
        spot = {"balances": [{"coin": "USDC", "token": 0, "total": "12.5", "hold": "0.0"}]}
        venue = venue_of(userAbstraction="unifiedAccount", spotClearinghouseState=spot)
        async with opened(venue, tmp_path, opens=False) as (exchange, _):
            opening = await exchange.open()
            assert (opening.mode, opening.spot_usdc) == ("unifiedAccount", 1_250_000_000)

    run(test)


BOOK = {
    "coin": "BTC",
    "levels": [[{"px": "60000.0", "sz": "1.0", "n": 1}], [{"px": "60001.0", "sz": "1.0", "n": 1}]],
}


async def push_book(venue) -> None:
    await venue.push("l2Book", BOOK | {"time": time.time_ns() // 1_000_000})


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


def test_a_429_at_the_start_is_waited_for(tmp_path):
    async def test():
        venue = venue_of()
        settings = msgspec.structs.replace(
            SETTINGS, limits=LimitSettings(pause_ns_min=50_000_000, pause_ns_max=50_000_000)
        )
        async with opened(venue, tmp_path, settings, opens=False) as (exchange, _):
            venue.manner = "429"
            async with asyncio.TaskGroup() as group:
                opening = group.create_task(exchange.open())
                await until(lambda: venue.asked)
                venue.manner = "answer"
            assert opening.result().mode == "default"
            assert exchange.limits.too_many >= 1

    run(test)


def test_open_says_that_there_is_no_connection_when_the_socket_is_refused(tmp_path):
    async def test():
        venue = venue_of()
        venue.refuses_upgrade = True
        settings = msgspec.structs.replace(SETTINGS, open_ns_max=200_000_000)
        async with opened(venue, tmp_path, settings, opens=False) as (exchange, _):
            with pytest.raises(DataInvalid, match="no connection: cannot connect"):
                await exchange.open()

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
