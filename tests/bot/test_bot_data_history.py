"""`hat data download` of candles and funding: a real `/info` that pages, is busy, lies and goes away."""

import signal
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.history import QUESTION_WEIGHT, WEIGHT_MAX, WINDOW_NS, Weights
from tests.archive_servers import Info, data, info_server, started_data, until

HOUR_MS = 3_600_000


@pytest.fixture
def info():
    return Info()


@pytest.fixture
def run(info, tmp_path):
    with info_server(info) as url:

        def download(kind, *arguments):
            where = ("--out", tmp_path / "out", "--network", url)
            return data(tmp_path, "download", kind, "--coin", "BTC", *where, *arguments)

        download.url = url
        yield download


@pytest.fixture
def funding(tmp_path):
    return lambda: pq.read_table(tmp_path / "out/funding/BTC.parquet").to_pydict()


@pytest.fixture
def candles(tmp_path):
    return lambda: pq.read_table(tmp_path / "out/candles/BTC_1h.parquet").to_pydict()


def test_funding_is_paged_by_the_last_time_and_kept_to_the_last_digit(info, run, funding):
    info.fill(hours=1700)

    done = run("funding", "--json")

    assert 0 == done.code, done.err
    rows = funding()
    assert [one["time"] * 10**6 for one in info.fundings] == rows["time_ns"]
    assert [Decimal(one["premium"]) for one in info.fundings] == rows["premium"]
    assert {Decimal("0.0000125")} == set(rows["funding_rate"])
    assert {"BTC"} == set(rows["coin"])
    starts = [body["startTime"] for body in info.asked]
    assert [0, *(info.fundings[page]["time"] + 1 for page in (499, 999, 1499, 1699))] == starts
    (told,) = done.told["files"]
    assert (1700, 1700) == (told["new"], told["rows"])


def test_funding_goes_on_after_the_last_row(info, run, funding):
    info.fill(hours=900)
    later, info.fundings = info.fundings, info.fundings[:700]
    assert 0 == run("funding").code
    info.fundings = later
    info.asked.clear()

    done = run("funding", "--json")

    assert (0, 200, 900) == (done.code, done.told["files"][0]["new"], done.told["files"][0]["rows"])
    assert later[699]["time"] + 1 == info.asked[0]["startTime"]
    assert [one["time"] * 10**6 for one in later] == funding()["time_ns"]


def test_earlier_rows_are_put_before_the_first(info, run, funding):
    info.fill(hours=24 * 40)
    assert 0 == run("funding", "--from", _day(info, 10)).code
    few = len(funding()["time_ns"])

    assert 0 == run("funding", "--from", _day(info, 30)).code

    times = funding()["time_ns"]
    assert few < len(times)
    assert sorted(set(times)) == times
    assert times == [one["time"] * 10**6 for one in info.fundings if one["time"] * 10**6 >= times[0]]
    info.asked.clear()
    assert 0 == run("funding").code
    assert 1 == len(info.asked)


def _day(info, days_ago):
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(info.now_ms / 1000 - days_ago * 86_400, tz=UTC):%Y-%m-%d}"


def test_candles_are_all_there_are_without_the_one_that_is_open(info, run, candles):
    info.fill(hours=5200)
    info.kept = 5000

    done = run("candles", "--json")

    assert 0 == done.code, done.err
    rows = candles()
    told = info.candles["1h"][-5000:-1]
    assert [one["t"] * 10**6 for one in told] == rows["open_ns"]
    assert [(one["T"]) * 10**6 for one in told] == rows["close_ns"]
    assert [Decimal(one["v"]) for one in told] == rows["volume"]
    assert [one["n"] for one in told] == rows["trades"]


def test_candles_go_on_after_the_last_row_and_intervals_have_files_of_their_own(info, run, tmp_path, candles):
    info.fill(hours=50, interval="1m", length_ms=60_000)
    info.fill(hours=300)
    everything = info.candles["1h"]
    info.candles["1h"] = everything[:200]
    assert 0 == run("candles", "--interval", "1h,1m").code
    assert 49 == pq.read_metadata(tmp_path / "out/candles/BTC_1m.parquet").num_rows
    info.candles["1h"] = everything
    info.asked.clear()

    assert 0 == run("candles").code

    assert everything[199]["T"] + 1 == info.asked[0]["req"]["startTime"]
    assert [one["t"] * 10**6 for one in everything[:-1]] == candles()["open_ns"]
    held = data(tmp_path, "list", tmp_path / "out", "--json").told["held"]
    assert [("candles", "BTC 1h", 299, []), ("candles", "BTC 1m", 49, [])] == [
        (one["kind"], one["what"], one["rows"], one["missing"]) for one in held
    ]


def test_busy_venue_is_asked_again(info, run, funding):
    info.fill(hours=1200)
    info.busy_every = 3
    info.answers = [(429, b"null"), (502, b"<html>bad gateway</html>")]

    done = run("funding", "--json")

    assert 0 == done.code, done.err
    assert 1200 == len(funding()["time_ns"])
    assert info.told[429] == done.told["busy"] > 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<html>maintenance</html>"), "no usable answer (JSON is malformed"),
        ((200, b'{"error":"Internal"}'), "no usable answer (Expected `array | null`, got `object`"),
        ((200, b"null"), "the venue knows nothing of it; is the coin's name right?"),
        ((422, b"Failed to deserialize the JSON body into the target type"), "HTTP 422 'Failed to deserialize"),
        ((200, b'[{"coin":"BTC","fundingRate":"0.1","time":5}]'), "missing required field `premium`"),
        (
            (200, b'[{"coin":"ETH","fundingRate":"0.1","premium":"0.1","time":5}]'),
            "the rows are of something else",
        ),
        (
            (200, b'[{"coin":"BTC","fundingRate":"0.1","premium":"0.1","time":5}]'),
            "",
        ),
        (
            (200, b'[{"coin":"BTC","fundingRate":"much","premium":"0.1","time":5}]'),
            "a number cannot be kept ('much' is not a decimal number)",
        ),
        (
            (200, b"[" + b",".join([b'{"coin":"BTC","fundingRate":"0.1","premium":"0.1","time":5}'] * 2) + b"]"),
            "the rows are not in order of time",
        ),
    ],
)  # fmt: skip
def test_answer_that_cannot_be_used_is_one_sentence(info, run, answer, said):
    info.answers = [answer]
    done = run("funding")
    assert ((2 if said else 0), (1 if said else 0)) == (done.code, len(done.err.splitlines()))
    assert said in done.err
    if said:
        assert f"{run.url}/info, funding of BTC" in done.err or "funding from http" in done.err


def test_rows_got_before_the_trouble_stay(info, run, funding):
    info.fill(hours=1200)
    real, info.answer = info.answer, lambda body: real(body) if len(info.asked) < 1 else (400, b"gone")
    assert 2 == run("funding").code
    assert 500 == len(funding()["time_ns"])


def test_nobody_there_and_what_is_no_address_are_one_sentence(tmp_path):
    done = data(tmp_path, "download", "funding", "--coin", "BTC", "--network", "moon", "--out", tmp_path / "out")
    assert (2, True) == (done.code, "--network = 'moon'" in done.err)
    done = data(tmp_path, "download", "candles", "--coin", "BTC", "--interval", "7m", "--out", tmp_path / "out")
    assert (2, True) == (done.code, "--interval = '7m': expected one of 1m, 3m" in done.err)


def test_killed_download_leaves_a_whole_file_that_is_continued(info, run, tmp_path, funding):
    info.fill(hours=6000)
    info.stall_at = 11
    where = ("--out", tmp_path / "out", "--network", run.url, "--coin", "BTC")
    process = started_data(tmp_path, "download", "funding", *where)
    until(lambda: len(info.asked) >= 11, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    before = len(funding()["time_ns"])
    assert 0 < before < 6000
    info.stall_at = 0
    info.let_go.set()
    info.asked.clear()

    assert 0 == run("funding").code

    assert info.fundings[before - 1]["time"] + 1 == info.asked[0]["startTime"]
    assert [one["time"] * 10**6 for one in info.fundings] == funding()["time_ns"]
    assert ["BTC.parquet"] == [path.name for path in (tmp_path / "out/funding").iterdir() if path.suffix == ".parquet"]


def test_interrupt_ends_with_what_was_got(info, run, tmp_path, funding):
    info.fill(hours=6000)
    info.answers = [info.answer({"type": "fundingHistory", "coin": "BTC", "startTime": 0, "endTime": info.now_ms})]
    info.answers += [(429, b"null")] * 50
    process = started_data(
        tmp_path, "download", "funding", "--out", tmp_path / "out", "--network", run.url, "--coin", "BTC", "--json"
    )
    until(lambda: info.told[429] >= 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (3, "") == (process.returncode, err)
    assert '"is_stopped":true' in out
    assert 500 == len(funding()["time_ns"])


def test_networks_do_not_mix_and_strange_files_are_not_touched(info, run, tmp_path):
    info.fill(hours=10)
    assert 0 == run("funding").code
    path = tmp_path / "out/funding/BTC.parquet"
    with info_server(info) as other:
        done = data(tmp_path, "download", "funding", "--coin", "BTC", "--out", tmp_path / "out", "--network", other)
    assert 2 == done.code
    assert f"expected a file of {other}; this one holds {run.url}'s" in done.err
    path.write_bytes(b"not parquet")
    done = run("funding")
    assert (2, True) == (done.code, "cannot be read as Parquet" in done.err)
    assert b"not parquet" == path.read_bytes()
    listed = data(tmp_path, "list", tmp_path / "out", "--json").told["held"]
    assert "cannot be read as Parquet" in listed[0]["problem"]


def test_coin_the_venue_does_not_have_makes_no_file_and_is_said(info, run, tmp_path):
    done = run("funding")
    assert (0, True) == (done.code, "The venue has none of this in that time" in done.out)
    assert not (tmp_path / "out").exists()


def test_hole_of_the_venue_is_listed(info, run, tmp_path):
    info.fill(hours=30)
    hole = info.fundings.pop(10)
    assert 0 == run("funding").code
    (held,) = data(tmp_path, "list", tmp_path / "out", "--json").told["held"]
    assert 1 == len(held["missing"])
    from datetime import UTC, datetime

    assert f"{datetime.fromtimestamp(hole['time'] // 1000, tz=UTC):%Y-%m-%d %H:00}" in held["missing"][0]


@given(st.lists(st.tuples(st.integers(0, 2 * WINDOW_NS // 100), st.integers(0, 300)), max_size=120))
def test_weight_of_any_minute_never_exceeds_the_limit_by_more_than_one_answer(steps):
    """Rows weigh after they came, so one answer may overshoot; a question never does."""
    weights, now_ns, asked = Weights(), 0, []
    for pause_ns, rows_weight in steps:
        now_ns += pause_ns
        while wait_ns := weights.wait_ns(QUESTION_WEIGHT, now_ns):
            now_ns += wait_ns
        before = sum(weight for at, weight in asked if at > now_ns - WINDOW_NS)
        assert before + QUESTION_WEIGHT <= WEIGHT_MAX
        for weight in (QUESTION_WEIGHT, rows_weight):
            weights.charge(weight, now_ns)
            asked.append((now_ns, weight))
