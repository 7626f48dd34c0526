"""The request log: a line for every request, no secret in it, a full disk survived."""

import json
from pathlib import Path

import pytest

from domain.errors import ConfigInvalid
from services.venue_server.request_log import RequestLog
from tests.services.counter_scene import NOW_MS
from tests.services.venue_doors import ALWAYS, a_hall, asked, buy, in_loop, open_doors


def lines(place):
    return [json.loads(line) for line in place.read_text().splitlines()]


@in_loop
async def test_every_request_is_a_line_that_holds_no_key_signature_or_body(tmp_path):
    place = tmp_path / "requests.jsonl"
    log = RequestLog(place)
    async with open_doors(log=log) as doors:
        envelope = buy()
        await doors.exchange(envelope)
        await doors.exchange(buy(price="99000.123", nonce=NOW_MS + 1))
        await doors.post("/info", {"type": "nonsense"})
        await doors.info(type="meta")
    log.close()
    told = lines(place)
    assert [("/exchange", "order", "ok"), ("/exchange", "order", "ok"), ("/info", "nonsense", "422")] == [
        (one["path"], one["type"], one["outcome"]) for one in told[:3]
    ]
    assert ("/info", "meta", 20, "127.0.0.1") == tuple(told[3][key] for key in ("path", "type", "weight", "ip"))
    assert all(one["time_ms"] == NOW_MS and one["took_us"] >= 0 for one in told)
    assert told[2]["answer"].startswith("Failed to deserialize")
    assert envelope["signature"]["r"] not in place.read_text()


@in_loop
async def test_requests_in_frames_are_lines_too(tmp_path):
    log = RequestLog(tmp_path / "log")
    async with open_doors(log=log) as doors:
        wire = await doors.connect()
        for number, request in enumerate(
            ({"type": "action", "payload": buy()}, {"type": "info", "payload": {"type": "meta"}})
        ):
            await asked(wire, {"method": "post", "id": number, "request": request})
    log.close()
    assert [("/ws", "order", "ok"), ("/ws", "meta", "ok")] == [
        (one["path"], one["type"], one["outcome"]) for one in lines(tmp_path / "log")
    ]


@in_loop
async def test_misfortune_is_in_the_log(tmp_path):
    log = RequestLog(tmp_path / "log")
    async with open_doors(a_hall(too_many=ALWAYS), log=log) as doors:
        await doors.post("/info", {"type": "meta"})
    log.close()
    assert [("429", "null")] == [(one["outcome"], one["answer"]) for one in lines(tmp_path / "log")]


def test_log_is_continued(tmp_path):
    for number in range(2):
        log = RequestLog(tmp_path / "log")
        log.record({"n": number})
        log.close()
        log.close()
    assert [{"n": 0}, {"n": 1}] == lines(tmp_path / "log")


def test_without_a_file_nothing_is_kept():
    log = RequestLog(None)
    log.record({"n": 1})
    log.flush()
    log.close()
    assert not log.is_open


def test_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(ConfigInvalid, match="directory"):
        RequestLog(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here is always full")
def test_full_disk_is_told_once_and_stops_nothing():
    told = []
    log = RequestLog(Path("/dev/full"), told.append)
    for _ in range(3):
        log.record({"n": 1})
        log.flush()
    assert ["the request log ends: /dev/full: No space left on device"] == told
    assert not log.is_open
    log.close()
