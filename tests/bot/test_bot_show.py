"""What a person reads fits the terminal, breaks nothing that is copied, and is exact."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from bot.live import clock, live_view, plain_line, status_view
from bot.show import in_lifecycle_order, ledger_view, money, number, percent, summary_view

PNL = {
    "realized": "1234.5", "unrealized": "-0.03247601", "funding": "0", "fees": "8.513638", "rebates": "0",
    "net": "1225.95388599", "slippage": "-12.1203",
}  # fmt: skip
STATUS: dict[str, Any] = {
    "run_id": "7ee8c741597f8ccd", "market": "synthetic-1", "market_seconds": 3_725.5, "mode": "halted",
    "health": "unhealthy", "trouble": {"kill_switch": "Halted: drawdown reached its stop"},
    "url": "http://127.0.0.1:8080", "orders": 1_234, "open_orders": 6, "canceled": 8, "rejected": 2, "denied": 0,
    "fills": 284, "maker_ratio": 1.0, "fill_rate": 0.965986, "volume": "56757.21157", "equity": "10002.113455",
    "drawdown_percent": 0.0049, "exposure": "199.98", "pnl": PNL, "positions": {"ETH": "-0.0465"},
    "unrealized": {"ETH": "-0.03"},
    "prices": {symbol: {"bid": "4299.4", "ask": "4300.6"} for symbol in ("BTC", "ETH", "SOL")},
}  # fmt: skip
SUMMARY: dict[str, Any] = {
    "run_id": "7ee8c741597f8ccd", "data": "synthetic-1", "market_seconds": 300.0, "ended": "end of time",
    "orders": 294, "fills": 284, "buys": 141, "sells": 143, "canceled": 8, "rejected": 2, "denied": 0,
    "maker_ratio": 1.0, "fill_rate": None, "volume": "56757.21157", "equity": "10002.113455", "pnl": PNL,
    "performance": {
        "interval_seconds": 60.0, "intervals": 4, "sharpe": 297.8, "sortino": None, "drawdown_max": 0.00007047,
    },
    "order_list_hash": "c57c92dfedc616b8c58c85adb27f67523dd46368a855940315a187325241ed7f", "events": 18_919,
    "seconds": 1.3, "proofs": 18_919, "skipped": {"duplicate_trade": 10},
    "ledger": "/a/rather/long/path/to/the/state/directory/of/somebody/who/likes/long/paths/state/ledger.db",
    "log": "state/hat.log", "notes": ["Nothing was recorded for a while.", "Ten trades came twice."],
}  # fmt: skip


def shown(view: RenderableType, width: int = 80, height: int = 24) -> list[str]:
    """Return the lines a terminal of this size gets."""
    console = Console(file=StringIO(), width=width, height=height, color_system=None)
    console.print(view, soft_wrap=True)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 120])
def test_live_view_fits_a_terminal_and_says_first_what_is_wrong(width: int) -> None:
    lines = shown(live_view(lambda: STATUS, "hat, on paper")(), width)
    assert len(lines) <= 24
    assert {width} == set(map(len, lines))
    assert "halted, unhealthy, 1:02:05 of market time" in lines[1]
    assert "Halted: drawdown reached its stop" in lines[2]
    assert "1,225.95" in "".join(lines)


def test_starting_bot_has_a_view_and_a_line() -> None:
    starting = {"run_id": "a", "market": "m", "market_seconds": 0.0, "mode": "starting", "health": "degraded"}
    assert "starting" in shown(status_view(starting))[0]
    assert "0:00:00 starting" == plain_line(starting)


def test_plain_line_is_one_line_and_names_trouble() -> None:
    assert (
        "1:02:05 halted equity 10002.11 net +1225.95 orders 1234 open 6 fills 284 ETH -0.0465; "
        "kill_switch: Halted: drawdown reached its stop"
    ) == plain_line(STATUS)
    assert " flat" in plain_line({**STATUS, "positions": {}})


def test_summary_is_exact_with_the_points_below_each_other() -> None:
    amounts = [line for line in shown(summary_view(SUMMARY))[:8] if line.startswith("  ")]
    assert len(PNL) == len(amounts)
    assert ["1,234.50000000", "-0.03247601", "0.00000000"] == [line.split()[1] for line in amounts[:3]]
    assert {amounts[0].index(".")} == {line.index(".") for line in amounts}


def test_summary_at_eighty_columns_is_cut_nowhere_and_breaks_nothing_people_copy() -> None:
    lines = shown(summary_view(SUMMARY))
    assert f"ledger          {SUMMARY['ledger']}" in lines
    assert f"order-list hash {SUMMARY['order_list_hash']}" in lines
    assert max(len(line) for line in lines if not line.startswith("ledger")) <= 80
    assert ["note            Nothing was recorded for a while.", "                Ten trades came twice."] == lines[-2:]


def test_ledger_of_many_instruments_stays_within_eighty_columns() -> None:
    part = {"position": "-0.0465", "orders": 100, "fills": 50, "volume": "123456.7", "pnl": PNL}
    shape = {
        **part, "run_id": "a", "command": "run", "strategy": "null", "seed": 1, "orders_by_state": {"filled": 50},
        "maker_fills": 50, "cash": "1", "code_revision": "0", "config_hash": "c" * 64, "is_ended": False,
        "pnl": {**PNL, "equity": "1"}, "instruments": {f"COIN{number}": part for number in range(9)},
    }  # fmt: skip
    lines = shown(ledger_view(shape))
    assert max(map(len, lines)) <= 80
    assert all(any(f"COIN{number}" in line for line in lines) for number in range(9))


@pytest.mark.parametrize(
    ("text", "expected"), [("0", "0.00"), ("-1234.567", "-1,234.57"), ("1234567.8", "1,234,568"), ("-0.004", "0.00")]
)
def test_money_is_in_cents_unless_there_is_much(text: str, expected: str) -> None:
    assert expected == money(text).plain


def test_nothing_is_never_negative() -> None:
    assert ("0.00", "0.0 %") == (number(-0.004), percent(-0.0004))
    lines = shown(summary_view({**SUMMARY, "equity": "-0.001", "pnl": {**PNL, "realized": "-0"}}))
    assert not [line for line in lines if "-0.00 " in line or "-0.00000000" in line]


def test_states_come_in_the_order_of_the_lifecycle() -> None:
    counts = {"canceled": 1, "strange": 2, "open": 3, "filled": 4, "signal": 5}
    assert ["signal", "open", "filled", "canceled", "strange"] == list(in_lifecycle_order(counts))


def test_summary_of_a_backtest_ends_with_how_to_read_it() -> None:
    lines = shown(summary_view({**SUMMARY, "read_with": "hat ledger summary --state-dir x", "notes": []}))
    assert "read it with    hat ledger summary --state-dir x" == lines[-1]


def test_cost_is_red_and_gain_is_green() -> None:
    assert ["green", "red", "red", "green"] == [
        money("1").style, money("-1").style, money("1", is_cost=True).style, money("-1", is_cost=True).style
    ]  # fmt: skip


def test_clock_counts_days() -> None:
    assert ("0:00:59", "1 day, 0:00:00") == (clock(59.9), clock(86_400))
