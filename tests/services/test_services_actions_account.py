"""Actions about accounts, signed like orders: leverage, margin, switch, sub-accounts, codes, requests, the rarer ones."""

import pytest

from domain.units import MONEY_UNIT
from services.venue_server.counter_settings import CounterSettings
from tests.services.counter_scene import CASH, DEFAULT, MASTER, OTHER, CounterScene, address, err, order, place

BUY = place(order(price="100001", size="0.01", tif="Ioc"))


def isolated():
    scene = CounterScene()
    scene.send({"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 10})
    scene.send(BUY)
    return scene


def sub_account(scene, usd=0):
    sub = scene.send({"type": "createSubAccount", "name": "desk"})["response"]["data"]
    if usd:
        scene.send({"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": usd})
    return sub


def test_leverage_is_set_and_refused_word_for_word():
    scene = CounterScene()
    action = {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 7}
    assert scene.send(action) == DEFAULT
    assert scene.account.leverages == {"BTC": (7, True)}
    for leverage in (0, 41, -1, 2**63):
        assert scene.send({**action, "leverage": leverage}) == err("Invalid leverage value")
    assert scene.send({**action, "asset": 5}) == err("Unknown asset")
    scene.send(BUY)
    assert scene.send({**action, "isCross": False}) == err("Cannot switch leverage type with open position.")


def test_isolated_margin_moves_and_is_refused_word_for_word():
    scene = isolated()
    before = scene.account.cash + scene.account.isolated["BTC"]
    action = {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": 50_000_000}
    cash = scene.account.cash
    assert scene.send(action) == DEFAULT
    assert scene.account.cash == cash - 50 * MONEY_UNIT
    assert scene.account.cash + scene.account.isolated["BTC"] == before
    assert scene.send({**action, "ntli": 0}) == err("Update to isolated margin cannot be zero.")
    assert scene.send({**action, "asset": 1}) == err("Cannot update margin for empty position.")
    assert scene.send({**action, "asset": 9}) == err("Unknown asset")
    too_much = scene.send({**action, "ntli": 10**12})
    assert too_much == err("Account does not have sufficient margin available for increase.")
    too_little = scene.send({**action, "ntli": -(10**12)})
    assert too_little == err("Position does not have sufficient margin for reduction.")
    assert scene.send({**action, "ntli": 2**63})["status"] == "err"
    crossed = CounterScene()
    crossed.send(BUY)
    assert crossed.send(action) == err("Position does not use isolated margin.")


def test_top_up_reaches_a_leverage():
    scene = isolated()
    cash = scene.account.cash
    assert scene.send({"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": "5"}) == DEFAULT
    assert scene.account.cash < cash
    for leverage in ("0", "-5", "five", "1e3", "0.0000000001"):
        refused = scene.send({"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": leverage})
        assert refused == err("Invalid leverage value")
    assert scene.send({"type": "topUpIsolatedOnlyMargin", "asset": 9, "leverage": "5"}) == err("Unknown asset")


def test_the_dead_mans_switch_cancels_everything():
    scene = CounterScene()
    scene.send(place(order()))
    early = scene.send({"type": "scheduleCancel", "time": scene.now_ms + 5_000})
    assert early == err("Scheduled cancel time too early, must be at least 5 seconds from now.")
    assert scene.send({"type": "scheduleCancel", "time": scene.now_ms + 5_001}) == DEFAULT
    scene.now_ms += 5_001
    scene.venue.on_time(scene.now_ns)
    assert not scene.account.orders
    assert scene.account.history[-1].status == "scheduledCancel"
    scene.send({"type": "scheduleCancel", "time": scene.now_ms + 9_000})
    assert scene.send({"type": "scheduleCancel"}) == DEFAULT
    assert scene.account.scheduled_cancel_ns == 0


def test_a_sub_account_needs_volume():
    scene = CounterScene(CounterSettings())
    assert scene.send({"type": "createSubAccount", "name": "desk"}) == err(
        "Cannot create sub-accounts until enough volume traded. Required: $100000. Traded: $0."
    )


def test_sub_accounts_move_margin_with_their_master():
    scene = CounterScene()
    sub = sub_account(scene, 1_000_000)
    before = scene.money()
    account = scene.venue.accounts[sub]
    assert (account.cash, scene.account.cash) == (MONEY_UNIT, CASH - MONEY_UNIT)
    transfer = {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": False, "usd": 400_000}
    assert scene.send(transfer) == DEFAULT
    assert account.cash == 60 * MONEY_UNIT // 100
    assert scene.send({**transfer, "usd": 600_001}) == err("Insufficient balance for withdrawal")
    assert scene.send({**transfer, "usd": 0}) == err("Invalid send")
    foreign = err(f"Invalid sub-account transfer from {address(OTHER)} to {address(MASTER)}")
    assert scene.send({**transfer, "subAccountUser": OTHER.address}) == foreign
    assert [update.kind for update in account.updates] == ["subAccountTransfer"] * 2
    assert scene.money() == before


def test_sub_accounts_move_spot_with_their_master():
    scene = CounterScene(spot=5 * MONEY_UNIT)
    sub = sub_account(scene)
    transfer = {
        "type": "subAccountSpotTransfer",
        "subAccountUser": sub,
        "isDeposit": True,
        "token": "USDC",
        "amount": "1.5",
    }
    assert scene.send(transfer) == DEFAULT
    assert (scene.counter.registry.spot(sub), scene.person.spot) == (150_000_000, 350_000_000)
    assert scene.send({**transfer, "amount": "4"}) == err("Insufficient balance for token transfer")
    assert scene.send({**transfer, "token": "HYPE:0x00"}) == err("Insufficient balance for token transfer")


def test_names_of_sub_accounts_and_their_number_are_bounded():
    scene = CounterScene()
    assert scene.send({"type": "createSubAccount", "name": ""})["status"] == "err"
    assert scene.send({"type": "createSubAccount", "name": "x" * 17})["status"] == "err"
    subs = [sub_account(scene) for _ in range(10)]
    assert len(frozenset(subs)) == 10
    assert scene.send({"type": "createSubAccount", "name": "eleven"})["status"] == "err"
    assert scene.counter.registry.role(subs[0]) == ("subAccount", address(MASTER))


def test_there_are_no_vaults():
    action = {"type": "vaultTransfer", "vaultAddress": "0x" + "AB" * 20, "isDeposit": True, "usd": 5_000_000}
    assert CounterScene().send(action) == err("Vault not registered: 0x" + "ab" * 20)


def test_codes_are_registered_once_and_named_once():
    scene = CounterScene()
    assert scene.send({"type": "setReferrer", "code": "HAT"}) == err("Referral code not registered")
    assert scene.send({"type": "registerReferrer", "code": "HAT"}, OTHER) == DEFAULT
    assert scene.send({"type": "registerReferrer", "code": "HAT"})["status"] == "err"
    assert scene.send({"type": "setReferrer", "code": "HAT"}, OTHER) == err("Referral code not registered")
    assert scene.send({"type": "setReferrer", "code": "HAT"}) == DEFAULT
    assert scene.send({"type": "setReferrer", "code": "HAT"})["status"] == "err"
    assert scene.person.referrer == address(OTHER)
    poor = CounterScene(CounterSettings())
    refused = poor.send({"type": "registerReferrer", "code": "X"})
    assert refused == err("Cannot generate referral code until enough volume traded")


def test_requests_are_sold():
    scene = CounterScene()
    before = scene.money()
    assert scene.send({"type": "reserveRequestWeight", "weight": 1_000}) == DEFAULT
    assert scene.account.cash == CASH - MONEY_UNIT // 2
    assert scene.counter.limits.bought(address(MASTER)) == 1_000
    gift = {"type": "reserveRequestWeight", "weight": 10, "destination": OTHER.address}
    assert scene.send(gift) == DEFAULT
    assert scene.counter.limits.bought(address(OTHER)) == 10
    assert scene.send({**gift, "weight": 10**12}) == err("Insufficient balance for withdrawal")
    assert scene.send({**gift, "weight": 0}) == err("Invalid send")
    assert scene.money() == before


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        ({"type": "noop"}, DEFAULT),
        ({"type": "evmUserModify", "usingBigBlocks": True}, DEFAULT),
        ({"type": "agentEnableDexAbstraction"}, DEFAULT),
        ({"type": "agentSetAbstraction", "abstraction": "i"}, DEFAULT),
        ({"type": "agentSetAbstraction", "abstraction": "z"}, err("Abstraction transition not allowed")),
        ({"type": "claimRewards"}, err("No rewards to claim")),
        (
            {"type": "gossipPriorityBid", "slotId": 0, "ip": "1.2.3.4", "maxGas": 1},
            err("Insufficient gas at current auction price."),
        ),
        ({"type": "userOutcome", "splitOutcome": {"outcome": 1}}, DEFAULT),
        ({"type": "spotDeploy", "genesis": {"token": 1, "maxSupply": "5"}}, DEFAULT),
        ({"type": "perpDeploy", "setOracle": {"dex": "x", "oraclePxs": []}}, DEFAULT),
        ({"type": "CSignerAction", "jailSelf": None}, DEFAULT),
        ({"type": "CValidatorAction", "unregister": None}, DEFAULT),
    ],
)
def test_the_rarer_actions_answer(action, reply):
    assert CounterScene().send(action) == reply


def test_an_agent_moves_assets_only_within_its_master():
    scene = CounterScene(spot=MONEY_UNIT)
    sub = sub_account(scene)
    scene.now_ms += 1
    action = {
        "type": "agentSendAsset",
        "destination": sub,
        "sourceDex": "spot",
        "destinationDex": "",
        "token": "USDC",
        "amount": "1",
        "fromSubAccount": "",
        "nonce": scene.now_ms + 1,
    }
    assert scene.send(action) == DEFAULT
    assert scene.venue.accounts[sub].cash == MONEY_UNIT
    assert scene.send({**action, "destination": OTHER.address, "nonce": scene.now_ms + 1}) == err("Invalid send")
    assert scene.send({**action, "nonce": 5}) == err("Nonce mismatch.")
