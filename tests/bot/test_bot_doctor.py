"""`hat doctor`: a healthy account, the clock, the line, the command."""

import json
import re
import socket
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bot.config import load
from bot.doctor_venue import Sample, skew_finding
from bot.findings import Verdict, exit_code, lines, shape, table
from domain.units import NS_PER_MS
from tests.asked_venue import ACCOUNT, AGENT, AGENT_KEY, asked
from tests.doctor_scene import NAMES, doctor_scene, line


@pytest.fixture
def examined(tmp_path, monkeypatch):
    with doctor_scene(tmp_path, monkeypatch) as scene:
        yield scene


@pytest.fixture
def venue(examined):
    return examined.venue


def test_everything_is_well_when_it_is(examined):
    found = examined()

    assert NAMES == [one.name for one in examined.findings]
    assert {Verdict.OK} == {one.verdict for one in examined.findings}, lines(examined.findings)
    assert 0 == exit_code(examined.findings)
    assert f"signs as {AGENT}" == found["key"].found
    assert "none: the key is in HAT_AGENT_KEY" == found["key file"].found
    assert f"{AGENT} trades for {ACCOUNT}, named 'bot', 90.0 days left" == found["agent"].found
    assert (
        "account value 10000 USDC, 9000 withdrawable, maintenance margin 0.5 % of the cross value"
        == found["balance"].found
    )
    assert "9,900 requests left (100 used of 10,000)" == found["rate budget"].found
    assert "100000 USDC, size step 0.00001 is worth 1 USDC; orders of 0.002, worth 200" == found["BTC"].found
    assert "5x cross, as configured" == found["BTC leverage"].found
    assert ": network local, two_sided on BTC, hash " in found["configuration"].found
    assert "made by the first run: SQLite, WAL, synchronous FULL" in found["database"].found


def test_no_secret_is_shown_and_nothing_but_questions_is_sent(examined, venue):
    examined()
    digits = AGENT_KEY.removeprefix("0x")
    assert digits not in json.dumps(shape(examined.findings)) + "\n".join(lines(examined.findings))
    assert digits not in json.dumps(venue.asked)
    assert all(set(one) <= {"type", "user", "coin"} for one in venue.asked)


def test_simulated_network_skips_the_venue_and_says_so(examined, venue):
    found = examined(network={"name": "simulated", "url": "", "account": ""})
    assert (
        "skipped",
        "not checked: network.name is simulated: there is no venue to ask and no key to hold",
        "",
    ) == line(found["venue"])
    assert 0 == exit_code(examined.findings)
    assert [] == venue.asked


def test_all_checks_run_however_the_first_ones_went(examined, venue):
    venue.answers = {
        "metaAndAssetCtxs": venue.answers["metaAndAssetCtxs"],
        "exchangeStatus": venue.answers["exchangeStatus"],
    }
    found = examined(environ={"XDG_STATE_HOME": "/dev/null/no"}, bot={"state_dir": "/dev/null/no"})
    assert "failed" == found["state directory"].verdict
    assert "failed" == found["account"].verdict
    assert f"{venue.url}/info: refused userRole: HTTP 422" == found["account"].found
    assert "skipped" == found["agent"].verdict
    assert found["BTC"].verdict is Verdict.OK
    assert 2 == exit_code(examined.findings)


@pytest.mark.parametrize(
    ("skew_s", "verdict", "said"),
    [
        (0, "ok", ""),
        (3, "warning", "s behind the venue's"),
        (-3, "warning", "s ahead of the venue's"),
        (-20, "failed", "all market data would count as older than 5 s"),
        (20, "warning", "s behind the venue's"),
    ],
)
def test_clock_is_compared_with_the_venues(examined, venue, skew_s, verdict, said):
    venue.skew_ms = skew_s * 1000
    found = examined()["clock"]
    assert verdict == found.verdict.value, found
    assert said in found.found
    assert ("Set the clock by NTP, e.g. `timedatectl set-ntp true`." if verdict != "ok" else "") == found.fix


def test_clock_behind_an_expiry_fails(examined, venue):
    venue.skew_ms = 20_000
    found = examined(network={"expires_after_ms": "15000"})["clock"]
    assert "failed" == found.verdict
    assert found.found.endswith("every order would have expired on its way")


def test_clock_is_asked_of_the_account_where_there_is_no_status(examined, venue):
    del venue.answers["exchangeStatus"]
    assert "ok" == examined()["clock"].verdict


@given(
    offset_ms=st.integers(-60_000, 60_000),
    out_ns=st.integers(0, 10**9),
    back_ns=st.integers(0, 10**9),
)
def test_clock_that_is_right_is_never_accused_however_slow_the_line(offset_ms, out_ns, back_ns):
    config = load(None, {})
    asked_ns = 1_800_000_000_000_000_000
    told_ms = (asked_ns + out_ns) // NS_PER_MS
    answered_ns = asked_ns + out_ns + back_ns
    right = Sample(answered_ns - asked_ns, (asked_ns + answered_ns) // 2 - told_ms * NS_PER_MS)
    assert skew_finding(config, [right]).verdict is Verdict.OK
    wrong = Sample(right.took_ns, right.ahead_ns + offset_ms * NS_PER_MS)
    if abs(offset_ms) * NS_PER_MS > 2 * 10**9 + right.took_ns:
        assert skew_finding(config, [wrong]).verdict is not Verdict.OK


def test_venue_that_is_not_there_is_one_failure_and_the_rest_is_skipped(examined):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    found = examined(network={"url": url})
    assert (
        "failed",
        f"{url}/info: cannot be reached (ConnectionError)",
        "Start `hat venue`, or correct network.url; `hat check connectivity` shows where it ends.",
    ) == line(found["network"])
    assert {"skipped"} == {found[name].verdict.value for name in ("clock", "account", "rate budget", "BTC")}


@pytest.mark.parametrize("status", [429, 500, 502])
def test_venue_in_trouble_is_told(examined, venue, status):
    venue.status = status
    found = examined()["network"]
    assert "failed" == found.verdict
    assert {429: "too many requests", 500: "HTTP 500", 502: "HTTP 502"}[status] in found.found


@pytest.mark.parametrize("nonsense", [None, [], {}, "text", 5, {"role": 7}])
def test_answers_that_make_no_sense_fail_their_own_check_only(examined, venue, nonsense):
    kept = {"exchangeStatus", "metaAndAssetCtxs"}
    venue.answers = {name: answer if name in kept else (lambda _: nonsense) for name, answer in venue.answers.items()}
    found = examined()
    assert "failed" == found["account"].verdict
    assert "ok" == found["BTC"].verdict
    assert 2 == exit_code(examined.findings)


def test_command_prints_a_line_per_check_and_exits_by_the_worst(venue, tmp_path):
    arguments = ("doctor", "--network", "local", "--account", ACCOUNT, "--state-dir", tmp_path / "state")
    settings = {
        "HAT_NETWORK__URL": venue.url,
        "HAT_AGENT_KEY": AGENT_KEY,
        "HAT_MARKET__INSTRUMENTS": "BTC",
        "HAT_MONITORING__PORT": "0",
        "XDG_STATE_HOME": str(tmp_path),
    }
    code, out, err = asked(*arguments, **settings)
    assert (0, "") == (code, err), out
    *told, whole = out.splitlines()
    assert NAMES == [one[9:25].strip() for one in told]
    assert "21 ok" == whole
    venue.answers["userRateLimit"] = lambda _: {"cumVlm": "0.0", "nRequestsUsed": 9_500, "nRequestsCap": 10_000}
    code, out, _ = asked(*arguments, "--json", **settings)
    assert (1, "warning") == (code, json.loads(out)["status"])
    code, out, err = asked(*arguments, "--json", **settings, HAT_RISK__NONSENSE="1")
    found = json.loads(out)
    assert (2, "failed", ["configuration", "everything else"]) == (
        code,
        found["status"],
        [one["name"] for one in found["checks"]],
    )
    assert AGENT_KEY.removeprefix("0x") not in out + err


def test_table_shows_every_check_and_its_fix(examined, venue):
    venue.answers["userRole"] = lambda _: {"role": "missing"}
    examined()
    console = Console(width=120, file=StringIO())
    console.print(table(examined.findings))
    text = console.file.getvalue()
    assert all(f" {name} " in text for name in NAMES)
    assert re.search(r"✗ +account ", text)
    assert "→ Deposit USDC to it first" in text
