"""The official SDK, unmodified but for its socket: every action it can build is taken, signed for the right account."""

import inspect

import pytest
from eth_account import Account as Wallet
from hyperliquid.exchange import Exchange
from hyperliquid.utils.types import Cloid

from domain.units import MONEY_UNIT
from tests.services.counter_scene import (
    AGENT,
    CASH,
    DEFAULT,
    MASTER,
    OTHER,
    CounterScene,
    address,
    err,
)

GTC, ALO = {"limit": {"tif": "Gtc"}}, {"limit": {"tif": "Alo"}}
NAME = Cloid.from_int(7)
NO_VAULT = "Vault not registered: "
TO = OTHER.address

CALLS = {
    "set_expires_after": (None,),
    "order": ("BTC", True, 0.001, 99_000.0, GTC),
    "bulk_orders": (
        [{"coin": "BTC", "is_buy": True, "sz": 0.001, "limit_px": 99_000, "order_type": ALO, "reduce_only": False}],
    ),
    "modify_order": (1, "BTC", True, 0.001, 98_000.0, ALO),
    "bulk_modify_orders_new": (
        [
            {
                "oid": 1,
                "order": {
                    "coin": "BTC",
                    "is_buy": True,
                    "sz": 0.001,
                    "limit_px": 98_000,
                    "order_type": ALO,
                    "reduce_only": False,
                },
            }
        ],
    ),
    "market_open": ("BTC", True, 0.001),
    "market_close": ("BTC", 0.001),
    "cancel": ("BTC", 1),
    "cancel_by_cloid": ("BTC", NAME),
    "bulk_cancel": ([{"coin": "BTC", "oid": 1}],),
    "bulk_cancel_by_cloid": ([{"coin": "BTC", "cloid": NAME}],),
    "schedule_cancel": (None,),
    "update_leverage": (5, "BTC"),
    "update_isolated_margin": (1.0, "BTC"),
    "set_referrer": ("ASDF",),
    "create_sub_account": ("desk",),
    "usd_class_transfer": (1.5, False),
    "send_asset": (TO, "", "spot", "USDC", 1.5),
    "sub_account_transfer": (TO, True, 1_000_000),
    "sub_account_spot_transfer": (TO, True, "USDC", 1.0),
    "vault_usd_transfer": (TO, True, 5_000_000),
    "usd_transfer": (1.0, TO),
    "spot_transfer": (1.0, TO, "USDC"),
    "token_delegate": (TO, 1, False),
    "withdraw_from_bridge": (2.0, TO),
    "approve_agent": ("bot",),
    "approve_builder_fee": (TO, "0.001%"),
    "convert_to_multi_sig_user": ([TO], 1),
    "spot_deploy_register_token": ("HAT", 2, 8, 10**10, "Hat"),
    "spot_deploy_user_genesis": (1, [(TO, "5")], [(1, "5")]),
    "spot_deploy_enable_freeze_privilege": (1,),
    "spot_deploy_freeze_user": (1, TO, True),
    "spot_deploy_revoke_freeze_privilege": (1,),
    "spot_deploy_enable_quote_token": (1,),
    "spot_deploy_token_action_inner": ("enableQuoteToken", 1),
    "spot_deploy_genesis": (1, "1000", True),
    "spot_deploy_register_spot": (1, 0),
    "spot_deploy_register_hyperliquidity": (1, 2.0, 4.0, 100, None),
    "spot_deploy_set_deployer_trading_fee_share": (1, "100%"),
    "perp_deploy_register_asset": ("dex", None, "HAT", 2, "10.0", 10, False, None),
    "perp_deploy_set_oracle": ("dex", {"HAT": "10.0"}, [{"HAT": "10.0"}], {"HAT": "10.0"}),
    "c_signer_unjail_self": (),
    "c_signer_jail_self": (),
    "c_signer_inner": ("jailSelf",),
    "c_validator_register": ("1.2.3.4", "n", "d", False, 1, TO, True, 1),
    "c_validator_change_profile": (None, None, None, True, None, None, None),
    "c_validator_unregister": (),
    "multi_sig": (TO, {"type": "noop"}, [], 1_800_000_000_100),
    "use_big_blocks": (True,),
    "agent_enable_dex_abstraction": (),
    "agent_set_abstraction": ("i",),
    "user_dex_abstraction": (MASTER.address, True),
    "user_set_abstraction": (MASTER.address, "disabled"),
    "noop": (1_800_000_000_200,),
    "gossip_priority_bid": (0, "1.2.3.4", 1),
}
REFUSED = {
    "set_referrer": err("Referral code not registered"),
    "update_isolated_margin": err("Cannot update margin for empty position."),
    "sub_account_transfer": err(f"Invalid sub-account transfer from {address(MASTER)} to {address(OTHER)}"),
    "sub_account_spot_transfer": err(f"Invalid sub-account transfer from {address(MASTER)} to {address(OTHER)}"),
    "vault_usd_transfer": err(NO_VAULT + address(OTHER)),
    "multi_sig": err("Invalid multi-sig outer signer"),
    "gossip_priority_bid": err("Insufficient gas at current auction price."),
}


def test_every_action_of_the_sdk_is_known_here():
    public = {name for name, _ in inspect.getmembers(Exchange, inspect.isfunction) if not name.startswith("_")}
    assert public - {"post"} == set(CALLS)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"set_expires_after", "market_close"}))
def test_the_sdk_is_understood(name, monkeypatch):
    scene = CounterScene(spot=5 * MONEY_UNIT)
    reply = getattr(scene.sdk(monkeypatch), name)(*CALLS[name])
    if name == "approve_agent":
        reply, _ = reply
    if name in REFUSED:
        assert reply == REFUSED[name]
    else:
        assert reply["status"] == "ok", reply
        assert reply["response"]["type"] in {"default", "order", "cancel", "createSubAccount"}


def test_a_round_trip_costs_two_taker_fees(monkeypatch):
    scene = CounterScene()
    exchange = scene.sdk(monkeypatch)
    opened = exchange.market_open("BTC", True, 0.01)["response"]["data"]["statuses"][0]["filled"]
    assert (opened["totalSz"], opened["avgPx"]) == ("0.01", "100001.0")
    exchange.info.post = lambda path, payload: (
        {"assetPositions": [{"position": {"coin": "BTC", "szi": "0.01"}}]}
        if payload["type"] == "clearinghouseState"
        else {"BTC": "100000.5"}
    )
    closed = exchange.market_close("BTC")["response"]["data"]["statuses"][0]["filled"]
    assert closed["avgPx"] == "100000.0"
    fees = 2 * 45 * 100_000 * MONEY_UNIT // 100 // 100_000
    assert not scene.account.positions
    assert abs(scene.account.cash - (CASH - MONEY_UNIT // 100 - fees)) < 10**4


def test_an_agent_made_by_the_sdk_trades_for_its_master(monkeypatch):
    scene = CounterScene()
    reply, secret = scene.sdk(monkeypatch).approve_agent()
    assert reply == DEFAULT
    exchange = scene.sdk(monkeypatch, Wallet.from_key(secret))
    exchange.order("BTC", True, 0.001, 99_000.0, GTC, cloid=NAME)
    assert scene.account.orders[1].client_order_id == NAME.to_raw()
    assert exchange.cancel_by_cloid("BTC", NAME)["response"]["data"]["statuses"] == ["success"]
    assert exchange.usd_transfer(1.0, TO)["response"].startswith("Must deposit before performing actions. User: 0x")


def test_a_sub_account_of_the_sdk_trades_under_its_vault_address(monkeypatch):
    scene = CounterScene()
    exchange = scene.sdk(monkeypatch)
    sub = exchange.create_sub_account("desk")["response"]["data"]
    assert exchange.sub_account_transfer(sub, True, 500_000_000) == DEFAULT
    acting = scene.sdk(monkeypatch, vault=sub)
    assert list(acting.order("BTC", True, 0.001, 99_000.0, GTC)["response"]["data"]["statuses"][0]) == ["resting"]
    assert len(scene.venue.accounts[sub].orders) == 1
    assert acting.usd_class_transfer(1.0, False) == DEFAULT
    assert scene.counter.registry.spot(sub) == MONEY_UNIT
    # The SDK signs these without the vault that it sends along (a strict server recovers somebody else).
    assert acting.set_referrer("X")["response"].startswith("User or API Wallet 0x")


def test_the_deadline_of_the_sdk_is_kept(monkeypatch):
    scene = CounterScene()
    exchange = scene.sdk(monkeypatch)
    exchange.set_expires_after(scene.now_ms + 10_000)
    assert exchange.noop(scene.now_ms + 1) == DEFAULT
    assert exchange.usd_transfer(1.0, TO)["status"] == "err"
    exchange.set_expires_after(scene.now_ms - 1)
    assert exchange.order("BTC", True, 0.001, 99_000.0, GTC) == err("Action already expired")


def test_two_agents_are_not_one(monkeypatch):
    scene = CounterScene()
    assert scene.counter.approve_agent(MASTER.address, AGENT.address, "", scene.now_ns) == ""
    assert scene.counter.approve_agent(OTHER.address, AGENT.address, "", scene.now_ns) == "Extra agent already used."
    assert scene.sdk(monkeypatch, AGENT).order("BTC", True, 0.001, 99_000.0, GTC)["status"] == "ok"
    assert not scene.other.orders
