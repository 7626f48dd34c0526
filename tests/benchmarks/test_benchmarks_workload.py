"""The workload keeps its laws, and its facts show the venue exactly the tape's book."""

import json
from pathlib import Path

import pytest

from benchmarks import generator, latency
from benchmarks.__main__ import main
from benchmarks.backtest import command, in_own_process, measured
from benchmarks.facts import facts
from benchmarks.house import FORMS, run
from benchmarks.workload import DEPTH, LEVEL, PERPETUAL, START_NS, TRADE, Tape, digest, tape
from domain.events import BookChanged, TopOfBookChanged, TradePrinted
from exchange.orderbook.book import VisibleBook

ROWS = 20_000
FITTED = {"messages": 1.379, "trades": 1 / 0.159}
"""Rows per message and per trade of the market that is imitated."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return tape(ROWS, tmp_path_factory.mktemp("bench"))


def messages(data: Tape):
    """Yield the rows of each message: (ts_event_ns, ts_recv_ns, kind, price, lots)."""
    rows = []
    for chunk in data.chunks():
        for *row, is_last in zip(*chunk, strict=True):
            rows.append(tuple(row))
            if is_last:
                yield rows
                rows = []
    assert rows == []


class PlainBook:
    """Lots by price and side: the tape's rows and nothing clever."""

    def __init__(self) -> None:
        self.lots = {1: {}, -1: {}}

    def take(self, rows) -> None:
        for _, _, kind, price, lots in rows:
            if abs(kind) == LEVEL:
                levels = self.lots[kind]
                levels[price] = lots
                if lots == 0:
                    del levels[price]


def test_workload_is_the_same_for_the_same_seed() -> None:
    first, again, other = (digest(generator.made(3_000, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_workload_is_whole_when_it_is_read_in_chunks(data: Tape) -> None:
    whole = [row for chunk in data.chunks(10**9) for row in zip(*chunk, strict=True)]
    pieces = [row for chunk in data.chunks(777) for row in zip(*chunk, strict=True)]
    assert whole == pieces
    assert data.rows == len(whole)
    assert 0 <= data.rows - ROWS < generator.ROWS_A_MESSAGE_MAX


def test_workload_times_never_go_back(data: Tape) -> None:
    event_before, recv_before = START_NS - 1, START_NS
    for rows in messages(data):
        assert {rows[0][:2]} == {row[:2] for row in rows}
        ts_event_ns, ts_recv_ns = rows[0][:2]
        assert event_before < ts_event_ns
        assert max(recv_before, ts_event_ns + generator.FEED_LATENCY_NS) <= ts_recv_ns
        event_before, recv_before = ts_event_ns, ts_recv_ns


def test_workload_book_keeps_twenty_consecutive_levels_and_never_crosses(data: Tape) -> None:
    book = PlainBook()
    for rows in messages(data):
        book.take(rows)
        bids, asks = sorted(book.lots[1], reverse=True), sorted(book.lots[-1])
        assert bids == list(range(bids[0], bids[0] - DEPTH, -1))
        assert asks == list(range(asks[0], asks[0] + DEPTH))
        assert bids[0] < asks[0]


def test_workload_trades_eat_what_the_book_showed(data: Tape) -> None:
    book = PlainBook()
    for rows in messages(data):
        traded = [(kind // TRADE, price, lots) for _, _, kind, price, lots in rows if abs(kind) == TRADE]
        shown = {price: lots - book.lots[-side][price] for side, price, lots in traded}
        assert all(left <= 0 for left in shown.values())
        book.take(rows)
        for side, price, _ in traded:
            assert -shown[price] == book.lots[-side].get(price, 0)


def test_workload_is_like_the_market_it_imitates() -> None:
    about = generator.described(generator.made(200_000, 5))
    for key, wanted in FITTED.items():
        assert about["rows"] / about[key] == pytest.approx(wanted, rel=0.05)
    assert about["market_seconds"] / about["rows"] == pytest.approx(47_289 / 8_000_000, rel=0.03)
    assert about["one_tick_spread_share"] == pytest.approx(0.81, abs=0.03)


def test_facts_show_the_venue_the_size_of_every_visible_price(data: Tape) -> None:
    stream, plain, seen = facts(data), PlainBook(), VisibleBook()
    tops = 0
    for rows in messages(data):
        for row in rows:
            if abs(row[2]) == TRADE:
                trade = next(stream)
                assert isinstance(trade, TradePrinted)
                assert row == (trade.ts_event_ns, trade.ts_recv_ns, trade.side * TRADE, trade.price, trade.lots)
        fact = next(stream)
        assert rows[0][:2] == (fact.ts_event_ns, fact.ts_recv_ns)
        if isinstance(fact, TopOfBookChanged):
            tops += 1
            seen.take_top(fact)
        else:
            assert isinstance(fact, BookChanged)
            seen.take_book(fact)
        plain.take(rows)
        for sign, side in ((1, seen.bids), (-1, seen.asks)):
            assert plain.lots[sign] == {price: side.lots_at(price) for price in plain.lots[sign]}
            assert plain.lots[sign] == dict(side.levels())
    assert next(stream, None) is None
    assert tops > 0


@pytest.mark.parametrize("form", FORMS)
def test_house_runs_the_workload_alike_twice(data: Tape, form: str) -> None:
    first, again = run(facts(data), form), run(facts(data), form)
    assert first == again
    assert first["mode"] == "stopping"
    assert (first["fills"] > 50) == (form != "none")
    assert first["orders"] >= first["fills"]


def test_backtest_measures_every_variant(data: Tape) -> None:
    for variant in ("feed", "venue", "none"):
        assert measured(data, variant)["seconds"] > 0


def test_backtest_runs_a_variant_in_a_process_of_its_own(data: Tape) -> None:
    found = in_own_process(command(data, "event", None))
    assert run(facts(data), "event").items() <= found.items()
    assert 0 < found["start_mb"] <= found["peak_mb"]


def test_command_refuses_too_few_events(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["latency", "--events", "10"])
    assert "--events 10: expected 10000 or more" in capsys.readouterr().err


def test_latency_tells_percentiles_of_steps_that_route() -> None:
    found = latency.measured("observed", 3_000)
    assert found["every_count"] == 3_000
    assert 0 < found["routed_count"] < 3_000
    assert found["routed_p50"] <= found["routed_p95"] <= found["routed_p99"] <= found["routed_max"]


def test_command_prints_json_of_the_benches_named(capsys: pytest.CaptureFixture[str]) -> None:
    main(["workload", "--rows", "2000", "--rounds", "1", "--json"])
    (report,) = json.loads(capsys.readouterr().out)
    assert report["name"] == "workload"
    assert report["machine"]["python"]
    assert report["setting"]["rows"] >= 2_000


def test_command_names_the_benches_when_one_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "no bench is called speed; there are workload, backtest, breakdown, latency" in capsys.readouterr().err


def test_workload_instrument_has_the_tick_and_lot_of_the_anchors() -> None:
    assert (1, 10, 1_000) == (PERPETUAL.tick(32_770), PERPETUAL.whole, 10**PERPETUAL.size_decimals)


def test_tape_is_made_once(tmp_path: Path) -> None:
    made = tape(1_000, tmp_path)
    written = (made.folder / "about.json").stat().st_mtime_ns
    assert written == (tape(1_000, tmp_path).folder / "about.json").stat().st_mtime_ns
    assert [made.folder] == list(tmp_path.iterdir())
