"""What a wallet signs itself: money moves exactly, agents and builders are approved, and all texts are the venue's."""

import pytest
from hyperliquid.utils.signing import (
    sign_agent,
    sign_approve_builder_fee,
    sign_user_dex_abstraction_action,
    sign_user_set_abstraction_action,
)

from domain.units import MONEY_UNIT
from tests.services.counter_scene import (
    AGENT,
    CASH,
    DEFAULT,
    MASTER,
    OTHER,
    STRANGER,
    CounterScene,
    address,
    err,
    key,
    order,
    place,
)
from tests.services.user_transfers import class_transfer, send_asset, spot_send, usd_send, withdraw

NO_PERP, NO_SPOT, BAD = (
    err("Insufficient balance for withdrawal"),
    err("Insufficient balance for token transfer"),
    err("Invalid send"),
)


def approve(scene, agent=AGENT, name="", wallet=MASTER):
    action = {"type": "approveAgent", "agentAddress": agent.address, "agentName": name}
    return scene.sign(sign_agent, action, wallet)


def test_usd_is_sent_to_anybody():
    scene = CounterScene()
    assert usd_send(scene, "1.5") == DEFAULT
    assert (scene.account.cash, scene.other.cash) == (CASH - 150_000_000, CASH + 150_000_000)
    update = scene.other.updates[-1]
    assert (update.kind, update.amount) == ("internalTransfer", 150_000_000)
    assert update.fields == {"user": address(MASTER), "destination": address(OTHER), "fee": "0.0"}
    assert usd_send(scene, "3", STRANGER) == DEFAULT
    assert scene.send({"type": "noop"}, STRANGER) == DEFAULT


@pytest.mark.parametrize("amount", ["0", "-1", "0.0000001", "1e-05", "NaN", "", "one", "9" * 40, "1.5 subaccount:x"])
def test_amounts_that_are_none_are_no_sends(amount):
    scene = CounterScene(spot=MONEY_UNIT)
    assert usd_send(scene, amount) == BAD
    if amount != "0.0000001":
        assert spot_send(scene, amount) == BAD
    assert send_asset(scene, amount) == BAD
    assert withdraw(scene, amount) == BAD
    assert (scene.account.cash, scene.person.spot) == (CASH, MONEY_UNIT)


def test_nobody_sends_more_than_he_has_nor_to_himself():
    scene = CounterScene()
    assert usd_send(scene, "100000.000001", STRANGER) == NO_PERP
    assert address(STRANGER) not in scene.venue.accounts
    assert usd_send(scene, "1", MASTER) == BAD
    assert usd_send(scene, "100000") == DEFAULT
    assert withdraw(scene, "5") == NO_PERP


def test_margin_in_use_stays():
    scene = CounterScene()
    scene.send(place(order(price="100001", size="0.1", tif="Ioc")))
    assert usd_send(scene, "99000") == NO_PERP
    assert usd_send(scene, "90000") == DEFAULT


def test_money_moves_between_classes():
    scene = CounterScene(spot=2 * MONEY_UNIT)
    assert class_transfer(scene, "1.25", True) == DEFAULT
    assert (scene.account.cash, scene.person.spot) == (CASH + 125_000_000, 75_000_000)
    assert class_transfer(scene, "0.76", True) == NO_SPOT
    assert class_transfer(scene, "100001.250001", False) == NO_PERP
    assert class_transfer(scene, "1", False) == DEFAULT
    assert (scene.account.cash, scene.person.spot) == (CASH + 25_000_000, 175_000_000)
    assert [update.fields for update in scene.account.updates] == [{"toPerp": True}, {"toPerp": False}]


def test_the_amount_may_name_a_sub_account():
    scene = CounterScene()
    sub = scene.send({"type": "createSubAccount", "name": "desk"})["response"]["data"]
    scene.send({"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 3_000_000})
    assert class_transfer(scene, f"1.0 subaccount:{sub}", False) == DEFAULT
    assert scene.counter.registry.spot(sub) == MONEY_UNIT
    refused = class_transfer(scene, f"1.0 subaccount:{address(OTHER)}", False)
    assert refused == err(f"Sub-account {address(OTHER)} is not registered to {address(MASTER)}")


def test_a_unified_account_has_no_classes():
    scene = CounterScene()
    chosen = {"type": "userSetAbstraction", "user": address(MASTER), "abstraction": "unifiedAccount"}
    assert scene.sign(sign_user_set_abstraction_action, chosen) == DEFAULT
    assert scene.person.abstraction == "unifiedAccount"
    assert class_transfer(scene, "1", False) == err("Action disabled when unified account is active")
    not_allowed = err("Abstraction transition not allowed")
    assert scene.sign(sign_user_set_abstraction_action, {**chosen, "abstraction": "none"}) == not_allowed
    assert scene.sign(sign_user_set_abstraction_action, {**chosen, "user": address(OTHER)}) == not_allowed
    dex = {"type": "userDexAbstraction", "user": address(MASTER), "enabled": True}
    assert scene.sign(sign_user_dex_abstraction_action, dex) == DEFAULT
    assert scene.person.is_dex_abstracted is True
    assert scene.sign(sign_user_dex_abstraction_action, {**dex, "user": address(OTHER)}) == not_allowed


def test_a_withdrawal_costs_one_usdc():
    scene = CounterScene()
    assert withdraw(scene, "11") == DEFAULT
    purse = scene.counter.purse
    assert (scene.account.cash, purse.withdrawn, purse.charged) == (CASH - 11 * MONEY_UNIT, 10 * MONEY_UNIT, MONEY_UNIT)
    assert withdraw(scene, "1") == NO_PERP
    assert scene.account.updates[-1].fields == {"nonce": scene.now_ms - 1, "fee": "1.0"}


def test_spot_is_sent():
    scene = CounterScene(spot=2 * MONEY_UNIT)
    assert spot_send(scene, "0.00000001") == DEFAULT
    assert scene.counter.registry.spot(address(OTHER)) == 2 * MONEY_UNIT + 1
    assert spot_send(scene, "2") == NO_SPOT
    assert spot_send(scene, "1", token="PURR:0xc4bf3f870c0e9465323c0b6ed28096c2") == NO_SPOT
    update = scene.other.updates[-1]
    assert (update.kind, update.amount, update.fields["amount"]) == ("spotTransfer", 0, "0.00000001")


@pytest.mark.parametrize("source", ["", "spot"])
@pytest.mark.parametrize("destination", ["", "spot"])
def test_assets_are_sent_between_all_places(source, destination):
    scene = CounterScene(spot=10 * MONEY_UNIT)
    before = scene.money()
    assert send_asset(scene, "2.5", source, destination) == DEFAULT
    assert scene.money() == before
    sent = 250_000_000
    assert scene.account.cash == CASH - (0 if source else sent)
    assert scene.person.spot == 10 * MONEY_UNIT - (sent if source else 0)
    assert scene.other.cash == CASH + (0 if destination else sent)
    assert scene.other.updates[-1].kind == "send"
    itself = send_asset(scene, "1", source, destination, MASTER)
    assert itself == (BAD if source == destination else DEFAULT)
    assert scene.money() == before


def test_assets_are_refused_word_for_word():
    scene = CounterScene()
    assert send_asset(scene, "1", "dex", "") == BAD
    assert send_asset(scene, "1", token="HYPE:0x0d01dc56dcaaca66ad901c959b4011ec") == NO_SPOT
    assert send_asset(scene, "200000") == NO_SPOT
    assert send_asset(scene, "1", sub=OTHER.address)["response"].startswith(f"Sub-account {address(OTHER)} is not")


def test_a_sub_account_may_be_the_source():
    scene = CounterScene()
    sub = scene.send({"type": "createSubAccount", "name": "desk"})["response"]["data"]
    scene.send({"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 3_000_000})
    assert send_asset(scene, "3", sub=sub, to=MASTER) == DEFAULT
    assert (scene.venue.accounts[sub].cash, scene.account.cash) == (0, CASH)


def test_agents_are_approved_and_named():
    scene = CounterScene()
    assert approve(scene) == DEFAULT
    assert approve(scene) == err("Extra agent already used.")
    assert approve(scene, OTHER) == err("Extra agent already used.")
    assert [approve(scene, key(10 + number), f"n{number}") for number in range(3)] == [DEFAULT] * 3
    assert approve(scene, key(20), "n3") == err(
        "Too many extra agents for cumulative volume traded. Current limit is 3"
    )
    assert approve(scene, key(21), "n2") == DEFAULT
    assert scene.send({"type": "noop"}, key(12))["status"] == "err"
    assert scene.send({"type": "noop"}, key(21)) == DEFAULT
    assert approve(scene, key(12), "n2") == err("Extra agent already used.")
    assert approve(scene, key(22), "x" * 17)["status"] == "err"
    named = [agent.name for agent in scene.counter.registry.live_agents(address(MASTER), scene.now_ns)]
    assert named == ["", "n0", "n1", "n2"]


def test_an_agent_may_end_sooner():
    scene = CounterScene()
    soon = scene.now_ms + 5_000
    assert approve(scene, AGENT, f"bot valid_until {soon}") == DEFAULT
    assert scene.person.agents["bot"].valid_until_ms == soon
    assert approve(scene, key(9), f"bot valid_until {scene.now_ms}") == err("Agent valid_until already expired.")
    late = scene.now_ms + 1_000 * 86_400_000
    assert approve(scene, key(9), f"late valid_until {late}") == DEFAULT
    assert scene.person.agents["late"].valid_until_ms == scene.now_ms + 180 * 86_400_000


def test_the_agent_name_may_be_absent_on_the_wire():
    scene = CounterScene()
    scene.now_ms += 1
    action = {"type": "approveAgent", "agentAddress": AGENT.address, "agentName": "", "nonce": scene.now_ms}
    signature = sign_agent(MASTER, action, False)
    del action["agentName"]
    assert scene.post({"action": action, "nonce": scene.now_ms, "signature": signature}) == DEFAULT
    assert scene.counter.registry.role(address(AGENT)) == ("agent", address(MASTER))


def test_nobody_takes_an_agents_right_away():
    scene = CounterScene()
    approve(scene, AGENT, "bot")
    action = {"type": "approveAgent", "agentAddress": "0x" + "00" * 20, "agentName": "bot"}
    assert scene.sign(sign_agent, action) == DEFAULT
    assert scene.send({"type": "noop"}, AGENT)["status"] == "err"
    assert scene.counter.registry.role(address(AGENT)) == ("missing", "")


def test_builders_are_approved_up_to_a_rate():
    scene = CounterScene()
    action = {"type": "approveBuilderFee", "maxFeeRate": "0.001%", "builder": OTHER.address}
    assert scene.sign(sign_approve_builder_fee, action) == DEFAULT
    assert scene.person.builders == {address(OTHER): 1}
    for rate in ("0.001", "2%", "-1%", "x%", "0.0001%"):
        assert scene.sign(sign_approve_builder_fee, {**action, "maxFeeRate": rate})["status"] == "err"
    assert scene.sign(sign_approve_builder_fee, {**action, "maxFeeRate": "0%"}) == DEFAULT
    assert not scene.person.builders


def test_an_agent_that_is_sent_money_stays_an_agent():
    scene = CounterScene()
    approve(scene)
    assert usd_send(scene, "5", AGENT) == DEFAULT
    scene.send(place(order()), AGENT)
    assert list(scene.account.orders) == [1]
    assert usd_send(scene, "5", MASTER, AGENT) == DEFAULT
    assert (scene.account.cash, scene.venue.accounts[address(AGENT)].cash) == (CASH, 0)


def test_ten_builders_are_enough():
    scene = CounterScene()
    action = {"type": "approveBuilderFee", "maxFeeRate": "0.01%"}
    for number in range(10):
        builder = {"builder": key(30 + number).address}
        assert scene.sign(sign_approve_builder_fee, {**action, **builder}) == DEFAULT
    assert scene.sign(sign_approve_builder_fee, {**action, "builder": key(50).address})["status"] == "err"
    assert scene.sign(sign_approve_builder_fee, {**action, "builder": key(30).address}) == DEFAULT


def test_agents_whose_time_is_over_make_room():
    scene = CounterScene()
    for number in range(3):
        approve(scene, key(10 + number), f"n{number} valid_until {scene.now_ms + 1_000}")
    assert approve(scene, key(20), "n3")["status"] == "err"
    scene.now_ms += 1_000
    assert approve(scene, key(20), "n3") == DEFAULT
    assert list(scene.person.agents) == ["n3"]
