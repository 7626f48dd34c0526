"""What a bot is given that it should not be given: it says so in one sentence, counts it, and lives on."""

import json
import signal
import time

import pytest
from eth_account import Account as Wallet

from tests.bot_runs import hat
from tests.live.bad_line import HTML, bad_line
from tests.live.wire_scene import ended, ledger_account, ledger_fills, rows, scene, wire_account, wire_fills
from tests.services.venue_process import address, until, wallet

REFUSED = 2
SECONDS = 60
EXPIRES_MS = 1_500
NOBODY = "0x" + "00" * 19 + "07"

BAD_FRAMES = (
    '{"channel":"l2Book","data":{"coin":"BTC","levels":[[{"px":"1',
    "",
    "not json at all",
    '"a text"',
    "[]",
    "[" * 50_000,
    '{"channel":"l2Book"}',
    '{"channel":"trades","data":{"coin":5}}',
    '{"channel":"l2Book","data":{"coin":"NOPE","time":1,"levels":[[],[]]}}',
    '{"channel":"l2Book","data":{"coin":"BTC","time":1,"levels":[[{"px":"-1e99","sz":"1","n":1}],[]]}}',
    '{"channel":"bbo","data":{"coin":"BTC","time":99999999999999999999,"bbo":[null,null]}}',
    '{"channel":"bbo","data":{"coin":"BTC","time":1,"bbo":[{"px":"9' + "9" * 60 + '","sz":"1","n":1},null]}}',
    '{"channel":"userFills","data":{"user":"0x0","fills":[{"coin":"NOPE"}]}}',
    (
        '{"channel":"orderUpdates","data":[{"order":{"coin":"BTC","side":"B","limitPx":"NaN","sz":"1e400","oid":1,'
        '"timestamp":1,"origSz":"1"},"status":"open","statusTimestamp":1}]}'
    ),
    (
        '{"channel":"orderUpdates","data":[{"order":{"coin":"BTC","side":"B","limitPx":"1","sz":"1","oid":1,'
        '"timestamp":1,"origSz":"1"},"status":"neverHeardOf","statusTimestamp":1}]}'
    ),
    '{"channel":"surprise","data":{"x":1}}',
    '{"channel":"post","data":{"id":77,"response":{"type":"action","payload":{"status":"ok"}}}}',
    '{"channel":"error","data":"Something went wrong"}',
    HTML.decode(),
)
BROKEN_SPOT = {"tokens": [], "universe": [{"name": "X/Y", "tokens": [1, 0], "index": 0, "isCanonical": True}]}
BAD_ANSWERS = (
    ("clearinghouseState", 200, b'{"error":"something went wrong"}'),
    ("clearinghouseState", 200, b"null"),
    ("clearinghouseState", 200, HTML),
    ("clearinghouseState", 502, HTML),
    ("userFillsByTime", 200, b'{"error":"something went wrong"}'),
    ("userFunding", 200, b'[{"time":'),
    ("openOrders", 429, b"null"),
    ("orderStatus", 500, b"Internal Server Error"),
    ("spotMeta", 200, json.dumps(BROKEN_SPOT).encode()),
    ("spotMetaAndAssetCtxs", 200, json.dumps([BROKEN_SPOT, []]).encode()),
)


def assert_refused(done, *words):
    """One sentence on standard error, the same as an object on standard output, exit code 2, nothing else."""
    assert done.returncode == REFUSED, (done.returncode, done.stdout, done.stderr)
    sentences = [line for line in done.stderr.splitlines() if line.startswith("hat: ")]
    assert len(sentences) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"error": sentences[0].removeprefix("hat: ")}
    for word in words:
        assert word in sentences[0], sentences[0]


def run(tmp_path, *arguments, **changes):
    keys = {"XDG_STATE_HOME": str(tmp_path / "keys"), **changes}
    return hat("run", "--state-dir", tmp_path / "state", "--port", 0, "--json", "--for", "1s", *arguments, **keys)


KEY = "0x" + "01" * 32


def test_account_that_is_not_configured_is_asked_for(tmp_path):
    assert_refused(run(tmp_path, "--network", "local", HAT_AGENT_KEY=KEY), "network.account", "the address that trades")


def test_mainnet_is_refused_without_its_confirmation(tmp_path):
    config = tmp_path / "hat.toml"
    config.write_text(f'[network]\nname = "mainnet"\naccount = "{NOBODY}"\n')
    assert_refused(run(tmp_path, "--config", config, HAT_AGENT_KEY=KEY), "--confirm-mainnet", "real money")


def test_mainnet_account_on_the_command_line_is_refused(tmp_path):
    done = run(tmp_path, "--network", "mainnet", "--account", NOBODY, "--confirm-mainnet", HAT_AGENT_KEY=KEY)
    assert_refused(done, "--account", "network.account in the configuration")


def test_key_that_is_nowhere_is_asked_for(tmp_path):
    assert_refused(run(tmp_path, "--network", "local", "--account", NOBODY), "HAT_AGENT_KEY")


def test_key_of_the_account_itself_is_refused(tmp_path):
    owner = address(wallet("x"))
    key = "0x" + bytes(wallet("x").key).hex()
    done = run(tmp_path, "--network", "local", "--account", owner, HAT_AGENT_KEY=key)
    assert_refused(done, "allow_master_key")
    assert key[2:] not in done.stdout + done.stderr


def test_venue_that_is_not_there_is_named(tmp_path):
    done = run(
        tmp_path, "--network", "local", "--account", NOBODY, HAT_AGENT_KEY=KEY, HAT_NETWORK__URL="http://127.0.0.1:9"
    )
    assert_refused(done, "http://127.0.0.1:9", "cannot be reached")
    assert not (tmp_path / "state" / "ledger.db").exists()


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with scene(tmp_path_factory.mktemp("venue")) as found:
        yield found


def refused_at(opened, tmp_path, *words, account=None, key=None, **changes):
    done = run(
        tmp_path, "--network", "local", "--account", account or opened.account,
        HAT_AGENT_KEY=key or opened.key, HAT_NETWORK__URL=opened.venue.url, **changes,
    )  # fmt: skip
    assert_refused(done, *words)
    return done


def test_key_that_is_no_agent_of_the_account_is_refused(opened, tmp_path):
    done = refused_at(opened, tmp_path, "network.agent", "an agent that", "acts for nobody", key=KEY)
    assert "01" * 32 not in done.stdout + done.stderr
    # A start that was refused halted nothing.
    assert rows(tmp_path / "state" / "ledger.db", "SELECT kind FROM incidents") == []


def test_agent_as_the_account_is_refused(opened, tmp_path):
    agent = address(wallet("bot"))
    refused_at(opened, tmp_path, "network.account", "an agent's address", account=agent, key=KEY)


def test_account_the_venue_does_not_know_is_refused(opened, tmp_path):
    refused_at(opened, tmp_path, "network.account", NOBODY, "funded account", account=NOBODY)


def test_coin_the_venue_does_not_list_is_refused(opened, tmp_path):
    refused_at(opened, tmp_path, "market.instruments", "NOPE", HAT_MARKET__INSTRUMENTS="BTC,NOPE")


def test_second_process_on_a_key_is_refused_and_the_first_goes_on(tmp_path):
    with scene(tmp_path) as own, own.bot() as first:
        own.trades()
        done = run(
            tmp_path / "second", "--network", "local", "--account", own.account,
            HAT_AGENT_KEY=own.key, HAT_NETWORK__URL=own.venue.url, XDG_STATE_HOME=str(tmp_path / "keys"),
        )  # fmt: skip
        assert_refused(done, str(first.pid))
        first.send_signal(signal.SIGTERM)
        assert ended(first, SECONDS)[0] == 0


def test_agent_that_expired_is_refused(opened, tmp_path):
    until_ms = time.time_ns() // 1_000_000 + EXPIRES_MS
    answer, key = opened.venue.exchange(wallet("trader")).approve_agent(f"short valid_until {until_ms}")
    assert answer["status"] == "ok", answer
    agent = address(Wallet.from_key(key))
    assert opened.info.user_role(agent)["role"] == "agent"
    until(lambda: time.time_ns() // 1_000_000 > until_ms, "the end of the agent")
    refused_at(opened, tmp_path, f"User or API Wallet {agent} does not exist", key=key)


def test_agent_that_is_replaced_while_it_trades_is_told_and_survived(tmp_path):
    with scene(tmp_path) as own, own.bot() as bot:
        own.trades()
        answer, _ = own.venue.exchange(wallet("trader")).approve_agent("bot")
        assert answer["status"] == "ok", answer
        until(lambda: own.rejections("does not exist"), "orders refused for their signature", SECONDS)
        bot.send_signal(signal.SIGTERM)
        code, _, told = ended(bot, 2 * SECONDS)
        assert "Traceback" not in told
        # Cancels are refused as well: what rests is told, never hidden.
        assert (code, own.open_orders() > 0) in {(0, False), (3, True)}, told
        assert code == 0 or "orders may still rest" in told


def test_venue_that_goes_away_is_told_and_the_stop_is_bounded(tmp_path):
    with scene(tmp_path) as own, own.bot() as bot:
        own.trades()
        own.venue.process.send_signal(signal.SIGTERM)
        own.venue.process.wait(SECONDS)
        until(lambda: own.skipped("feed_lost"), "the loss in the log", SECONDS)
        assert bot.poll() is None
        bot.send_signal(signal.SIGTERM)
        code, _, told = ended(bot, 2 * SECONDS)
        assert "Traceback" not in told
        assert (code, "orders may still rest at the venue" in told) in {(0, False), (3, True)}, told
        assert own.offline("ledger", "verify").returncode == 0


@pytest.mark.timeout(180)
def test_nonsense_on_the_line_is_counted_and_the_books_stay_equal(tmp_path):
    with scene(tmp_path) as own, bad_line(own.venue.url, BAD_FRAMES) as line:
        with own.bot("25s", HAT_NETWORK__URL=line.url) as bot:
            own.trades()
            line.bad_answers += BAD_ANSWERS
            code, summary, told = ended(bot, 2 * SECONDS)
        assert code == 0, told
        assert not line.bad_frames, "not every bad frame was sent"
        session, trader = summary["wire"]["session"], summary["wire"]["trader"]
        print(json.dumps(summary["wire"]))
        assert session["malformed"] >= 5
        assert trader["malformed"] + trader["refused_data"] >= 3
        assert trader["unknown_channels"] == {"surprise": 1}
        assert trader["unknown_statuses"] == {} or set(trader["unknown_statuses"]) == {"neverHeardOf"}
        assert trader["gaps_closed"] >= 2
        assert ledger_fills(own) == wire_fills(own)
        cash, positions, value, marks = wire_account(own)
        assert ledger_account(own, marks) == (cash, positions, value)
        assert own.open_orders() == 0
