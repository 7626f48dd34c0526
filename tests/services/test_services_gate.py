"""The gate: who signed, for whom, when, and every text that keeps an action out."""

import json

import pytest
from hyperliquid.utils.signing import sign_l1_action, sign_usd_transfer_action

from domain.units import MONEY_UNIT
from services.venue_server.counter_settings import CounterSettings, OpenQuestions, Policy
from tests.services.counter_scene import (
    AGENT,
    DEFAULT,
    MASTER,
    NOW_MS,
    OTHER,
    STRANGER,
    CounterScene,
    address,
    err,
    order,
    place,
    trigger,
)

NOOP = {"type": "noop"}
SIGNATURE = {"r": "0x1", "s": "0x1", "v": 27}


def approved(scene, name="", agent=AGENT, **more):
    text = scene.counter.approve_agent(MASTER.address, agent.address, name, scene.now_ns, **more)
    assert not text, text


def test_master_and_agent_act_on_the_master():
    scene = CounterScene()
    approved(scene)
    assert scene.send(NOOP) == DEFAULT
    assert scene.send(place(order(tif="Alo")), AGENT)["status"] == "ok"
    assert [one.price for one in scene.account.orders.values()] == [990_000]


def test_a_stranger_is_told_his_recovered_address():
    scene = CounterScene()
    assert scene.send(NOOP, STRANGER) == err(f"User or API Wallet {address(STRANGER)} does not exist.")


def test_an_agent_ends_with_its_time():
    scene = CounterScene()
    approved(scene, valid_until_ns=scene.now_ns + 10**9)
    assert scene.send(NOOP, AGENT) == DEFAULT
    scene.now_ms += 1_000
    assert scene.send(NOOP, AGENT) == err(f"User or API Wallet {address(AGENT)} does not exist.")


def test_an_agent_lives_ninety_days_by_default():
    scene = CounterScene()
    approved(scene)
    scene.now_ms += 90 * 86_400_000 - 2
    assert scene.send(NOOP, AGENT) == DEFAULT
    assert scene.send(NOOP, AGENT)["status"] == "err"


def test_an_agent_of_the_same_name_replaces_the_old_one():
    scene = CounterScene()
    approved(scene, "bot")
    approved(scene, "bot", STRANGER)
    assert scene.send(NOOP, AGENT)["status"] == "err"
    assert scene.send(NOOP, STRANGER) == DEFAULT


def test_agents_may_not_sign_what_the_wallet_signs():
    scene = CounterScene()
    approved(scene)
    send = {"destination": OTHER.address, "amount": "1", "type": "usdSend"}
    refused = scene.sign(sign_usd_transfer_action, send, AGENT, clock="time")
    assert refused == err(f"Must deposit before performing actions. User: {address(AGENT)}")
    assert scene.account.cash == 100_000 * MONEY_UNIT


def test_the_signature_covers_nonce_vault_and_deadline():
    scene = CounterScene()
    scene.now_ms += 1
    signature = sign_l1_action(MASTER, NOOP, None, scene.now_ms, None, False)
    good = {"action": NOOP, "nonce": scene.now_ms, "signature": signature}
    for changed in ({"nonce": scene.now_ms + 1}, {"expiresAfter": scene.now_ms + 9}, {"vaultAddress": OTHER.address}):
        assert scene.post({**good, **changed})["response"].startswith("User or API Wallet 0x")
    assert scene.post(good) == DEFAULT


def test_mainnet_signatures_recover_somebody_else():
    scene = CounterScene()
    assert scene.send(NOOP, is_mainnet=True)["response"].startswith("User or API Wallet 0x")
    assert CounterScene(CounterSettings(is_mainnet=True)).send(NOOP, is_mainnet=True) == DEFAULT


@pytest.mark.parametrize(
    "broken", [{"r": "0x0"}, {"v": 99}, {"r": "zz"}, {"s": "0x" + "f" * 64}, {"r": "0x" + "1" * 70}]
)
def test_signatures_of_nobody_are_told_so(broken):
    scene = CounterScene()
    posted = {"action": NOOP, "nonce": NOW_MS, "signature": {**SIGNATURE, **broken}}
    assert scene.post(posted) == err("Unable to recover signer.")


def test_user_signed_actions_name_their_network():
    scene = CounterScene()
    send = {"destination": OTHER.address, "amount": "1", "type": "usdSend"}
    refused = scene.sign(sign_usd_transfer_action, send, clock="time", is_mainnet=True)
    assert refused == err("Mainnet and testnet require different signature.")


def test_user_signed_actions_repeat_their_nonce():
    scene = CounterScene()
    send = {"destination": OTHER.address, "amount": "1", "type": "usdSend"}
    assert scene.sign(sign_usd_transfer_action, send, clock="time", nonce=NOW_MS) == err("Nonce mismatch.")


def test_user_signed_actions_have_no_deadline():
    scene = CounterScene()
    send = {"destination": OTHER.address, "amount": "1", "type": "usdSend"}
    refused = scene.sign(sign_usd_transfer_action, send, clock="time", expiresAfter=scene.now_ms + 5)
    assert refused == err("expiresAfter is not supported for user-signed actions")


def test_nonces_run_once_and_agents_have_their_own():
    scene = CounterScene()
    approved(scene)
    nonce = NOW_MS + 7
    assert scene.send(NOOP, nonce=nonce) == DEFAULT
    assert scene.send(NOOP, nonce=nonce) == err(f"Invalid nonce: duplicate nonce {nonce}")
    assert scene.send(NOOP, AGENT, nonce=nonce) == DEFAULT
    low = scene.send(NOOP, nonce=1)["response"]
    assert low == f"Invalid nonce: nonce too low 1 < {scene.now_ms - 2 * 86_400_000}"
    assert scene.send(NOOP, nonce=2 * NOW_MS)["response"].startswith(f"Invalid nonce: nonce too high {2 * NOW_MS} > ")


def test_a_noop_kills_what_reuses_its_nonce():
    scene = CounterScene()
    nonce = NOW_MS + 7
    scene.send(NOOP, nonce=nonce)
    assert scene.send(place(order()), nonce=nonce)["status"] == "err"
    assert not scene.account.orders


def test_the_deadline_is_kept_and_leaves_the_nonce():
    scene = CounterScene()
    assert scene.send(NOOP, expires=scene.now_ms + 1) == DEFAULT
    nonce = scene.now_ms + 1
    assert scene.send(NOOP, nonce=nonce, expires=scene.now_ms) == err("Action already expired")
    assert scene.send(NOOP, nonce=nonce) == DEFAULT


def test_the_deadline_takes_the_nonce_when_set_so():
    scene = CounterScene(CounterSettings(open_questions=OpenQuestions(expired_takes_nonce=True)))
    nonce = scene.now_ms + 1
    scene.send(NOOP, nonce=nonce, expires=scene.now_ms)
    assert scene.send(NOOP, nonce=nonce) == err(f"Invalid nonce: duplicate nonce {nonce}")


def test_an_action_weighs_at_most_two_hundred():
    scene = CounterScene()
    cancels = [{"a": 0, "o": number} for number in range(201)]
    refused = scene.send({"type": "cancel", "cancels": cancels})
    assert refused == err("Signed action over weight limit of 200.")
    assert scene.account.requests_used == 0
    assert len(scene.statuses({"type": "cancel", "cancels": cancels[:200]})) == 200


@pytest.mark.parametrize(("batch", "weight"), [(1, 1), (39, 1), (40, 2), (79, 2), (80, 3)])
def test_the_weight_for_the_ip_counts_forties(batch, weight):
    scene = CounterScene()
    action = {"type": "cancel", "cancels": [{"a": 0, "o": number} for number in range(batch)]}
    signature = sign_l1_action(MASTER, action, None, NOW_MS, None, False)
    body = json.dumps({"action": action, "nonce": NOW_MS, "signature": signature}).encode()
    assert scene.raw(body).weight == weight


def test_vaults_must_exist_and_be_ours():
    scene = CounterScene()
    nobody = "0x" + "ab" * 20
    assert scene.send(NOOP, vault=nobody) == err(f"Vault not registered: {nobody}")
    created = scene.send({"type": "createSubAccount", "name": "desk"})
    sub = created["response"]["data"]
    assert scene.send(NOOP, vault=sub) == DEFAULT
    approved(scene)
    assert scene.send(place(order(size="0.0001")), AGENT, vault=sub)["status"] == "ok"
    refused = scene.send(NOOP, OTHER, vault=sub)
    assert refused == err(f"Sub-account {sub} is not registered to {address(OTHER)}")
    assert scene.send({"type": "createSubAccount", "name": "x"}, vault=sub) == err("Vault may not perform this action.")


def test_a_sub_account_acts_on_its_own_money_with_the_nonces_of_the_signer():
    scene = CounterScene()
    sub = scene.send({"type": "createSubAccount", "name": "desk"})["response"]["data"]
    usd = {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 1_000_000_000}
    assert scene.send(usd) == DEFAULT
    nonce = scene.now_ms + 1
    assert scene.statuses(place(order()), vault=sub, nonce=nonce) == [{"resting": {"oid": 1}}]
    assert scene.send(NOOP, nonce=nonce) == err(f"Invalid nonce: duplicate nonce {nonce}")
    assert list(scene.venue.accounts[sub].orders) == [1]
    assert not scene.account.orders


def test_without_verification_the_claimed_or_the_trusted_account_acts():
    trusting = CounterSettings(policy=Policy.OFF, trusted_account=address(MASTER))
    scene = CounterScene(trusting)
    posted = {"action": place(order()), "nonce": NOW_MS, "signature": SIGNATURE}
    assert scene.post(posted)["status"] == "ok"
    assert scene.post({**posted, "nonce": NOW_MS + 1}, claimed=OTHER.address)["status"] == "ok"
    assert (len(scene.account.orders), len(scene.other.orders)) == (1, 1)
    assert CounterScene(CounterSettings(policy=Policy.OFF)).post(posted) == err("Unable to recover signer.")


def test_a_claim_is_not_heard_while_signatures_are_checked():
    scene = CounterScene()
    posted = {"action": NOOP, "nonce": NOW_MS, "signature": SIGNATURE}
    assert scene.post(posted, claimed=address(MASTER))["status"] == "err"


def test_keys_may_be_absent_as_other_clients_leave_them():
    scene = CounterScene()
    signature = sign_l1_action(MASTER, NOOP, None, NOW_MS, None, False)
    assert scene.post({"action": NOOP, "nonce": NOW_MS, "signature": signature}) == DEFAULT


def test_the_canonical_order_is_hashed_whatever_order_came():
    scene = CounterScene()
    action = place(order())
    shuffled = {"grouping": "na", "orders": action["orders"], "type": "order"}
    assert scene.send(shuffled)["response"].startswith("User or API Wallet 0x")
    signature = sign_l1_action(MASTER, action, None, NOW_MS, None, False)
    assert scene.post({"action": shuffled, "nonce": NOW_MS, "signature": signature})["status"] == "ok"


@pytest.mark.parametrize("price", ["99000.0", "099000", "+99000", "-0"])
def test_decimals_that_are_not_shortest_recover_a_stranger(price):
    assert CounterScene().send(place(order(price=price)))["response"].startswith("User or API Wallet 0x")
    lenient = CounterScene(CounterSettings(open_questions=OpenQuestions(checks_decimals=False)))
    assert lenient.send(place(order(price=price)))["status"] == "ok"


def test_trigger_prices_have_a_shortest_form_too():
    waiting = trigger("90000", "sl")
    waiting["t"]["trigger"]["triggerPx"] = "90000.0"
    assert CounterScene().send(place(waiting))["response"].startswith("User or API Wallet 0x")


@pytest.mark.parametrize(
    "action",
    [
        {"type": "cancel", "cancels": [{"a": 0, "o": 1}], "f": False},
        {"type": "modify", "oid": 1, "order": order(), "a": False},
        {"type": "batchModify", "modifies": [{"oid": 1, "order": order(), "a": False}]},
    ],
)
def test_flags_that_are_false_are_not_canonical(action):
    assert CounterScene().send(action)["response"].startswith("User or API Wallet 0x")
