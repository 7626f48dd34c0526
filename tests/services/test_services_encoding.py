"""How numbers, orders and fills are written: exact, plain, in the venue's words."""

import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.instrument import perpetual
from domain.order import TimeInForce
from exchange.simulated.accounts import Account
from exchange.simulated.market import Market
from exchange.simulated.records import Execution, LedgerUpdate, Liquidation, Terms, Trigger, VenueOrder
from services.venue_server import encoding

BTC = perpetual("BTC", 0, 5, 40)
PLAIN = re.compile(r"-?(0|[1-9][0-9]*)\.([0-9]*[1-9]|0)")
AMOUNTS = st.integers(-(10**24), 10**24)


@given(AMOUNTS, st.integers(0, 8))
def test_decimal_text_is_exact_and_plain_for_any_amount(amount, decimals):
    text = encoding.decimal_text(amount, decimals)
    assert PLAIN.fullmatch(text)
    assert Decimal(text).scaleb(decimals) == amount


@given(AMOUNTS)
def test_money_and_rates_have_one_text_each(amount):
    assert Decimal(encoding.money_text(amount)) == Decimal(amount).scaleb(-8)
    assert Decimal(encoding.rate_text(amount)) == Decimal(amount).scaleb(-9)


def test_whole_numbers_keep_a_zero():
    assert encoding.money_text(0) == "0.0"
    assert encoding.price_text(BTC, 1_133_770) == "113377.0"
    assert encoding.size_text(BTC, -6_970_001) == "-69.70001"
    assert encoding.rate_text(12_500) == "0.0000125"


@pytest.mark.parametrize(
    ("start", "side", "lots", "words"),
    [
        (0, 1, 5, "Open Long"),
        (0, -1, 5, "Open Short"),
        (5, 1, 5, "Open Long"),
        (-5, -1, 5, "Open Short"),
        (5, -1, 4, "Close Long"),
        (5, -1, 5, "Close Long"),
        (-5, 1, 5, "Close Short"),
        (5, -1, 6, "Long > Short"),
        (-5, 1, 6, "Short > Long"),
    ],
)
def test_direction_tells_what_a_fill_did(start, side, lots, words):
    assert encoding.direction(start, side, lots) == words


@given(st.integers(-100, 100), st.sampled_from([1, -1]), st.integers(1, 200))
def test_direction_agrees_with_the_position_after(start, side, lots):
    after, words = start + side * lots, encoding.direction(start, side, lots)
    assert words.startswith("Open") == (abs(after) == abs(start) + lots)
    assert (">" in words) == (start * after < 0)


def execution(**more):
    told = {
        "symbol": "BTC",
        "side": -1,
        "price": 1_000_000,
        "lots": 100,
        "ts_ns": 7_000_000,
        "start_position": 100,
        "closed_pnl": -150,
        "fee": 4_500,
        "trade_id": 3,
        "venue_order_id": 9,
        "client_order_id": "",
        "is_taker": True,
        "action": 1,
    }
    return Execution(**{**told, **more})


def plain(value):
    return msgspec.json.decode(msgspec.json.encode(value))


def test_fill_leaves_out_what_there_is_not():
    account = Account(0, "0x01")
    fill = plain(encoding.fill(account, execution(), BTC))
    assert fill == {
        "coin": "BTC",
        "px": "100000.0",
        "sz": "0.001",
        "side": "A",
        "time": 7,
        "startPosition": "0.001",
        "dir": "Close Long",
        "closedPnl": "-0.0000015",
        "hash": execution().hash,
        "oid": 9,
        "crossed": True,
        "fee": "0.000045",
        "tid": 3,
        "feeToken": "USDC",
        "twapId": None,
    }


@pytest.mark.parametrize(
    ("is_isolated", "start", "words"),
    [
        (False, 100, "Liquidated Cross Long"),
        (False, -100, "Liquidated Cross Short"),
        (True, 100, "Liquidated Isolated Long"),
    ],
)
def test_fill_of_a_liquidation_names_whose_it_is(is_isolated, start, words):
    account = Account(0, "0x01")
    account.leverages["BTC"] = (5, start > 0)
    forced = Liquidation("0x01", 990_000, "market", is_isolated)
    told = execution(liquidation=forced, start_position=start, side=-1 if start > 0 else 1)
    fill = plain(encoding.fill(account, told, BTC))
    assert fill["dir"] == words
    assert fill["liquidation"] == {"liquidatedUser": "0x01", "markPx": "99000.0", "method": "market"}
    assert encoding.fill_direction(Account(0, "0x02"), told).split()[0] in {"Open", "Close"}
    assert encoding.fill_direction(account, execution(is_deleveraging=True)) == "Auto-Deleveraging"


def test_merged_sums_the_fills_of_one_taking_order_at_their_average_price():
    first, second = execution(), execution(price=1_000_030, lots=50, trade_id=4, start_position=0)
    resting = execution(is_taker=False, trade_id=5)
    one, other, another = encoding.merged([first, second, resting, msgspec.structs.replace(resting, trade_id=6)])
    assert (one.lots, one.price, one.fee, one.closed_pnl, one.trade_id) == (150, 1_000_010, 9_000, -300, 3)
    assert (other.trade_id, another.trade_id) == (5, 6)


def order(trigger=None, side=1, **terms):
    wanted = Terms(symbol="BTC", side=side, price=1_000_000, lots=100, trigger=trigger, **terms)
    return VenueOrder(Account(0, "0x01"), 7, wanted, 5_000_000)


@pytest.mark.parametrize(
    ("side", "is_market", "is_take_profit", "kind", "condition", "time_in_force"),
    [
        (-1, True, True, "Take Profit Market", "Price above 100040", None),
        (-1, True, False, "Stop Market", "Price below 100040", None),
        (1, False, True, "Take Profit Limit", "Price below 100040", "Gtc"),
        (1, False, False, "Stop Limit", "Price above 100040", "Gtc"),
    ],
)
def test_trigger_orders_tell_when_they_wake(side, is_market, is_take_profit, kind, condition, time_in_force):
    waiting = order(Trigger(1_000_400, is_market, is_take_profit), side, reduce_only=True)
    told = plain(encoding.frontend_order(waiting, BTC))
    assert (told["orderType"], told["triggerCondition"], told["tif"]) == (kind, condition, time_in_force)
    assert (told["isTrigger"], told["triggerPx"], told["reduceOnly"]) == (True, "100040.0", True)


@pytest.mark.parametrize(
    ("terms", "text"),
    [({}, "Gtc"), ({"post_only": True}, "Alo"), ({"time_in_force": TimeInForce.IOC}, "Ioc")],
)
def test_limit_orders_tell_how_long_they_stay(terms, text):
    told = plain(encoding.frontend_order(order(**terms), BTC))
    assert (told["tif"], told["orderType"], told["triggerCondition"], told["triggerPx"]) == (
        text,
        "Limit",
        "N/A",
        "0.0",
    )
    assert told["cloid"] is None


def test_open_orders_show_what_is_left_and_records_what_was_left_when_the_status_changed():
    partly = order(client_order_id="0x" + "ab" * 16)
    partly.filled = 40
    assert plain(encoding.open_order(partly, BTC))["sz"] == "0.0006"
    record = plain(encoding.order_record(partly, BTC))
    assert (record["order"]["sz"], record["order"]["origSz"], record["status"]) == ("0.001", "0.001", "open")
    update = plain(encoding.order_update(partly, BTC, 9_000_000))
    assert (update["order"]["sz"], update["statusTimestamp"], update["order"]["timestamp"]) == ("0.0006", 9, 5)
    assert "reduceOnly" not in update["order"]


@pytest.mark.parametrize(
    ("kind", "amount", "fields", "delta"),
    [
        ("deposit", 10**8, {}, {"usdc": "1.0"}),
        ("withdraw", -5 * 10**8, {"nonce": 4, "fee": "1.0"}, {"usdc": "4.0", "nonce": 4, "fee": "1.0"}),
        ("accountClassTransfer", -(10**8), {"toPerp": False}, {"usdc": "1.0", "toPerp": False}),
        ("spotTransfer", 0, {"token": "USDC", "amount": "1.0"}, {"token": "USDC", "amount": "1.0"}),
        (
            "liquidation",
            0,
            {"accountValue": 10**8, "leverageType": "Cross", "liquidatedPositions": (("BTC", -100),)},
            {
                "accountValue": "1.0",
                "leverageType": "Cross",
                "liquidatedPositions": [{"coin": "BTC", "szi": "-0.001"}],
            },
        ),
    ],
)
def test_ledger_entries_have_the_keys_of_their_kind(kind, amount, fields, delta):
    entry = encoding.ledger_entry(LedgerUpdate(3_000_000, "0xaa", kind, amount, fields), {"BTC": Market(BTC)})
    assert plain(entry) == {"time": 3, "hash": "0xaa", "delta": {"type": kind, **delta}}
