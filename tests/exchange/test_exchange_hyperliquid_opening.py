"""Opening the whole adapter: what is checked, set and read before the first order."""

import asyncio
import time

import msgspec
import pytest

from domain.commands import QueryAccount
from domain.errors import ConfigInvalid, DataInvalid
from domain.events import AccountReported, FeedLost
from exchange.hyperliquid.exchange import NEVER
from exchange.hyperliquid.limits import LimitSettings
from exchange.hyperliquid.wire_actions import PlaceAction, UpdateLeverageAction
from tests.exchange.exchange_scene import (
    ACCOUNT,
    SETTINGS,
    SIGNER,
    next_of,
    opened,
    place,
    recovered,
    run,
    taken,
    venue_of,
)
from tests.exchange.loopback_venue import until


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
