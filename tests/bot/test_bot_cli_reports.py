"""`hat ledger pnl` and `hat ledger statement`: what people read adds up, and the page is whole by itself."""

import json
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from html.parser import HTMLParser
from io import StringIO

import pytest
from rich.console import Console

from bot.show_pnl import pnl_shape, pnl_view
from bot.show_statement import POINTS_MAX, statement_shape, statement_view, thinned
from bot.statement_charts import Scale, bars_chart, causes_chart, curve_chart, nice_ticks, tick_text
from bot.statement_page import MINUS, minus, statement_page, tone, usdc
from ledger.attribution import KEYS, attribute
from ledger.period_statement import CurvePoint, period_statement
from ledger.periods import period_at
from ledger.store import LedgerStore
from ledger.store_entries import read_incidents, read_orders, read_run, read_run_parts
from tests.bot_runs import hat
from tests.ledger.ledger_builders import a_record, a_run, flat
from tests.ledger.ledger_days import DAY_NS, three_days

WEEK = period_at("week", DAY_NS)
PARTS = ("realized", "unrealized", "funding", "fees", "rebates", "net", "slippage", "liquidation", "volume")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """The URL of a stored run of three days and its book."""
    url = f"sqlite:///{tmp_path_factory.mktemp('days') / 'ledger.db'}"
    days, store = three_days(url)
    store.close()
    return url, days


@pytest.fixture(scope="module")
def facts(ledger):
    store = LedgerStore(ledger[0], read_only=True)
    with store.reading() as connection:
        (run,) = read_run_parts(connection)
        found = read_run(connection, run)
        orders, incidents = read_orders(connection, [run.run_id], WEEK), read_incidents(connection, [run.run_id], WEEK)
    store.close()
    return found, orders, incidents


@pytest.fixture(scope="module")
def shape(facts):
    run, orders, incidents = facts
    return statement_shape(period_statement(WEEK, [run], orders, incidents))


def shown(view, width=120):
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(view, soft_wrap=True)
    return console.file.getvalue()


# The commands.


@pytest.mark.parametrize("by", KEYS)
def test_pnl_rows_add_up_to_the_summary(ledger, by) -> None:
    url, days = ledger
    done = hat("ledger", "pnl", "--by", by, "--url", url, "--json")
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    for name in PARTS:
        assert Decimal(found["total"][name]) == sum(Decimal(row[name]) for row in found["rows"])
    totals = days.book.totals(days.marks)
    assert Decimal(totals.net) / 10**8 == Decimal(found["total"]["net"])
    assert ["000000000000f00d"] == found["runs"]


def test_statement_is_written_as_text_json_and_html(ledger, tmp_path) -> None:
    url, days = ledger
    asked = ("ledger", "statement", "--url", url, "--period", "week")
    text = hat(*asked)
    assert 0 == text.returncode, text.stderr
    assert "Statement of week 2023-W46" in text.stdout
    found = json.loads(hat(*asked, "--json").stdout)
    assert Decimal(days.book.totals(days.marks).equity) / 10**8 == Decimal(found["bridge"]["closing"])
    page = tmp_path / "week.html"
    assert 0 == hat(*asked, "--format", "html", "--out", page).returncode
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    plain = tmp_path / "week.txt"
    assert 0 == hat(*asked, "--out", plain, "--all", "--date", "2023-11-14").returncode
    assert "\x1b" not in plain.read_text(encoding="utf-8")
    assert found == json.loads(hat(*asked, "--format", "json", "--run", "000000000000f00d").stdout)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("statement", "--date", "yesterday"), "--date = 'yesterday': expected a day such as 2025-09-04"),
        (("statement", "--run", "nope"), "--run = 'nope': expected one of 000000000000f00d"),
        (("statement", "--format", "html", "--json"), "--format = 'html': expected either --format html or --json"),
        (("pnl", "--run", "nope", "--all"), "--run = 'nope': expected either --run or --all"),
        (
            ("statement", "--out", "/nowhere/at/all"),
            "--out = '/nowhere/at/all': expected a file in a folder that exists",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(ledger, arguments, sentence) -> None:
    done = hat("ledger", *arguments, "--url", ledger[0])
    assert 2 == done.returncode
    assert sentence in done.stderr
    assert 1 == len(done.stderr.strip().splitlines())


def test_ledger_without_a_run_is_refused(tmp_path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    LedgerStore(url).close()
    done = hat("ledger", "pnl", "--url", url)
    assert (2, True) == (done.returncode, "holds no run" in done.stderr)


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_statement_is_never_written_over_the_ledger(tmp_path, force) -> None:
    place = tmp_path / "ledger.db"
    with closing(LedgerStore(f"sqlite:///{place}")) as store:
        store.begin_run(a_record())
        store.write(flat(a_run()[0]), len(flat(a_run()[0])))
    (tmp_path / "link.txt").symlink_to(place)
    for name in ("ledger.db", "link.txt"):
        done = hat("ledger", "statement", "--url", f"sqlite:///{place}", "--out", tmp_path / name, *force)
        assert (2, True) == (done.returncode, "never overwritten" in done.stderr), done.stderr
    with closing(LedgerStore(f"sqlite:///{place}", read_only=True)) as store:
        assert [] == store.problems()


def test_statement_replaces_a_file_only_when_it_may(ledger, tmp_path) -> None:
    out = tmp_path / "day.txt"
    out.write_text("mine")
    asked = ("ledger", "statement", "--url", ledger[0], "--out", out)
    assert (2, "mine") == (hat(*asked).returncode, out.read_text())
    assert 0 == hat(*asked, "--force").returncode
    assert out.read_text().startswith("Statement of day")
    assert [out] == list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [("pnl", "--json"), ("statement", "--json")])
def test_row_edited_by_hand_is_one_sentence(tmp_path, command) -> None:
    place = tmp_path / "ledger.db"
    with closing(LedgerStore(f"sqlite:///{place}")) as store:
        store.begin_run(a_record())
        store.write(flat(a_run()[0]), len(flat(a_run()[0])))
    with closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("UPDATE fills SET notional = 'abc' WHERE sequence = 2")
    done = hat("ledger", *command, "--url", f"sqlite:///{place}")
    assert 2 == done.returncode, done.stderr
    assert "notional holds 'abc'; `hat ledger verify` tells all" in json.loads(done.stdout)["error"]
    assert 1 == len(done.stderr.strip().splitlines())


# Shapes and views.


def test_rows_beyond_the_limit_are_folded_into_one_and_nothing_is_lost(facts) -> None:
    run = facts[0]
    found = pnl_shape("order", [run.run], attribute([run], "order"))
    lines = shown(pnl_view(found, 3)).splitlines()
    (others,) = [line for line in lines if " others" in line]
    assert f"{len(found['rows']) - 3:,} others" in others
    kept = [line for line in lines if line.strip().startswith(("0x", "no order"))]
    assert 3 == len(kept)
    nets = [Decimal(line.split()[-3].replace(",", "")) for line in [*kept, others, lines[-10]]]
    assert "total" in lines[-10]
    assert nets[-1] == pytest.approx(sum(nets[:-1]), abs=Decimal("0.03"))
    assert len(found["rows"]) + 1 == sum(
        line.strip().startswith(("0x", "no order", "total")) for line in shown(pnl_view(found, 0)).splitlines()
    )


def test_order_ids_are_never_cut(facts) -> None:
    run = facts[0]
    found = pnl_shape("order", [run.run], attribute([run], "order"))
    text = shown(pnl_view(found, 0))
    assert all(row["label"] in text for row in found["rows"])


def test_statement_adds_up_as_shown(shape) -> None:
    bridge = {name: Decimal(amount) for name, amount in shape["bridge"].items()}
    assert bridge["closing"] == sum(bridge.values()) - bridge["closing"] - 2 * bridge["fees"] - bridge["residual"]
    for rows in (shape["steps"], shape["instruments"]):
        for name in PARTS:
            assert Decimal(shape["pnl"][name]) == sum(Decimal(row[name]) for row in rows)
    assert shape["best_step"]["net"] == max((row["net"] for row in shape["steps"]), key=Decimal)
    assert shape["worst_instrument"]["net"] == min((row["net"] for row in shape["instruments"]), key=Decimal)
    assert shape["positions"]["closed"] >= shape["positions"]["won"] + shape["positions"]["lost"]


def test_text_names_everything_a_statement_must_hold(shape) -> None:
    text = shown(statement_view(shape))
    for word in ("opening equity", "unexplained", "residual", "maker", "drawdown", "corrections", "spread captured"):
        assert word in text


def test_curve_is_thinned_but_keeps_its_ends_and_extremes() -> None:
    curve = [CurvePoint(at, at * 7 % 1_009, at * 7 % 1_009) for at in range(5_000)]
    kept = thinned(curve, POINTS_MAX)
    assert len(kept) <= POINTS_MAX
    assert (curve[0], curve[-1]) == (kept[0], kept[-1])
    assert {0, 1_008} <= {point.gain for point in kept}
    assert kept == sorted(kept, key=lambda point: point.ts_ns)
    assert curve[:9] == thinned(curve[:9], POINTS_MAX)


# The page.


class Page(HTMLParser):
    """Collects what a page refers to and whether its tags close."""

    VOID = frozenset({"meta", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.wrong = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"href", "src", "xlink:href"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_page_is_well_formed_and_needs_nothing_else(shape) -> None:
    text = statement_page(shape)
    page = Page()
    page.feed(text)
    assert ([], [], []) == (page.open, page.wrong, page.links)
    assert "script" not in page.tags
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert page.tags.count("svg") == 3
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_page_escapes_what_others_wrote(shape) -> None:
    text = statement_page(shape)
    assert "trade &lt;b&gt;7&lt;/b&gt;" in text
    assert "<b>7</b>" not in text


def test_page_shows_cents_and_tells_every_digit(shape) -> None:
    text, net = statement_page(shape), shape["pnl"]["net"]
    assert f'title="{net.replace("-", MINUS)} USDC">{usdc(net, "+")}<' in text
    assert "closes to the last unit" in text
    unsound = {**shape, "bridge": {**shape["bridge"], "residual": "0.01"}}
    assert "does not close" in statement_page(unsound)


def test_page_of_a_quiet_period_says_so() -> None:
    text = statement_page(statement_shape(period_statement(WEEK, [], {}, [])))
    for sentence in ("nothing to draw", "Nothing happened", "No run lived", "No order was created"):
        assert sentence in text


@pytest.mark.parametrize(
    ("text", "sign", "expected"),
    [("0", "+", "0.00"), ("1234.567", "+", "+1,234.57"), ("-0.004", "", "0.00"), ("-12.5", "+", f"{MINUS}12.50")],
)
def test_amounts_are_in_cents(text, sign, expected) -> None:
    assert expected == usdc(text, sign)


def test_tone_and_sign() -> None:
    assert ["zero", "gain", "loss", "loss"] == [tone("0"), tone("1"), tone("-1"), tone("1", is_cost=True)]
    assert ["0", "-1.5", "1.5"] == [minus("0"), minus("1.5"), minus("-1.5")]


# The pictures.


@pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 5), (-3, 8), (9_998.2, 10_213.9), (1e-7, 3e-7), (-1e9, 1e9)])
def test_ticks_span_the_values(low, high) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low
    assert high <= ticks[-1]
    assert 2 <= len(ticks) <= 8
    texts = [tick_text(tick, ticks[1] - ticks[0]) for tick in ticks]
    assert len(set(texts)) == len(texts)


def test_scale_goes_up() -> None:
    scale = Scale([0.0, 10.0])
    assert scale.y(10.0) < scale.y(0.0)
    assert 1 == sum(line["is_zero"] for line in scale.lines())


def test_curve_stays_in_its_box_and_can_be_pointed_at_everywhere(shape) -> None:
    chart = curve_chart(shape["curve"], "gain", shape["period"])
    hits = chart["hits"]
    assert len(shape["curve"]["ts_ns"]) == len(hits)
    assert all(0 <= hit["at_y"] <= 260 and 76 <= hit["at_x"] <= 946 for hit in hits)
    assert abs(sum(hit["width"] for hit in hits) - (946 - 76)) < len(hits)
    assert curve_chart({"ts_ns": [1], "gain": ["0"]}, "gain", shape["period"]) is None


def test_bars_hold_every_day_of_the_week_and_losses_hang_down(shape) -> None:
    chart = bars_chart(shape)
    assert 7 == len(chart["bars"])
    for bar in chart["bars"]:
        net = Decimal(bar["row"]["net"]) if bar["row"] else Decimal(0)
        assert (net < 0) == bar["is_loss"]
        assert bar["y"] == pytest.approx(chart["zero"]) if bar["is_loss"] else bar["y"] <= chart["zero"]


def test_causes_lead_from_nothing_to_net(shape) -> None:
    rows = causes_chart(shape["pnl"])["rows"]
    assert "net" == rows[-1]["name"]
    assert rows[-2]["link_x"] == pytest.approx(rows[-1]["link_x"], abs=0.02)
