"""`hat venue` from the outside: what it prints, plays and refuses, and how it ends; the README's example."""

import json
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests
from eth_account import Account as Wallet

from bot.clock import now_ns
from bot.venue_process import COINS, VenueWishes, serve
from domain.errors import ConfigInvalid, DataInvalid
from tests.bot_runs import ROOT, environment, hat, started_hat, write_recording
from tests.services.venue_process import END_SECONDS, running_venue

ADDRESS = "0x" + "5e" * 20
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
WISHES = VenueWishes(
    host="127.0.0.1", port=0, market="synthetic", coins=(), speed=1, seed=1, accounts=None, demo=False, misfortune=None,
    log=None, limits=True, trusted="", for_ns=1,
)  # fmt: skip


def opened(**wishes):
    """Open and close a venue in this process; return what it printed when ready, and what it said besides."""
    shapes, said = [], []
    changed = {name: getattr(WISHES, name) for name in WISHES.__struct_fields__} | wishes
    serve(VenueWishes(**changed), now_ns, shapes.append, said.append)
    (shape,) = shapes
    return shape, said


def question(url, kind, **fields):
    with requests.post(f"{url}/info", json={"type": kind, **fields}, timeout=10) as answer:
        assert answer.status_code == 200, answer.text
        return answer.json()


def python_of(page):
    """Return the one Python example of a page."""
    (example,) = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    return example


def test_demo_prints_one_line_of_json_and_the_same_seed_gives_the_same_key():
    runs = [hat("venue", "--demo", "--port", 0, "--for", "200ms", "--seed", seed) for seed in (7, 7, 8)]
    assert [0, 0, 0] == [run.returncode for run in runs], [run.stderr for run in runs]
    first, again, other = (json.loads(run.stdout) for run in runs)
    assert ["url", "account", "secret_key"] == list(first)
    assert first["account"] == Wallet.from_key(first["secret_key"]).address.lower()
    assert first["secret_key"] == again["secret_key"] != other["secret_key"]
    assert re.fullmatch(r"hat venue: http://127\.0\.0\.1:\d+, market synthetic, Ctrl-C closes it\n", runs[0].stderr)


def test_plain_venue_prints_nothing_but_where_it_is_and_json_says_it_in_an_object():
    plain = hat("venue", "--port", 0, "--for", "200ms")
    assert (0, "") == (plain.returncode, plain.stdout)
    told = json.loads(hat("venue", "--port", 0, "--for", "200ms", "--json").stdout)
    assert ["url"] == list(told)


@pytest.mark.parametrize("page", ["README.md", "docs/VENUE.md"])
def test_example_of_the_official_sdk_runs_as_printed(tmp_path, page):
    with running_venue("--demo") as venue:
        demo = {"url": venue.url, "account": venue.account, "secret_key": venue.secret_key}
        (tmp_path / "demo.json").write_text(json.dumps(demo))
        done = subprocess.run(
            [sys.executable, "-c", python_of(page)],
            cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        opened_line, held, closed = done.stdout.splitlines()
        assert "'totalSz': '0.01'" in opened_line
        assert "'szi': '0.01'" in held
        assert "'totalSz': '0.01'" in closed
        assert [] == question(venue.url, "clearinghouseState", user=venue.account)["assetPositions"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_closes_the_venue_in_time_with_a_socket_open(number):
    process = started_hat("venue", "--port", "0", "--json")
    port = int(json.loads(process.stdout.readline())["url"].rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=END_SECONDS) as wire:
        wire.sendall(HANDSHAKE)
        assert wire.recv(12) == b"HTTP/1.1 101"
        began = time.monotonic()
        process.send_signal(number)
        _, told = process.communicate(timeout=END_SECONDS)
        assert time.monotonic() - began < 3
    assert (0, False) == (process.returncode, "Traceback" in told)


def test_port_that_is_taken_is_refused_in_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = hat("venue", "--port", port, "--json")
    assert 2 == done.returncode
    assert done.stderr.startswith(f"hat: --port = '127.0.0.1:{port}'")
    assert "0 takes any free one" in done.stderr
    assert "error" in json.loads(done.stdout)


def test_help_names_every_option():
    text = hat("venue", "--help").stdout
    for option in ("--port", "--market", "--coins", "--speed", "--seed", "--accounts", "--demo", "--misfortune", "--log",
                   "--no-limits", "--trust", "--for", "--json"):  # fmt: skip
        assert option in text


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"coins": ("BTC", "MOON")}, "--coins = 'MOON'"),
        ({"coins": ("BTC", "BTC")}, "every coin once"),
        ({"market": "nowhere"}, "--market = 'nowhere'"),
        ({"speed": 2.0}, "--speed"),
        ({"market": "participants", "speed": 0.0}, "--speed"),
        ({"trusted": "me"}, "--trust = 'me'"),
        ({"seed": -1, "market": "participants"}, "--seed"),
        ({"port": -1}, "0 to 65535"),
        ({"host": "192.0.2.1"}, "192.0.2.1:0"),
    ],
)
def test_wish_that_cannot_be_is_refused_in_one_sentence(wishes, said):
    with pytest.raises(ConfigInvalid) as refused:
        opened(**wishes)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("option", "content", "said"),
    [
        ("accounts", '[[account]]\naddress = "bob"', "40 hex digits"),
        ("accounts", "[[account", "--accounts"),
        ("misfortune", "silent = 2000000", "misfortune.silent"),
        ("misfortune", "sometimes = 1", "sometimes"),
        ("misfortune", "silent =", "TOML"),
    ],
)
def test_file_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, option, content, said):
    place = tmp_path / "file.toml"
    place.write_text(content)
    with pytest.raises((ConfigInvalid, DataInvalid)) as refused:
        opened(**{option: place})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_demo_account_may_stand_in_the_file_too(tmp_path):
    shape, _ = opened(demo=True)
    place = tmp_path / "accounts.toml"
    place.write_text(f'[[account]]\naddress = "{shape["account"]}"\nusdc = "5"\n')
    with running_venue("--demo", "--accounts", place) as venue:
        state = question(venue.url, "clearinghouseState", user=venue.account)
    assert (shape["account"], "5.0") == (venue.account, state["marginSummary"]["accountValue"])


def test_market_of_participants_opens_with_prices():
    with running_venue("--market", "participants", "--coins", "ETH,BTC") as venue:
        meta, contexts = question(venue.url, "metaAndAssetCtxs")
    assert ["ETH", "BTC"] == [one["name"] for one in meta["universe"]]
    assert ["4300.0", "110000.0"] == [one["oraclePx"] for one in contexts]


def test_listing_follows_the_order_asked_for_and_is_usual_unless_told():
    with running_venue() as venue:
        assert list(COINS) == [one["name"] for one in question(venue.url, "meta")["universe"]]


def test_recording_is_played_with_the_coins_asked_for(tmp_path):
    write_recording(tmp_path / "data", "SOL", events=400)
    write_recording(tmp_path / "data", "ETH", events=400)
    with running_venue("--market", tmp_path / "data", "--coins", "SOL,ETH", "--speed", "100", "--demo") as venue:
        assert ["SOL", "ETH"] == [one["name"] for one in question(venue.url, "meta")["universe"]]
        exchange = venue.exchange(venue.demo())
        bought = exchange.market_open("SOL", True, 1.0)["response"]["data"]["statuses"][0]
        assert "1.0" == bought["filled"]["totalSz"]
    with pytest.raises(ConfigInvalid, match="which data holds"):
        opened(market=str(tmp_path / "data"), coins=("SOL", "BTC"))
    with pytest.raises(ConfigInvalid, match="wall time"):
        opened(market=str(tmp_path / "data"), speed=0.0)


def test_trusted_account_needs_no_signature():
    with running_venue("--trust", ADDRESS.upper().replace("X", "x")) as venue:
        stranger = venue.exchange(Wallet.create())
        resting = stranger.order("BTC", True, 0.01, 90_000, {"limit": {"tif": "Gtc"}})
        assert "resting" in resting["response"]["data"]["statuses"][0]
        assert 1 == len(question(venue.url, "openOrders", user=ADDRESS))


def test_misfortune_and_log_of_the_command_line_are_in_force(tmp_path):
    (tmp_path / "bad.toml").write_text("too_many = 1000000\n")
    with running_venue("--misfortune", tmp_path / "bad.toml", "--log", tmp_path / "log") as venue:
        with requests.post(f"{venue.url}/info", json={"type": "meta"}, timeout=10) as answer:
            assert (429, "null") == (answer.status_code, answer.text)
        with requests.get(f"{venue.url}/metrics", timeout=10) as page:
            assert 'hat_venue_misfortunes{kind="too_many"} 1.0' in page.text
    (line,) = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert ("/info", "meta", "429") == (line["path"], line["type"], line["outcome"])
