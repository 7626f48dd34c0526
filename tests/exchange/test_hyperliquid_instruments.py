"""Reading the venue's `meta`: the shape, its traps, the official SDK over a loopback server, and what we ship."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from domain.errors import DataInvalid
from domain.units import MONEY_UNIT
from exchange.hyperliquid.instruments import fetch_instruments, fetch_meta, instruments_from_meta
from exchange.hyperliquid.universe import UNIVERSE

RECORDINGS = Path(__file__).resolve().parents[2].parent / "shared/data/hyperliquid/api/pairs/go_sdk"

META = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56},
        {"name": "GONE", "szDecimals": 0, "maxLeverage": 3, "marginTableId": 3, "isDelisted": True},
        {"name": "PURR", "szDecimals": 0, "maxLeverage": 3, "marginTableId": 3, "onlyIsolated": True},
    ],
    "marginTables": [
        [
            56,
            {
                "description": "tiered 40x",
                "marginTiers": [
                    {"lowerBound": "0.0", "maxLeverage": 40},
                    {"lowerBound": "150000000.0", "maxLeverage": 20},
                ],
            },
        ]
    ],
    "collateralToken": 0,
}


def changed(**entry) -> dict:
    return {**META, "universe": [{**META["universe"][0], **entry}]}


def test_delisted_entries_are_skipped_and_keep_their_number() -> None:
    btc, purr = instruments_from_meta(META)
    assert ("BTC", 0, 5, 1, 40) == (btc.symbol, btc.asset_id, btc.size_decimals, btc.price_decimals, btc.leverage_max)
    assert [(0, 40), (150_000_000 * MONEY_UNIT, 20)] == [
        (row.lower_bound, row.leverage_max) for row in btc.margin_tiers
    ]
    assert ("PURR", 2, 6, 3, ()) == (
        purr.symbol,
        purr.asset_id,
        purr.price_decimals,
        purr.leverage_max,
        purr.margin_tiers,
    )


def test_an_old_answer_without_margin_tables_is_read() -> None:
    (btc,) = instruments_from_meta({"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 50}]})
    assert (50, ()) == (btc.leverage_max, btc.margin_tiers)


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (None, "meta: "),
        ([], "meta: "),
        ({"universe": [{"name": "BTC"}]}, "szDecimals"),
        (changed(szDecimals="5"), "szDecimals"),
        (changed(szDecimals=7), r"meta.universe\[0\] \(BTC\): size_decimals = 7"),
        (changed(marginTableId=77), "margin table 77 is not in marginTables"),
        ({**changed(), "marginTables": [[56, {"marginTiers": [{"lowerBound": "x", "maxLeverage": 2}]}]]}, "'x'"),
        (
            {
                **changed(),
                "marginTables": [[56, {"marginTiers": [{"lowerBound": "1.0", "maxLeverage": 2}] * 2}]],
            },
            "does not ascend",
        ),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused_with_its_place(meta: object, words: str) -> None:
    with pytest.raises(DataInvalid, match=words):
        instruments_from_meta(meta)


@pytest.fixture
def venue():
    """A loopback server that answers every request with `reply`, and keeps what it was asked."""

    class Answerer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            server.asked.append((self.path, json.loads(self.rfile.read(size))))
            status, body = server.reply
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answerer)
    server.asked, server.reply = [], (200, json.dumps(META).encode())
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_official_sdk_fetches_what_we_read(venue) -> None:
    assert META == fetch_meta(venue.url)
    assert [("/info", {"type": "meta", "dex": ""})] == venue.asked
    assert ["BTC", "PURR"] == [instrument.symbol for instrument in fetch_instruments(venue.url)]


@pytest.mark.parametrize(
    "reply",
    [
        (500, b"out of order"),
        (429, b"null"),
        (422, b'{"oops": 1}'),
        (404, b'"gone"'),
        (200, b"<html>"),
    ],
)
def test_an_answer_of_the_venue_that_is_no_meta_is_one_sentence(venue, reply) -> None:
    venue.reply = reply
    with pytest.raises(DataInvalid, match=r"^http://127\.0\.0\.1:\d+/info: "):
        fetch_meta(venue.url)


def test_nobody_answering_is_one_sentence(venue) -> None:
    url = venue.url
    venue.shutdown()
    venue.server_close()
    with pytest.raises(DataInvalid, match=r"/info: cannot be reached"):
        fetch_meta(url)


def test_what_we_ship_is_on_the_venues_grid() -> None:
    assert ["BTC", "ETH", "SOL", "DOGE", "kPEPE", "XRP", "HYPE", "FARTCOIN", "WLFI"] == list(UNIVERSE)
    for symbol, instrument in UNIVERSE.items():
        assert (symbol, 6) == (instrument.symbol, instrument.price_decimals + instrument.size_decimals)
        assert instrument.margin_tiers == () or instrument.margin_tiers[0].leverage_max == instrument.leverage_max


@pytest.mark.recorded
def test_what_we_ship_is_what_the_venue_said() -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recorded data at {RECORDINGS}")
    pairs = json.loads((RECORDINGS / "MetaAndAssetCtxs.json").read_text())
    answers = [
        pair["response"]["body"]
        for pair in pairs
        if pair["request"]["body"] == {"type": "metaAndAssetCtxs", "dex": ""} and pair["recorded_at"] >= "2026"
    ]
    (answer,) = answers
    decoded = json.loads(answer) if isinstance(answer, str) else answer
    told = {instrument.symbol: instrument for instrument in instruments_from_meta(decoded[0])}
    assert UNIVERSE == {symbol: told[symbol] for symbol in UNIVERSE}
    assert len(told) < len(decoded[0]["universe"])
