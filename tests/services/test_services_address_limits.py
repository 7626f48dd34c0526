"""The budget of an address: what it may do, what is refused, and in which words."""

from domain.units import MONEY_UNIT, NS_PER_SECOND
from exchange.simulated.accounts import Account
from services.venue_server.address_limits import INITIAL, PAUSE_NS, AddressLimits
from services.venue_server.counter_settings import CounterSettings
from tests.services.counter_scene import CounterScene, order, place

NOW_NS = 1_800_000_000 * NS_PER_SECOND


def an_account(used=0, volume=0):
    account = Account(0, "0x" + "aa" * 20, 0, 0)
    account.requests_used, account.volume_total = used, volume
    return account


def test_the_cap_grows_by_one_for_each_usdc_traded():
    limits = AddressLimits()
    assert limits.cap(an_account()) == 10_000
    assert limits.cap(an_account(volume=2_854_574 * MONEY_UNIT + 59 * MONEY_UNIT // 100)) == 2_864_574


def test_an_exhausted_address_may_act_once_in_ten_seconds():
    limits, account = AddressLimits(), an_account(used=INITIAL, volume=57 * MONEY_UNIT // 100)
    assert limits.refusal(account, 1, NOW_NS, is_cancel=False) == ""
    limits.count(account, 1, NOW_NS, is_cancel=False)
    refused = limits.refusal(account, 1, NOW_NS + PAUSE_NS - 1, is_cancel=False)
    assert refused == (
        "Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0.57. "
        "Place taker orders to free up 1 request per USDC traded."
    )
    assert limits.refusal(account, 1, NOW_NS + PAUSE_NS, is_cancel=False) == ""


def test_cancels_have_twice_the_limit_but_at_most_a_hundred_thousand_more():
    limits = AddressLimits()
    for used, volume, room in ((INITIAL, 0, 10_000), (1_010_000, 1_000_000, 100_000)):
        account = an_account(used, volume * MONEY_UNIT)
        limits.count(account, 1, NOW_NS, is_cancel=False)
        assert limits.refusal(account, 1, NOW_NS, is_cancel=False)
        assert limits.refusal(account, room - 1, NOW_NS, is_cancel=True) == ""
        limits.count(account, room, NOW_NS, is_cancel=True)
        assert limits.refusal(account, 1, NOW_NS, is_cancel=True)


def test_cancels_do_not_restart_the_pause_of_orders():
    limits, account = AddressLimits(), an_account(INITIAL)
    limits.count(account, 1, NOW_NS, is_cancel=False)
    limits.count(account, 1, NOW_NS + PAUSE_NS // 2, is_cancel=True)
    assert limits.refusal(account, 1, NOW_NS + PAUSE_NS, is_cancel=False) == ""


def test_bought_requests_count_on_top():
    limits, account = AddressLimits(), an_account(INITIAL)
    limits.buy(account.address, 5)
    limits.count(account, 5, NOW_NS, is_cancel=False)
    assert limits.refusal(account, 1, NOW_NS, is_cancel=False) == ""
    limits.count(account, 1, NOW_NS, is_cancel=False)
    assert limits.refusal(account, 1, NOW_NS, is_cancel=False)


def test_limits_that_are_off_count_and_refuse_nobody():
    limits, account = AddressLimits(is_on=False), an_account(10 * INITIAL)
    limits.count(account, 1, NOW_NS, is_cancel=False)
    assert limits.refusal(account, 1, NOW_NS, is_cancel=False) == ""
    assert account.requests_used == 10 * INITIAL + 1


def test_a_batch_counts_its_orders_and_a_refusal_nothing():
    scene = CounterScene()
    scene.send(place(order(), order(), order()))
    assert scene.account.requests_used == 3
    scene.account.requests_used = INITIAL
    assert scene.send(place(order()))["status"] == "ok"
    used = scene.account.requests_used
    assert scene.send(place(order()))["response"].startswith("Too many cumulative requests sent (10002 > 10000)")
    assert scene.account.requests_used == used
    assert scene.statuses({"type": "cancel", "cancels": [{"a": 0, "o": 1}]}) == ["success"]


def test_a_refused_nonce_can_be_used_again():
    scene = CounterScene()
    scene.account.requests_used = INITIAL
    scene.send({"type": "noop"})
    nonce = scene.now_ms + 5
    assert scene.send({"type": "noop"}, nonce=nonce)["status"] == "err"
    scene.now_ms += 10_000
    assert scene.send({"type": "noop"}, nonce=nonce)["status"] == "ok"


def test_a_late_action_costs_five_times():
    scene = CounterScene()
    late = scene.send(place(order(), order()), expires=scene.now_ms)
    assert late == {"status": "err", "response": "Action already expired"}
    assert scene.account.requests_used == 10


def test_limits_can_be_switched_off():
    scene = CounterScene(CounterSettings(limits_on=False))
    scene.account.requests_used = 5 * INITIAL
    assert [scene.send({"type": "noop"})["status"] for _ in range(3)] == ["ok"] * 3
