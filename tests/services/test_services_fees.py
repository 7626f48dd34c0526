"""What trading costs at the counter beyond the plain rate: builders, referrals, tiers of masters, weights of batches."""

import json

from domain.units import MONEY_UNIT, NS_PER_DAY, NS_PER_SECOND
from services.venue_server.counter_settings import CounterSettings
from services.venue_server.ip_limits import IpLimits, Visitor
from tests.services.counter_scene import DEFAULT, MASTER, OTHER, CounterScene, address, order, place
from tests.services.info_scene import MINE, OTHERS, InfoScene


def buy(scene, size="0.01", **more):
    scene.market()
    (status,) = scene.statuses(place(order(price="100001", size=size, tif="Ioc"), **more))
    assert status["filled"]["totalSz"] == size
    return scene.account.executions[-1]


def test_a_builders_part_is_told_inside_the_fee_of_a_fill():
    hall = InfoScene()
    hall.registry.people[MINE].builders[OTHERS] = 10
    scene = CounterScene()
    scene.venue, scene.counter, scene.now_ms = hall.venue, hall.counter, hall.now_ms
    action = place(
        order(price="100002", size="0.01", tif="Ioc"), builder={"b": OTHERS.upper().replace("0X", "0x"), "f": 10}
    )
    scene.send(action, MASTER)
    (fill,) = hall.ask("userFills", user=MINE)
    assert (fill["fee"], fill["builderFee"]) == ("0.550011", "0.100002")
    hall.now_ms = scene.now_ms
    hall.place(hall.mine, 1, 1_000_020, 20)
    assert "builderFee" not in hall.ask("userFills", user=MINE)[0]


def test_the_referred_pay_four_percent_less_until_their_volume_ends():
    scene = CounterScene()
    plain = buy(scene).fee
    assert scene.send({"type": "registerReferrer", "code": "HAT"}, OTHER) == DEFAULT
    assert scene.send({"type": "setReferrer", "code": "HAT"}) == DEFAULT
    assert (plain, buy(scene).fee) == (45_000_500, 43_200_500)
    scene.account.volume_total = 25_000_000 * MONEY_UNIT
    assert buy(scene).fee == plain


def test_a_sub_account_has_the_tier_of_its_master():
    scene = CounterScene(CounterSettings(sub_account_volume_min=0))
    sub = scene.send({"type": "createSubAccount", "name": "desk"})["response"]["data"]
    today = scene.now_ns // NS_PER_DAY
    scene.account.volume_by_day[today] = (0, 6_000_000 * MONEY_UNIT)
    scene.venue.on_time((today + 1) * NS_PER_DAY)
    account = scene.venue.accounts[sub]
    assert (account.taker_rate, account.maker_rate) == (scene.account.taker_rate, scene.account.maker_rate)
    assert account.taker_rate == 400_000
    assert scene.other.taker_rate == 450_000


def test_a_batch_refused_as_a_whole_weighs_what_it_would_have():
    scene = CounterScene()
    refused = []
    scene.raw = lambda body, claimed="": (
        refused.append(scene.counter.exchange(body, scene.now_ns, claimed)) or refused[-1]
    )
    reply = scene.send(place(*([order(size="0")] * 80)))
    assert reply["response"]["data"]["statuses"] == [{"error": "Order has zero size."}]
    assert refused[0].weight == 3
    assert json.loads(refused[0].body) == reply
    assert address(MASTER) == MINE


def test_a_visitor_without_limits_is_not_remembered_for_ever():
    visitor = Visitor(IpLimits(is_on=False))
    for second in range(1_000):
        assert visitor.may_send(second * NS_PER_SECOND)
        assert visitor.may_ask(second * NS_PER_SECOND)
        visitor.spend(2, second * NS_PER_SECOND)
    assert len(visitor._weights._entries) <= 60
    assert len(visitor._messages._entries) <= 60
    assert visitor.weight(999 * NS_PER_SECOND) == 120
