"""The official SDK, unmodified, against `hat venue`: leverage, margin, transfers, sub-accounts, agents, referrals."""

import time

import pytest
from eth_account import Account as Wallet
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.signing import sign_l1_action, sign_multi_sig_l1_action_payload

from tests.services.venue_process import accounts_file, address, running_venue, wallet

GTC, IOC, ALO = ({"limit": {"tif": tif}} for tif in ("Gtc", "Ioc", "Alo"))
DEFAULT = {"status": "ok", "response": {"type": "default"}}
NOBODY = "0x" + "12" * 20
PRICE = 100_000.0


def err(text):
    return {"status": "err", "response": text}


def one(reply):
    assert reply["status"] == "ok", reply
    (status,) = reply["response"]["data"]["statuses"]
    return status


def request(price, *, is_buy=True, size=10.0, kind=ALO):
    return {"coin": "BTC", "is_buy": is_buy, "sz": size, "limit_px": price, "order_type": kind, "reduce_only": False}


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    accounts = accounts_file(
        tmp_path_factory.mktemp("venue"), "maker", "desk", usdc="100000000", agents={"desk": "bot"}
    )
    with running_venue("--market", "participants", "--coins", "BTC,ETH", "--no-limits", "--accounts", accounts) as one:
        one.control("price", coin="BTC", oracle="100000", mark="100000")
        maker = one.exchange(wallet("maker"))
        maker.bulk_orders([request(PRICE - 100), request(PRICE + 100, is_buy=False)])
        yield one


@pytest.fixture
def trader(venue):
    return venue.exchange(venue.funded())


def state(exchange, owner=None):
    return exchange.info.user_state(owner or exchange.wallet.address)


def value(exchange, owner=None):
    return float(state(exchange, owner)["marginSummary"]["accountValue"])


def spot(exchange, owner=None):
    balances = exchange.info.spot_user_state(owner or exchange.wallet.address)["balances"]
    return next((float(row["total"]) for row in balances if row["coin"] == "USDC"), 0.0)


def position(exchange):
    (row,) = state(exchange)["assetPositions"]
    return row["position"]


def with_volume(venue, dollars=120_000):
    """Return the SDK of an account that has traded so much."""
    trader, other = venue.exchange(venue.funded("10000000")), venue.exchange(venue.funded("10000000"))
    size = dollars / PRICE
    assert "resting" in one(other.order("BTC", False, size, PRICE, ALO))
    assert one(trader.order("BTC", True, size, PRICE, IOC))["filled"]["avgPx"] == "100000.0"
    return trader


def test_the_constructors_work_in_every_form(venue):
    meta, spot_meta = venue.info().meta(), venue.info().spot_meta()
    for options in (
        {"skip_ws": True},
        {"skip_ws": False},
        {"perp_dexs": [""]},
        {"meta": meta, "spot_meta": spot_meta},
        {"timeout": 5.0},
    ):
        info = venue.info(**options)
        assert info.name_to_asset("BTC") == 0
        assert info.coin_to_asset == {"BTC": 0, "ETH": 1}
        if not options.get("skip_ws", True):
            venue.hang_up(info)
    for options in ({}, {"meta": meta, "spot_meta": spot_meta}, {"perp_dexs": [""]}, {"timeout": 5.0}):
        exchange = venue.exchange(wallet("maker"), **options)
        assert isinstance(exchange.info, Info)
        assert exchange.info.asset_to_sz_decimals[0] == 5


def test_leverage_and_its_kind_are_set(trader):
    assert trader.update_leverage(7, "BTC") == DEFAULT
    assert trader.update_leverage(3, "ETH", is_cross=False) == DEFAULT
    asked = {"type": "activeAssetData", "user": trader.wallet.address}
    assert trader.info.post("/info", {**asked, "coin": "BTC"})["leverage"] == {"type": "cross", "value": 7}
    isolated = trader.info.post("/info", {**asked, "coin": "ETH"})["leverage"]
    assert (isolated["type"], isolated["value"]) == ("isolated", 3)
    assert trader.update_leverage(1_000, "BTC") == err("Invalid leverage value")
    trader.market_open("BTC", True, 0.01)
    assert position(trader)["leverage"] == {"type": "cross", "value": 7}
    assert trader.update_leverage(7, "BTC", is_cross=False) == err("Cannot switch leverage type with open position.")


def test_isolated_margin_moves_with_the_position(trader):
    assert trader.update_leverage(10, "BTC", is_cross=False) == DEFAULT
    assert trader.update_isolated_margin(5.0, "BTC") == err("Cannot update margin for empty position.")
    trader.market_open("BTC", True, 0.1)
    before = position(trader)
    assert before["leverage"]["type"] == "isolated"
    assert trader.update_isolated_margin(100.0, "BTC") == DEFAULT
    after = position(trader)
    assert float(after["marginUsed"]) - float(before["marginUsed"]) == pytest.approx(100.0)
    assert float(after["liquidationPx"]) < float(before["liquidationPx"])
    assert trader.update_isolated_margin(-50.0, "BTC") == DEFAULT
    refused = trader.update_isolated_margin(-1_000_000.0, "BTC")
    assert refused == err("Position does not have sufficient margin for reduction.")


def test_money_goes_from_account_to_account(venue, trader):
    other = venue.funded("100")
    assert trader.usd_transfer(250.5, other.address) == DEFAULT
    assert (value(trader), value(trader, other.address)) == (999_749.5, 350.5)
    refused = trader.usd_transfer(10_000_000.0, other.address)
    assert refused == err("Insufficient balance for withdrawal")
    (update, *_) = [
        row["delta"]
        for row in trader.info.user_non_funding_ledger_updates(other.address, 0)
        if row["delta"]["type"] == "internalTransfer"
    ]
    assert (update["usdc"], update["user"], update["destination"]) == ("250.5", address(trader.wallet), address(other))


def test_an_expiry_is_not_for_actions_a_wallet_signs_itself(trader):
    trader.set_expires_after(int(time.time() * 1000) + 60_000)
    refused = trader.usd_transfer(1.0, NOBODY)
    assert refused["status"] == "err"
    trader.set_expires_after(None)
    assert trader.usd_transfer(1.0, NOBODY) == DEFAULT


def test_money_goes_to_spot_and_back_and_out(venue, trader):
    other = venue.funded("100").address
    assert trader.usd_class_transfer(400.0, to_perp=False) == DEFAULT
    assert (value(trader), spot(trader)) == (999_600.0, 400.0)
    assert trader.usd_class_transfer(100.0, to_perp=True) == DEFAULT
    assert trader.spot_transfer(50.0, other, "USDC") == DEFAULT
    assert trader.send_asset(other, "spot", "spot", "USDC", 25.0) == DEFAULT
    assert trader.send_asset(other, "", "", "USDC", 5.0) == DEFAULT
    assert (value(trader), spot(trader)) == (999_695.0, 225.0)
    assert (value(trader, other), spot(trader, other)) == (105.0, 75.0)
    assert trader.spot_transfer(5_000.0, other, "USDC") == err("Insufficient balance for token transfer")
    assert trader.withdraw_from_bridge(100.0, other) == DEFAULT
    assert value(trader) == 999_595.0


def test_a_sub_account_is_made_and_trades(venue, trader):
    refused = trader.create_sub_account("early")["response"]
    assert refused == "Cannot create sub-accounts until enough volume traded. Required: $100000. Traded: $0."
    master = with_volume(venue)
    reply = master.create_sub_account("desk")
    assert reply["response"]["type"] == "createSubAccount"
    sub = reply["response"]["data"]
    assert master.sub_account_transfer(sub, True, 5_000_000_000) == DEFAULT
    assert value(master, sub) == 5_000.0
    assert master.sub_account_transfer(sub, False, 1_000_000_000) == DEFAULT
    assert master.usd_class_transfer(10.0, to_perp=False) == DEFAULT
    assert master.sub_account_spot_transfer(sub, True, "USDC", 4.0) == DEFAULT
    assert (value(master, sub), spot(master, sub)) == (4_000.0, 4.0)
    acting = venue.exchange(master.wallet, vault_address=sub)
    assert one(acting.market_open("BTC", True, 0.01))["filled"]["totalSz"] == "0.01"
    assert one(acting.market_close("BTC"))["filled"]["totalSz"] == "0.01"
    assert acting.usd_class_transfer(1.0, to_perp=False) == DEFAULT
    (row,) = master.info.query_sub_accounts(master.wallet.address)
    assert (row["name"], row["subAccountUser"], row["master"]) == ("desk", sub, address(master.wallet))
    assert master.info.user_role(sub) == {"role": "subAccount", "data": {"master": address(master.wallet)}}
    strange = venue.exchange(venue.funded(), vault_address=sub).market_open("BTC", True, 0.01)
    assert strange["status"] == "err"


@pytest.mark.parametrize("name", [None, "bot"])
def test_an_agent_trades_for_its_master(venue, trader, name):
    reply, secret = trader.approve_agent(name)
    assert reply == DEFAULT
    agent = Wallet.from_key(secret)
    acting = venue.exchange(agent, account_address=trader.wallet.address)
    assert one(acting.market_open("BTC", True, 0.01))["filled"]["avgPx"] == "100100.0"
    assert position(trader)["szi"] == "0.01"
    assert one(acting.market_close("BTC"))["filled"]["totalSz"] == "0.01"
    assert acting.info.user_role(agent.address) == {"role": "agent", "data": {"user": address(trader.wallet)}}
    listed = [(row["name"], row["address"]) for row in trader.info.extra_agents(trader.wallet.address)]
    assert listed == ([] if name is None else [(name, address(agent))])
    refused = acting.usd_transfer(1.0, NOBODY)
    assert refused == err(f"Must deposit before performing actions. User: {address(agent)}")


def test_an_agent_of_the_accounts_file_trades_at_once(venue):
    acting = venue.exchange(wallet("bot"), account_address=wallet("desk").address)
    assert one(acting.market_open("BTC", True, 0.01))["filled"]["totalSz"] == "0.01"
    assert one(acting.market_close("BTC"))["filled"]["totalSz"] == "0.01"


def test_a_stranger_is_told_his_address(venue):
    nobody = wallet("nobody at all")
    refused = venue.exchange(nobody).order("BTC", True, 0.01, 99_000.0, GTC)
    assert refused == err(f"User or API Wallet {address(nobody)} does not exist.")


def test_a_signature_of_the_other_network_is_not_taken(venue, trader):
    action = {"type": "noop"}
    nonce = int(time.time() * 1000)
    signature = sign_l1_action(trader.wallet, action, None, nonce, None, True)
    refused = trader.post("/exchange", {"action": action, "nonce": nonce, "signature": signature})
    assert refused["status"] == "err"
    assert refused["response"].startswith("User or API Wallet 0x")


def test_referrers_need_a_code_that_exists(venue, trader):
    assert trader.set_referrer("NOBODYS") == err("Referral code not registered")
    referrer = with_volume(venue)
    nonce = int(time.time() * 1000)
    action = {"type": "registerReferrer", "code": "HATTERS"}
    signature = sign_l1_action(referrer.wallet, action, None, nonce, None, False)
    assert referrer.post("/exchange", {"action": action, "nonce": nonce, "signature": signature}) == DEFAULT
    assert trader.set_referrer("HATTERS") == DEFAULT
    found = trader.info.query_referral_state(trader.wallet.address)["referredBy"]
    assert (found["code"], found["referrer"]) == ("HATTERS", address(referrer.wallet))


def test_account_modes_are_remembered(trader):
    owner = trader.wallet.address
    assert trader.info.query_user_abstraction_state(owner) == "default"
    assert trader.user_dex_abstraction(owner, True) == DEFAULT
    assert trader.info.query_user_dex_abstraction_state(owner) is True
    assert trader.user_set_abstraction(owner, "disabled") == DEFAULT
    assert trader.info.query_user_abstraction_state(owner) == "disabled"
    assert trader.agent_enable_dex_abstraction() == DEFAULT
    assert trader.agent_set_abstraction("i") == DEFAULT


def test_several_signers_act_together(venue, trader):
    signers = [venue.funded("100"), venue.funded("100")]
    owner = trader.wallet.address
    assert trader.convert_to_multi_sig_user([one.address for one in signers], 2) == DEFAULT
    told = trader.info.query_user_to_multi_sig_signers(owner)
    assert sorted(told["authorizedUsers"]) == sorted(address(one) for one in signers)
    assert told["threshold"] == 2
    refused = trader.update_leverage(5, "BTC")
    assert refused == err("Multi-sig required")
    acting = venue.exchange(signers[0])
    nonce = int(time.time() * 1000)
    action = {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5}
    signatures = [
        sign_multi_sig_l1_action_payload(each, action, False, None, nonce, None, owner, signers[0].address)
        for each in signers
    ]
    assert acting.multi_sig(owner, action, signatures, nonce) == DEFAULT
    asked = {"type": "activeAssetData", "user": owner, "coin": "BTC"}
    assert trader.info.post("/info", asked)["leverage"]["value"] == 5
    short = acting.multi_sig(owner, action, signatures[:1], nonce + 1)
    assert short["status"] == "err"


def test_big_blocks_staking_and_bids_are_answered(trader):
    assert trader.use_big_blocks(True) == DEFAULT
    assert trader.token_delegate(NOBODY, 1, False) == DEFAULT
    assert trader.gossip_priority_bid(0, "1.2.3.4", 1) == err("Insufficient gas at current auction price.")
    refused = trader.vault_usd_transfer(NOBODY, True, 5_000_000)
    assert refused == err(f"Vault not registered: {NOBODY}")


LISTING = {
    "spot_deploy_register_token": ("HAT", 2, 8, 10**10, "Hat"),
    "spot_deploy_user_genesis": (1, [(NOBODY, "5")], [(1, "5")]),
    "spot_deploy_enable_freeze_privilege": (1,),
    "spot_deploy_freeze_user": (1, NOBODY, True),
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
    "c_validator_register": ("1.2.3.4", "n", "d", False, 1, NOBODY, True, 1),
    "c_validator_change_profile": (None, None, None, True, None, None, None),
    "c_validator_unregister": (),
}
"""Listing of markets and running of validators: there is nothing of it here, the plain answer is all they get."""


def test_listing_and_validators_get_the_plain_answer(trader):
    assert issubclass(type(trader), Exchange)
    for name, arguments in LISTING.items():
        reply = getattr(trader, name)(*arguments)
        assert reply["status"] == "ok", (name, reply)
