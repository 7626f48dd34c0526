"""`hat doctor` on key, agent and account: each thing that can be wrong, with its exact line and fix."""

import json
import os

import pytest

from bot.findings import exit_code, shape
from exchange.hyperliquid.lease import Lease
from tests.asked_venue import ACCOUNT, AGENT, AGENT_KEY, DAY_MS, MASTER, clearing, position
from tests.doctor_scene import doctor_scene, line


@pytest.fixture
def examined(tmp_path, monkeypatch):
    with doctor_scene(tmp_path, monkeypatch) as scene:
        yield scene


@pytest.fixture
def venue(examined):
    return examined.venue


def test_key_nowhere_fails_and_the_agent_is_skipped(examined, tmp_path):
    found = examined(environ={"XDG_STATE_HOME": str(tmp_path)})
    assert (
        "failed",
        "the agent's key = 'nowhere'",
        "Give one place: HAT_AGENT_KEY in the environment, network.key_file or network.keystore.",
    ) == line(found["key"])
    assert ("skipped", "not checked: there is no usable key", "") == line(found["agent"])


def test_key_file_that_others_may_read_is_told_with_its_chmod(examined, tmp_path):
    path = tmp_path / "agent.key"
    path.write_text(AGENT_KEY)
    path.chmod(0o644)
    found = examined(environ={"XDG_STATE_HOME": str(tmp_path)}, network={"key_file": str(path)})
    assert ("failed", f"{path} has mode -rw-r--r--: others may read the key", f"chmod 600 {path}") == line(
        found["key file"]
    )
    assert "failed" == found["key"].verdict
    path.chmod(0o600)
    found = examined(environ={"XDG_STATE_HOME": str(tmp_path)}, network={"key_file": str(path)})
    assert ("ok", f"{path}, mode -rw-------", "") == line(found["key file"])
    assert "ok" == found["agent"].verdict


def test_key_written_where_its_file_belongs_is_not_repeated(examined, tmp_path):
    examined(environ={"XDG_STATE_HOME": str(tmp_path)}, network={"key_file": AGENT_KEY})
    assert AGENT_KEY.removeprefix("0x") not in json.dumps(shape(examined.findings))


@pytest.mark.parametrize(("allowed", "verdict"), [(False, "failed"), (True, "warning")])
def test_master_key_is_told(examined, venue, allowed, verdict):
    venue.answers["userRole"] = lambda _: {"role": "user"}
    found = examined(network={"account": AGENT, "allow_master_key": allowed})
    assert (
        verdict,
        f"{AGENT} is the account's own master key: it can withdraw everything",
        "Approve an agent (API wallet) on the venue's API page and use its key.",
    ) == line(found["agent"])


def test_master_key_for_a_sub_account_is_told(examined, venue):
    venue.answers["userRole"] = lambda _: {"role": "subAccount", "data": {"master": AGENT}}
    found = examined()
    assert f"{ACCOUNT}, a sub-account of {AGENT}" == found["account"].found
    assert (
        "failed",
        f"{AGENT} is the master key of this sub-account: it can withdraw everything",
        "Approve an agent (API wallet) on the venue's API page and use its key.",
    ) == line(found["agent"])


def test_agent_of_a_sub_account_is_the_masters(examined, venue):
    def role(body):
        if body["user"] == AGENT:
            return {"role": "agent", "data": {"user": MASTER}}
        return {"role": "subAccount", "data": {"master": MASTER.upper().replace("X", "x")}}

    venue.answers["userRole"] = role
    assert "ok" == examined()["agent"].verdict
    assert {"type": "extraAgents", "user": MASTER} in venue.asked


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ({"role": "missing"}, "is nobody's agent (role 'missing')"),
        ({"role": "user"}, "is nobody's agent (role 'user')"),
        ({"role": "agent", "data": {"user": MASTER}}, f"acts for {MASTER}"),
    ],
)
def test_key_that_may_not_trade_for_the_account_fails(examined, venue, role, said):
    venue.answers["userRole"] = lambda body: role if body["user"] == AGENT else {"role": "user"}
    assert (
        "failed",
        f"{AGENT} {said}, not for {ACCOUNT}",
        f"Approve {AGENT} as an agent (API wallet) of {ACCOUNT} on the venue's API page, or use the right key.",
    ) == line(examined()["agent"])


@pytest.mark.parametrize(
    ("days", "verdict", "said"),
    [(3.5, "warning", "named 'bot', 3.5 days left"), (-2, "failed", "named 'bot', expired 2.0 days ago")],
)
def test_agent_that_ends_soon_or_has_ended_is_told(examined, venue, days, verdict, said):
    until = venue.now_ms() + int(days * DAY_MS) + 60_000
    venue.answers["extraAgents"] = lambda _: [
        {"name": "bot", "address": AGENT.upper().replace("X", "x"), "validUntil": until}
    ]
    found = examined()["agent"]
    assert (
        verdict,
        f"{AGENT} trades for {ACCOUNT}, {said}",
        "Approve a new agent on the venue's API page and use its key.",
    ) == line(found)


def test_unnamed_agent_is_not_listed_and_its_end_is_asked_elsewhere(examined, venue):
    venue.answers["extraAgents"] = lambda _: []
    assert (
        f"{AGENT} trades for {ACCOUNT}, the unnamed agent; the venue does not say until when"
        == examined()["agent"].found
    )
    venue.answers["webData2"] = lambda _: {"agentAddress": AGENT, "agentValidUntil": venue.now_ms() + 30 * DAY_MS}
    assert f"{AGENT} trades for {ACCOUNT}, the unnamed agent, 30.0 days left" == examined()["agent"].found


def test_lease_of_another_process_and_damaged_nonces_fail(examined, tmp_path):
    folder = tmp_path / "hat" / "keys"
    folder.mkdir(parents=True)
    (folder / f"{AGENT}.nonces").write_text("nonsense")
    with Lease(folder, AGENT):
        found = examined()
    assert ("failed", f"the key of {AGENT} is in use or cannot be locked") == line(found["lease"])[:2]
    assert f"process {os.getpid()} does" in found["lease"].fix
    assert "failed" == found["nonces"].verdict
    assert "the nonces already used are unknown" in found["nonces"].found
    assert "ok" == examined()["lease"].verdict


@pytest.mark.parametrize(
    ("role", "found", "fix"),
    [
        (
            {"role": "missing"},
            f"the venue has never seen {ACCOUNT}",
            "Deposit USDC to it first, or correct network.account and network.name.",
        ),
        (
            {"role": "agent", "data": {"user": MASTER}},
            f"{ACCOUNT} is an agent's address: it holds nothing",
            f"Set network.account to the account it trades for: {MASTER}.",
        ),
        (
            {"role": "vault"},
            f"{ACCOUNT} is of role 'vault'",
            "Set network.account to a master account or a sub-account.",
        ),
    ],
)
def test_account_that_cannot_trade_fails(examined, venue, role, found, fix):
    venue.answers["userRole"] = lambda _: role
    assert ("failed", found, fix) == line(examined()["account"])


def test_account_that_is_not_configured_fails_and_instruments_are_still_checked(examined):
    found = examined(network={"account": ""})
    assert ("failed", "network.account is not set") == line(found["account"])[:2]
    assert "skipped" == found["balance"].verdict
    assert "ok" == found["BTC"].verdict
    assert "BTC leverage" not in found


def test_one_purse_is_told_with_what_lies_in_it(examined, venue):
    venue.answers["userAbstraction"] = lambda _: "unifiedAccount"
    venue.answers["spotClearinghouseState"] = lambda _: {"balances": [{"coin": "USDC", "total": "12.5", "hold": "0.0"}]}
    assert (
        "warning",
        "unifiedAccount: one purse for spot and perpetuals, 12.5 USDC on the spot side",
        "Switch the account to separate purses on the venue's page: perpetual balances alone say little here.",
    ) == line(examined()["account mode"])


def test_empty_account_is_told_where_its_money_lies(examined, venue):
    venue.answers["clearinghouseState"] = lambda _: clearing("0.0", "0.0", "0.0")
    assert ("failed", "account value 0 USDC: no order would pass", "Deposit USDC.") == line(examined()["balance"])
    venue.answers["spotClearinghouseState"] = lambda _: {"balances": [{"coin": "USDC", "total": "99.0", "hold": "0.0"}]}
    assert "Move USDC to the perpetuals side: 99 lie on the spot side." == examined()["balance"].fix


def test_margin_that_would_stop_the_bot_at_once_fails(examined, venue):
    venue.answers["clearinghouseState"] = lambda _: clearing("1000.0", "0.0", "600.0")
    assert (
        "failed",
        "account value 1000 USDC, 0 withdrawable, maintenance margin 60.0 % of the cross value",
        "Deposit USDC or close positions: the kill switch would engage at once.",
    ) == line(examined()["balance"])


def test_positions_and_orders_that_are_there_are_told(examined, venue):
    venue.answers["clearinghouseState"] = lambda _: clearing(
        positions=[position("BTC", "0.01"), position("DOGE", "-5.0")]
    )
    venue.answers["openOrders"] = lambda _: [
        {"coin": "BTC", "side": "B", "limitPx": "90000.0", "sz": "0.1", "oid": 1, "timestamp": 1}
    ]
    found = examined()
    assert (
        "warning",
        "2 open: BTC 0.01, DOGE -5.0",
        "Close DOGE or add it to market.instruments: the bot does not manage what it does not trade.",
    ) == line(found["positions"])
    assert (
        "warning",
        "1 open: buy 0.1 BTC at 90000.0",
        "Cancel them on the venue's page unless they are meant: they fill beside the bot's own.",
    ) == line(found["open orders"])
    assert 1 == exit_code(examined.findings)


@pytest.mark.parametrize(
    ("used", "verdict", "said"),
    [
        (9_500, "warning", "500 requests left (9,500 used of 10,000)"),
        (10_001, "failed", "0 requests left (10,001 used of 10,000): one action per 10 s"),
    ],
)
def test_rate_budget_that_is_nearly_or_wholly_spent_is_told(examined, venue, used, verdict, said):
    venue.answers["userRateLimit"] = lambda _: {"cumVlm": "0.0", "nRequestsUsed": used, "nRequestsCap": 10_000}
    assert (
        verdict,
        said,
        "Trade volume earns one request per USDC; reserveRequestWeight buys them; fewer quotes need fewer.",
    ) == line(examined()["rate budget"])
