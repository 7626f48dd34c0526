"""`hat doctor`, `hat check connectivity` and `hat record` against a real `hat venue` in a process of its own."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backtest.importers.layouts import load
from domain.events import BookChanged, MarkChanged, TopOfBookChanged, TradePrinted
from tests.asked_venue import ACCOUNT, AGENT, AGENT_KEY, asked
from tests.bot_runs import hat, started_hat

ACCOUNTS = f"""
[[account]]
address = "{ACCOUNT}"
usdc = "10000"

[[account.agent]]
address = "{AGENT}"
name = "bot"
"""


@contextmanager
def running_venue(*arguments: object) -> Iterator[str]:
    """Run `hat venue` on a free port; give its URL."""
    with started_hat("venue", "--port", 0, "--json", *arguments) as running:
        try:
            told = running.stdout.readline()
            assert told, running.stderr.read()
            yield json.loads(told)["url"]
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=30)


@pytest.fixture
def url(tmp_path):
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(ACCOUNTS)
    with running_venue("--accounts", accounts, "--coins", "BTC,SOL") as url:
        yield url


@pytest.fixture
def settings(url, tmp_path):
    return {
        "HAT_NETWORK__NAME": "local",
        "HAT_NETWORK__URL": url,
        "HAT_NETWORK__ACCOUNT": ACCOUNT,
        "HAT_MARKET__INSTRUMENTS": "BTC,SOL",
        "HAT_MONITORING__PORT": "0",
        "HAT_BOT__STATE_DIR": str(tmp_path / "state"),
        "XDG_STATE_HOME": str(tmp_path),
    }


def test_agent_of_a_funded_account_is_found_well(settings):
    code, out, err = asked("doctor", "--json", **settings, HAT_AGENT_KEY=AGENT_KEY)
    found = {one["name"]: one for one in json.loads(out)["checks"]}
    assert (0, "", {"ok"}) == (code, err, {one["verdict"] for one in found.values()}), out
    assert f"{AGENT} trades for {ACCOUNT}, named 'bot', " in found["agent"]["found"]
    assert found["balance"]["found"].startswith("account value 10000 USDC, 10000 withdrawable")
    assert found["network"]["found"].startswith(f"local, {settings['HAT_NETWORK__URL']} answers in ")


def test_key_of_nobody_fails_and_the_way_is_healthy(settings):
    code, out, _ = asked("doctor", "--json", **settings, HAT_AGENT_KEY="0x" + "02" * 32)
    found = {one["name"]: one for one in json.loads(out)["checks"]}
    assert (2, "failed") == (code, found["agent"]["verdict"])
    assert "is nobody's agent (role 'missing'), not for" in found["agent"]["found"]
    code, out, _ = asked("check", "connectivity", "--json", **settings)
    assert (0, "healthy") == (code, json.loads(out)["status"]), out


def test_recording_holds_books_trades_and_marks_and_is_traded_on(settings, tmp_path):
    folder = tmp_path / "recording"
    code, out, err = asked("record", "--for", "5s", "--out", folder, "--user", ACCOUNT, "--json", **settings)
    assert (0, "") == (code, err)
    summary = json.loads(out)
    assert (["BTC", "SOL"], 0) == (summary["coins"], summary["gaps"])
    assert {"l2Book", "bbo", "trades", "activeAssetCtx", "userFills"} <= set(summary["channels"])
    recording = load(folder, "BTC")
    assert {BookChanged, TopOfBookChanged, TradePrinted, MarkChanged} <= {type(one) for one in recording.events}
    assert [] == recording.notes
    done = hat("backtest", folder, "--coin", "BTC", "--json", "--state-dir", tmp_path / "state")
    assert 0 == done.returncode, done.stderr
    assert json.loads(done.stdout)["events"] > 50
