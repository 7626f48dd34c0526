"""What `POST /info` answers: the values of a small market with two accounts, and to questions nobody can read."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.instrument import MarginTier, perpetual
from domain.units import MONEY_UNIT, Money
from exchange.simulated.listener import Listener
from exchange.simulated.settings import VenueSettings
from exchange.simulated.venue import Venue
from services.venue_server.answer import UNDECODABLE
from services.venue_server.info import QUERIES
from services.venue_server.info_market import aggregated, meta_of
from tests.services import counter_scene as scene
from tests.services.info_scene import HOUR, MINE, NAME, OTHERS, InfoScene

STRANGER = scene.address(scene.STRANGER)
ZEROS = {"accountValue": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": "0.0"}
EVERYTHING = {
    "user": MINE,
    "coin": "BTC",
    "startTime": 0,
    "oid": 1,
    "req": {"coin": "BTC", "interval": "1h", "startTime": 0, "endTime": None},
    "builder": OTHERS,
    "id": 10,
    "vaultAddress": MINE,
}

ALWAYS = InfoScene()
"""For questions that cannot change anything."""


@pytest.fixture
def hall():
    return InfoScene()


@pytest.fixture
def traded(hall):
    hall.trade()
    return hall


def test_constructors_of_the_sdk_find_what_they_ask_for(hall):
    assert hall.ask("perpDexs") == [None]
    meta = hall.ask("meta", dex="")
    assert [asset["name"] for asset in meta["universe"]] == ["BTC", "ETH"]
    assert meta["universe"][1] == {"name": "ETH", "szDecimals": 4, "maxLeverage": 25, "marginTableId": 25}


def test_prices_and_books_are_those_of_the_market(traded):
    assert traded.ask("allMids", dex="") == {"BTC": "100001.0", "ETH": "10000.1"}
    book = traded.ask("l2Book", coin="BTC")
    assert book["levels"][0][0] == {"px": "100000.0", "sz": "0.1", "n": 1}
    assert book["levels"][1][0] == {"px": "100002.0", "sz": "0.1", "n": 1}
    assert "spread" not in book
    assert book["time"] == traded.now_ms


def test_books_count_the_orders_of_accounts(hall):
    hall.place(hall.mine, 1, scene.BID, 500)
    hall.place(hall.others, 1, scene.BID, 250)
    assert hall.ask("l2Book", coin="BTC")["levels"][0][0] == {"px": "100000.0", "sz": "0.1075", "n": 3}


def test_books_show_twenty_levels(hall):
    hall.market(depth=30)
    assert [len(side) for side in hall.ask("l2Book", coin="BTC")["levels"]] == [20, 20]


def test_aggregated_bids_go_down_and_asks_up(hall):
    bids, asks = hall.ask("l2Book", coin="BTC", nSigFigs=5, mantissa=None)["levels"]
    assert bids == [{"px": "100000.0", "sz": "0.1", "n": 1}, {"px": "99999.0", "sz": "0.1", "n": 1}, *bids[2:]]
    assert asks == [{"px": "100010.0", "sz": "0.5", "n": 5}]
    coarse = hall.ask("l2Book", coin="BTC", nSigFigs=2)
    assert coarse["levels"][1] == [{"px": "110000.0", "sz": "0.5", "n": 5}]
    assert coarse["spread"] == "2.0"


@given(st.integers(2, 5), st.sampled_from([1, 2, 5]), st.data())
def test_aggregation_loses_no_lot_and_never_improves_a_price(figures, mantissa, data):
    side = data.draw(st.sampled_from([1, -1]))
    prices = data.draw(st.lists(st.integers(1, 10**7), unique=True, max_size=30))
    levels = [(price, price % 7 + 1, 1) for price in sorted(prices, reverse=side > 0)]
    buckets = aggregated(levels, side, figures, mantissa)
    assert sum(lots for _, lots, _ in buckets) == sum(lots for _, lots, _ in levels)
    assert sum(count for _, _, count in buckets) == len(levels)
    order = [price for price, _, _ in buckets]
    assert order == sorted(order, reverse=side > 0)
    for price, _, _ in levels:
        assert any((price - bucket) * side >= 0 for bucket in order)


@pytest.mark.parametrize("asked", [{"nSigFigs": 6}, {"nSigFigs": 1}, {"nSigFigs": 4, "mantissa": 2}, {"mantissa": 2}])
def test_books_that_cannot_be_asked_for_are_null(hall, asked):
    assert hall.ask("l2Book", coin="BTC", **asked) is None


def test_trades_and_candles_are_those_that_happened(traded):
    (trade,) = traded.ask("recentTrades", coin="BTC")
    assert (trade["px"], trade["sz"], trade["side"], trade["users"]) == ("100001.0", "0.003", "B", [MINE, OTHERS])
    candles = traded.ask("candleSnapshot", req={"coin": "BTC", "interval": "1m", "startTime": traded.now_ms})
    assert candles == [
        {
            "t": scene.NOW_MS,
            "T": scene.NOW_MS + 59_999,
            "s": "BTC",
            "i": "1m",
            "o": "100001.0",
            "c": "100001.0",
            "h": "100001.0",
            "l": "100001.0",
            "v": "0.003",
            "n": 1,
        }
    ]
    context = traded.ask("metaAndAssetCtxs")[1][0]
    assert (context["dayBaseVlm"], context["dayNtlVlm"], context["openInterest"]) == ("0.003", "300.003", "0.003")


def test_both_sides_of_a_trade_have_their_fill(traded):
    (mine,), (others,) = (
        traded.ask("userFills", user=MINE.upper().replace("0X", "0x")),
        traded.ask("userFills", user=OTHERS),
    )
    assert (mine["tid"], mine["hash"], mine["time"]) == (others["tid"], others["hash"], others["time"])
    assert (mine["dir"], mine["side"], mine["crossed"], mine["fee"]) == ("Open Long", "B", True, "0.135001")
    assert (others["dir"], others["side"], others["crossed"], others["fee"]) == ("Open Short", "A", False, "0.045")
    assert mine["cloid"] == NAME
    positions = [traded.ask("clearinghouseState", user=user)["assetPositions"][0] for user in (MINE, OTHERS)]
    assert [one["position"]["szi"] for one in positions] == ["0.003", "-0.003"]


def test_fills_by_time_ascend_and_reverse(traded):
    traded.place(traded.mine, -1, 990_000, 100)
    times = [one["time"] for one in traded.ask("userFillsByTime", user=MINE, startTime=0)]
    assert times == sorted(times)
    assert len(times) == 2
    assert [one["time"] for one in traded.ask("userFillsByTime", user=MINE, startTime=0, reversed=True)] == times[::-1]
    assert len(traded.ask("userFillsByTime", user=MINE, startTime=times[1], endTime=times[1])) == 1
    assert [one["time"] for one in traded.ask("userFills", user=MINE)] == times[::-1]


def test_fills_of_one_sweep_are_one_when_aggregated(hall):
    hall.place(hall.mine, 1, 1_000_040, 15_000)
    assert len(hall.ask("userFills", user=MINE)) == 2
    (whole,) = hall.ask("userFills", user=MINE, aggregateByTime=True)
    assert (whole["sz"], whole["px"], whole["startPosition"]) == ("0.15", "100002.3", "0.0")


def test_open_orders_shrink_and_statuses_stay_when_an_order_fills_in_part(hall):
    resting = hall.place(hall.others, -1, 1_000_010, 300, client_order_id=NAME).order
    hall.place(hall.mine, 1, 1_000_010, 100)
    (told,) = hall.ask("openOrders", user=OTHERS)
    assert (told["sz"], told["origSz"], told["oid"], told["cloid"]) == ("0.002", "0.003", resting.venue_order_id, NAME)
    assert hall.ask("orderStatus", user=OTHERS, oid=NAME)["order"]["order"]["sz"] == "0.003"
    assert hall.ask("orderStatus", user=MINE, oid=NAME) == {"status": "unknownOid"}


def test_orders_that_ended_are_in_the_history_newest_first(traded):
    resting = traded.place(traded.mine, 1, 990_000, 20).order
    traded.venue.cancel(traded.mine, "BTC", resting.venue_order_id, traded.now_ns)
    told = traded.ask("historicalOrders", user=MINE)
    assert [one["status"] for one in told] == ["canceled", "filled"]
    assert told[0]["order"]["oid"] == resting.venue_order_id


def test_funding_is_told_with_the_venues_sign(traded):
    traded.wait(HOUR)
    (paid,), (received,) = (traded.ask("userFunding", user=user, startTime=0) for user in (MINE, OTHERS))
    assert paid["delta"]["usdc"] == "-" + received["delta"]["usdc"]
    assert (paid["delta"]["szi"], paid["delta"]["nSamples"], paid["hash"]) == ("0.003", None, "0x" + "0" * 64)
    sums = traded.ask("clearinghouseState", user=MINE)["assetPositions"][0]["position"]["cumFunding"]
    assert sums["allTime"] == sums["sinceOpen"] == received["delta"]["usdc"]


def test_isolated_positions_tell_their_raw_usd(hall):
    hall.venue.set_leverage(hall.mine, "BTC", 10, hall.now_ns, is_cross=False)
    hall.trade()
    leverage = hall.ask("clearinghouseState", user=MINE)["assetPositions"][0]["position"]["leverage"]
    assert (leverage["type"], leverage["value"]) == ("isolated", 10)
    assert float(leverage["rawUsd"]) < 0


def test_what_can_be_traded_counts_the_position_that_would_close_first(traded):
    told = traded.ask("activeAssetData", user=MINE, coin="BTC")
    buy, sell = (float(text) for text in told["maxTradeSzs"])
    assert sell - buy == pytest.approx(2 * 0.003)
    assert told["markPx"] == "100001.0"
    assert set(told) == {"user", "coin", "leverage", "maxTradeSzs", "availableToTrade", "markPx"}


def test_strangers_have_nothing(hall):
    assert hall.ask("clearinghouseState", user=STRANGER)["marginSummary"] == ZEROS
    for kind in ("openOrders", "frontendOpenOrders", "userFills", "historicalOrders", "extraAgents"):
        assert hall.ask(kind, user=STRANGER) == []
    assert hall.ask("spotClearinghouseState", user=STRANGER) == {"balances": []}
    assert hall.ask("userRole", user=STRANGER) == {"role": "missing"}
    assert hall.ask("subAccounts", user=STRANGER) is None
    assert hall.ask("userAbstraction", user=STRANGER) == "default"
    assert hall.ask("userRateLimit", user=STRANGER)["nRequestsCap"] == 10_000


def test_agents_are_known_and_own_nothing(traded):
    agent = scene.address(scene.AGENT)
    assert traded.counter.approve_agent(MINE, agent, "bot", traded.now_ns) == ""
    assert traded.ask("userRole", user=agent) == {"role": "agent", "data": {"user": MINE}}
    assert traded.ask("userRole", user=MINE) == {"role": "user"}
    (told,) = traded.ask("extraAgents", user=MINE)
    assert (told["name"], told["address"]) == ("bot", agent)
    assert traded.ask("userFills", user=agent) == []


def test_fees_are_those_charged(traded):
    told = traded.ask("userFees", user=MINE)
    assert (told["userCrossRate"], told["userAddRate"]) == ("0.00045", "0.00015")
    assert told["feeSchedule"]["tiers"]["vip"][0] == {
        "ntlCutoff": "5000000.0",
        "cross": "0.0004",
        "add": "0.00012",
        "spotCross": "0.0006",
        "spotAdd": "0.0003",
    }
    assert told["dailyUserVlm"][-1]["userCross"] == "300.003"
    assert told["feeSchedule"]["referralDiscount"] == "0.04"


@pytest.mark.parametrize("kind", sorted(QUERIES))
def test_every_kind_answers_json_whoever_asks(traded, kind):
    for user in (MINE, STRANGER):
        traded.ask(kind, **{**EVERYTHING, "user": user})


@pytest.mark.parametrize("kind", sorted(kind for kind, query in QUERIES.items() if query.needs))
def test_a_question_without_what_it_needs_is_not_understood(hall, kind):
    assert hall.raw(json.dumps({"type": kind}).encode()).status == 422


@pytest.mark.parametrize(
    ("kind", "nothing"),
    [
        ("meta", {"universe": [], "marginTables": [], "collateralToken": 0}),
        ("allMids", {}),
        ("openOrders", []),
        ("frontendOpenOrders", []),
    ],
)
def test_markets_of_others_are_empty(traded, kind, nothing):
    assert traded.ask(kind, user=MINE, dex="other") == nothing
    assert traded.ask("clearinghouseState", user=MINE, dex="other")["marginSummary"] == ZEROS


@pytest.mark.parametrize("kind", ["l2Book", "recentTrades", "fundingHistory", "activeAssetData", "candleSnapshot"])
def test_a_coin_nobody_lists_is_null(hall, kind):
    span = {"coin": "NOPE", "interval": "1m", "startTime": 0}
    assert hall.ask(kind, user=MINE, coin="NOPE", startTime=0, req=span) is None


@pytest.mark.parametrize(
    ("kind", "weight"), [("l2Book", 2), ("allMids", 2), ("userRole", 60), ("meta", 20), ("userFills", 20)]
)
def test_weights_are_the_venues(traded, kind, weight):
    assert traded.weight(kind, **EVERYTHING) == weight


def test_rows_weigh(traded):
    for _ in range(45):
        traded.place(traded.mine, 1, 1_000_020, 20)
        traded.market()
    assert traded.weight("userFills", user=MINE) == 20 + 46 // 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe\x00",
        b'{"type":"nope"}',
        b'{"type":1}',
        b'{"type":"l2Book","coin":5}',
        b'{"type":"orderStatus","user":"0x12","oid":1}',
        b'{"type":"orderStatus","user":"0x' + b"1" * 40 + b'","oid":"0x1"}',
        b'{"type":"orderStatus","user":"0x' + b"1" * 40 + b'","oid":1e400}',
        b'{"type":"userFunding","user":"0x' + b"1" * 40 + b'","startTime":' + b"9" * 400 + b"}",
        b'{"type":"userFunding","user":"0x' + b"1" * 40 + b'","startTime":-1}',
        b"[" * 100_000,
        b'{"type":"meta","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_cannot_be_read_is_answered_422(hall, body):
    answer = hall.raw(body)
    assert (answer.status, answer.body.decode()) == (422, UNDECODABLE)


@given(
    st.sampled_from(sorted(QUERIES)),
    st.dictionaries(
        st.sampled_from(sorted(EVERYTHING)),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(2**70), 2**70),
            st.text(max_size=5),
            st.just(MINE),
            st.floats(),
            st.just({"coin": "BTC", "interval": "1M", "startTime": 2**52}),
        ),
    ),
)
def test_no_question_raises(kind, fields):
    answer = ALWAYS.raw(json.dumps({"type": kind, **EVERYTHING, **fields}).encode())
    assert answer.status in {200, 422}


def test_margin_tables_are_told_once_and_named_apart(hall):
    tiers = (MarginTier(lower_bound=Money(3_000_000 * MONEY_UNIT), leverage_max=5),)
    wider = (MarginTier(lower_bound=Money(20_000_000 * MONEY_UNIT), leverage_max=5),)
    listed = {
        "A": perpetual("A", 0, 2, 10, tiers),
        "B": perpetual("B", 1, 2, 10, wider),
        "C": perpetual("C", 2, 2, 10, tiers),
        "D": perpetual("D", 3, 2, 50),
        "E": perpetual("E", 4, 2, 3),
    }
    sources = replace(hall.info.sources, venue=Venue(listed, VenueSettings(), Listener()))
    meta = msgspec.json.decode(msgspec.json.encode(meta_of(sources)))
    assert [asset["marginTableId"] for asset in meta["universe"]] == [50, 51, 50, 52, 3]
    assert [(number, table["description"]) for number, table in meta["marginTables"]] == [
        (50, "tiered 10x"),
        (51, "tiered 10x (2)"),
        (52, ""),
    ]
    assert meta["marginTables"][0][1]["marginTiers"] == [
        {"lowerBound": "0.0", "maxLeverage": 10},
        {"lowerBound": "3000000.0", "maxLeverage": 5},
    ]


def test_sub_accounts_and_referrals_are_told_as_registered(traded):
    person, other = traded.registry.people[MINE], traded.registry.people[OTHERS]
    sub = traded.registry.open_sub_account(person, "second")
    person.builders[OTHERS] = 7
    person.referrer, other.code = OTHERS, "HAT"
    traded.mine.referred_until = traded.mine.volume_total + 1
    other.referred.append(MINE)
    (told,) = traded.ask("subAccounts", user=MINE)
    assert (told["name"], told["subAccountUser"], told["master"]) == ("second", sub.address, MINE)
    assert told["spotState"]["balances"][0]["total"] == "0.0"
    assert traded.ask("userRole", user=sub.address) == {"role": "subAccount", "data": {"master": MINE}}
    assert traded.ask("maxBuilderFee", user=MINE, builder=OTHERS) == 7
    assert traded.ask("approvedBuilders", user=MINE) == [OTHERS]
    assert traded.ask("referral", user=MINE)["referredBy"] == {"referrer": OTHERS, "code": "HAT"}
    assert traded.ask("referral", user=OTHERS)["referrerState"]["data"]["nReferrals"] == 1
    assert traded.ask("referral", user=MINE)["referrerState"]["stage"] == "needToTrade"
    assert traded.ask("userFees", user=MINE)["activeReferralDiscount"] == "0.04"


def test_a_portfolio_tells_what_was_gained(traded):
    told = dict(traded.ask("portfolio", user=MINE))
    assert list(told) == [
        *("day", "week", "month", "allTime"),
        *("perpDay", "perpWeek", "perpMonth", "perpAllTime"),
    ]
    value = traded.ask("clearinghouseState", user=MINE)["marginSummary"]["accountValue"]
    assert told["day"]["accountValueHistory"] == [[traded.now_ms, value]]
    assert Decimal(told["day"]["pnlHistory"][0][1]) == Decimal(value) - 100_000
    assert told["perpAllTime"]["vlm"] == "300.003"
