"""`hat record`: what a venue says is in the files, gaps and torn tails included, and `hat backtest` reads them."""

import asyncio
import gzip
import json
import os
import resource
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from backtest.importers.layouts import load
from bot.clock import monotonic_ns, now_ns
from bot.recording_files import PARTIAL, RecordingFiles, finish, is_message, partial_of
from bot.recording_live import Recorder, Wishes, check_coins
from domain.errors import ConfigInvalid, DataInvalid
from domain.events import BookChanged, MarkChanged
from domain.units import NS_PER_HOUR, NS_PER_SECOND
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.session_words import SessionSettings
from tests.asked_venue import ACCOUNT, asked_venue, asking, book, until
from tests.bot_runs import hat

HOUR_NS = 500_000 * NS_PER_HOUR
QUICK = SessionSettings(backoff_ns_min=10_000_000, backoff_ns_max=50_000_000)


@pytest.fixture
def venue():
    with asked_venue() as venue:
        yield venue


def recorded(venue, folder, *, stop_when=None, for_s=10, settings=QUICK, **wishes):
    """Record until something is true, at most for_s; return the summary."""
    network = Network.at("local", venue.url)
    wanted = Wishes(**{"network": network, "coins": ("BTC",), "for_ns": for_s * NS_PER_SECOND, **wishes})

    async def run():
        recorder = Recorder(wanted, RecordingFiles(folder, "hyperliquid-local"), now_ns, monotonic_ns, session=settings)

        def look():
            if stop_when is not None and stop_when(recorder):
                recorder.stop()

        watching = asyncio.get_running_loop()

        def again():
            look()
            if not recorder._stop.is_set():
                watching.call_later(0.01, again)

        again()
        return await recorder.run(look)

    return asyncio.run(run())


def lines_of(place):
    return gzip.open(place, "rt", encoding="utf-8").read().splitlines()


def notes_of(place):
    frames = [json.loads(one.partition(" ")[2]) for one in lines_of(place)]
    return [one["data"] for one in frames if one["channel"] == "recorder"]


def message(number=0, at_ms=None):
    return json.dumps(
        {"channel": "l2Book", "data": book("BTC", at_ms if at_ms is not None else 1_800_000_000_000 + number)}
    ).encode()


def test_frames_are_kept_raw_and_read_back_as_a_market(venue, tmp_path):
    summary = recorded(venue, tmp_path, stop_when=lambda one: sum(one.channels.values()) >= 20)

    assert summary["frames"] >= 20
    assert summary["frames"] == sum(summary["channels"].values())
    assert {"l2Book", "activeAssetCtx"} == set(summary["channels"])
    assert (1, 0) == (len(summary["files"]), summary["gaps"])
    place = tmp_path / summary["files"][0]
    assert place.stat().st_size == summary["bytes"]
    assert ["begun", "text", "connected", "ended"] == [one["event"] for one in notes_of(place)]
    assert {"channel": "pong"} not in lines_of(place)
    recording = load(tmp_path, "BTC")
    kinds = {type(event) for event in recording.events}
    assert {BookChanged, MarkChanged} == kinds
    assert len(recording.events) == summary["frames"]
    mark = next(event for event in recording.events if isinstance(event, MarkChanged))
    assert (1_000_005, 12_500) == (mark.mark_price, mark.funding_rate)
    assert [] == [note for note in recording.notes if "receive times" in note]
    received = [int(one.partition(" ")[0]) for one in lines_of(place)]
    assert sorted(received) == received


def test_what_is_subscribed_follows_the_wishes(venue, tmp_path):
    recorded(venue, tmp_path, stop_when=lambda one: one.is_up, coins=("BTC", "ETH"), user=ACCOUNT)
    market = [
        {"type": kind, "coin": coin}
        for coin in ("BTC", "ETH")
        for kind in ("l2Book", "bbo", "trades", "activeAssetCtx")
    ]
    user = ("orderUpdates", "userEvents", "userFills", "userFundings", "userNonFundingLedgerUpdates")
    assert [*market, *({"type": kind, "user": ACCOUNT} for kind in user)] == venue.subscribed


def test_end_of_the_wanted_time_is_no_gap(venue, tmp_path):
    summary = recorded(venue, tmp_path, for_s=1)
    assert 0 == summary["gaps"]
    assert 1 <= summary["seconds"] < 5
    assert "ended" == notes_of(tmp_path / summary["files"][0])[-1]["event"]


def test_lost_connection_is_noted_told_and_mended(venue, tmp_path):
    venue.frames_before_drop = 10
    summary = recorded(venue, tmp_path, stop_when=lambda one: one.gap_count and sum(one.channels.values()) >= 30)

    assert (1, 2) == (summary["gaps"], venue.connections)
    [gap] = summary["gap_list"]
    assert 0 < gap["from_ns"] < gap["until_ns"]
    events = [one["event"] for one in notes_of(tmp_path / summary["files"][0]) if one["event"] != "text"]
    assert ["begun", "connected", "lost", "connected", "ended"] == events
    name = summary["files"][0]
    assert f"{name}: the recorder lost the connection 1 times; what came then is missing." in load(tmp_path, None).notes


def test_frames_that_are_no_messages_do_not_spoil_the_file(venue, tmp_path):
    venue.extra_frames = [
        "<html>502</html>",
        '{"channel":',
        '{"no":"channel"}',
        "[1]",
        '{"channel":\n"l2Book"}',
        "\x00",
    ]
    summary = recorded(venue, tmp_path, stop_when=lambda one: sum(one.channels.values()) >= 10)
    texts = [one["text"] for one in notes_of(tmp_path / summary["files"][0]) if one["event"] == "text"]
    assert ["Websocket connection established.", *venue.extra_frames] == texts
    assert len(load(tmp_path, "BTC").events) == summary["frames"]


def test_venue_that_never_answers_ends_in_one_sentence(tmp_path):
    class Away:
        url = "http://127.0.0.1:1"

    with pytest.raises(DataInvalid, match="nothing was recorded: cannot connect"):
        recorded(Away, tmp_path, for_s=1)
    assert [] == list(tmp_path.glob(f"*{PARTIAL}"))


def test_next_recording_goes_into_new_files(venue, tmp_path):
    names = [recorded(venue, tmp_path, stop_when=lambda one: one.channels)["files"] for _ in range(2)]
    assert 2 == len({name for files in names for name in files})
    assert load(tmp_path, "BTC").events


def test_second_recorder_in_one_folder_is_refused(tmp_path):
    first = RecordingFiles(tmp_path, "x")
    with pytest.raises(ConfigInvalid, match="a folder no other recorder writes to"):
        RecordingFiles(tmp_path, "x")
    first.close()
    RecordingFiles(tmp_path, "x").close()


def test_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigInvalid, match="a folder that can be written"):
        RecordingFiles(tmp_path / "file" / "below", "x")


# Files.


def test_hours_go_into_files_that_sort_by_time(tmp_path):
    files = RecordingFiles(tmp_path, "x")
    for hour in range(3):
        for second in (0, 3_599):
            files.frame(HOUR_NS + hour * NS_PER_HOUR + second * NS_PER_SECOND, message(hour))
    files.close()
    assert [f"x-20270115T{8 + hour:02}Z-001.jsonl.gz" for hour in range(3)] == [one.name for one in files.written]
    assert files.written == sorted(files.written)
    assert [2, 2, 2] == [len(lines_of(one)) for one in files.written]


def test_clock_that_steps_back_keeps_the_order_of_arrival(tmp_path):
    files = RecordingFiles(tmp_path, "x")
    for ts_ns in (HOUR_NS + 5, HOUR_NS + 3, HOUR_NS - NS_PER_HOUR, HOUR_NS + 9):
        files.frame(ts_ns, message())
    files.close()
    [place] = files.written
    assert [5, 5, 5, 9] == [int(one.partition(" ")[0]) - HOUR_NS for one in lines_of(place)]


def test_open_file_is_read_as_far_as_it_goes_and_finished_by_the_next(tmp_path):
    files = RecordingFiles(tmp_path, "x")
    for second in range(30):
        files.frame(HOUR_NS + second * NS_PER_SECOND, message(second * 1000))
    place = partial_of(tmp_path / "x-20270115T08Z-001.jsonl.gz")
    recording = load(tmp_path, "BTC")
    assert 29 <= len(recording.events) <= 30
    assert f"{place.name}: its recorder has not finished it; it is read as far as it goes." in recording.notes
    torn = tmp_path / "copy"
    torn.mkdir()
    (torn / place.name).write_bytes(place.read_bytes())
    files.close()
    after = RecordingFiles(torn, "x")
    after.close()
    assert ["x-20270115T08Z-001.jsonl.gz"] == [one.name for one in after.mended]
    assert ["x-20270115T08Z-001.jsonl.gz"] == sorted(one.name for one in torn.iterdir() if one.name[0] != ".")
    assert len(load(torn, "BTC").events) == len(recording.events)
    assert 30 == len(load(tmp_path, "BTC").events)


@given(data=st.data(), counts=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_file_torn_anywhere_is_finished_with_whole_lines_from_its_beginning(data, counts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("torn")
    files = RecordingFiles(folder, "x")
    for second, count in enumerate(counts):
        for number in range(count):
            files.frame(HOUR_NS + second * NS_PER_SECOND + number, message(number))
    files.close()
    [whole] = files.written
    content, expected = whole.read_bytes(), lines_of(whole)
    torn = partial_of(folder / "y.jsonl.gz")
    torn.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    found = lines_of(finish(torn))
    assert expected[: len(found)] == found
    assert not torn.exists()
    if len(content) == torn.with_name("y.jsonl.gz").stat().st_size:
        assert found == expected


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b'{"channel":"pong"}', True),
        (b'{"channel":"l2Book","data":{}}', True),
        (b'{"channel":5}', False),
        (b'{"channel":"a"', False),
        (b'{"channel":"\xff"}', False),
        (b'{"channel":"a","data":"\xff"}', False),
        (b'{"channel":"a",\n"data":1}', False),
        (b"[]", False),
        (b"", False),
    ],
)
def test_only_messages_go_into_the_file_as_they_are(frame, expected):
    assert expected is is_message(frame)


def test_disk_that_takes_no_more_ends_the_recording_in_one_sentence(venue, tmp_path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, before[1]))
    try:
        with pytest.raises(DataInvalid, match="cannot be written"):
            recorded(venue, tmp_path, for_s=30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    RecordingFiles(tmp_path, "x").close()


def test_coins_are_spelled_as_the_venue_does():
    assert ("BTC", "kPEPE") == check_coins(["btc", "KPEPE", "BTC"], ["BTC", "kPEPE"])
    with pytest.raises(ConfigInvalid, match="a perpetual the venue lists, such as BTC"):
        check_coins(["NOPE"], ["BTC"])


# The command, in a process of its own.


def start(venue, folder, *more):
    """Start `hat record` against the venue."""
    arguments = ("record", "--network", "local", "--url", venue.url, "--coin", "BTC", "--out", folder, *more)
    return asking(*arguments)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_ends_in_order_when_told(venue, tmp_path, number):
    with start(venue, tmp_path, "--json") as running:
        until(lambda: len(venue.subscribed) >= 4 or running.poll() is not None)
        running.send_signal(number)
        out, err = running.communicate(timeout=30)
    assert (0, "") == (running.returncode, err)
    summary = json.loads(out)
    assert summary["frames"] > 0
    done = hat("backtest", tmp_path, "--coin", "BTC", "--json", "--state-dir", tmp_path / "state")
    assert 0 == done.returncode, done.stderr
    assert summary["frames"] <= json.loads(done.stdout)["events"]


def test_command_killed_leaves_what_the_next_one_finishes(venue, tmp_path):
    with start(venue, tmp_path) as running:
        until(
            lambda: any(one.stat().st_size > 300 for one in tmp_path.glob(f"*{PARTIAL}")) or running.poll() is not None
        )
        running.kill()
        running.communicate(timeout=30)
    assert 1 == len(list(tmp_path.glob(f"*{PARTIAL}")))
    assert load(tmp_path, "BTC").events
    with start(venue, tmp_path, "--for", "500ms", "--json") as running:
        out, err = running.communicate(timeout=30)
    assert (0, "") == (running.returncode, err)
    summary = json.loads(out)
    assert 1 == len(summary["mended"])
    assert [] == list(tmp_path.glob(f"*{PARTIAL}"))
    assert load(tmp_path, "BTC").events


def test_command_refuses_what_it_cannot_record(venue, tmp_path, monkeypatch):
    import typer

    from bot.cli_record import register

    for name in [one for one in os.environ if one.startswith("HAT_")]:
        monkeypatch.delenv(name)
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)

    def refused(*arguments):
        done = CliRunner().invoke(app, ["record", "--out", str(tmp_path / "x"), *arguments])
        assert isinstance(done.exception, ConfigInvalid), done.output
        return str(done.exception)

    assert "network.name = 'simulated'" in refused()
    local = ("--network", "local", "--url", venue.url)
    assert refused(*local, "--coin", "NOPE").startswith("--coin = 'NOPE'")
    assert refused(*local, "--user", "me").startswith("--user = 'me'")
    key = "0x" + 32 * "01"
    for option in ("--user", "--coin"):
        sentence = refused(*local, option, key)
        assert sentence.startswith(f"{option} = '66 characters, not shown'")
        assert "0101" not in sentence
    assert refused(*local, "--for", "soon").startswith("--for = 'soon'")
    assert not (tmp_path / "x").exists()
