"""The bot in one process, the venue in another, bad luck between them: at the end both say the same, to the last unit.

The venue's side is asked over the wire with the official SDK, and again through `hat ledger reconcile`. The venue's
clock runs ahead, so that a full hour with its funding falls into the run.
"""

import json
import signal
from collections import Counter
from contextlib import contextmanager

import pytest

from domain.events import FeedLost, FeedRestored
from domain.units import MONEY_UNIT
from exchange.hyperliquid.universe import UNIVERSE
from tests.live.wire_scene import (
    ORDER_USD,
    ORDERS_MAX,
    POSITION_USD,
    ended,
    hour_in_ms,
    ledger_account,
    ledger_fills,
    ledger_fundings,
    lots,
    price,
    rows,
    scene,
    wire_account,
    wire_fills,
    wire_fundings,
    wire_orders,
)

MISERY = {
    "too_many": 15_000, "internal_error": 15_000, "bad_gateway": 15_000, "late": 20_000, "late_ms": 2_500,
    "slow": 20_000, "slow_ms": 300, "silent": 20_000, "drop": 30_000, "stall": 40_000, "stall_ms": 1_500,
    "duplicate": 150_000, "reorder": 150_000, "skip_snapshot": 700_000,
}  # fmt: skip
"""Parts of a million: of requests, of sockets per second, of user messages, of snapshots."""
KINDS = frozenset(name for name in MISERY if not name.endswith("_ms"))
STOP_SECONDS = 90


@contextmanager
def traded(folder, seconds, seed):
    """Trade under misfortune; give the scene, still open, the bot's summary and how often what went wrong."""
    skew_ms = hour_in_ms(seconds // 2)
    settings = folder / "misfortune.toml"
    settings.write_text(f"skew_ms = {skew_ms}\n")
    with scene(folder, "--misfortune", settings, "--seed", seed) as opened, opened.bot(f"{seconds}s", seed=seed) as bot:
        opened.trades()
        opened.venue.control("misfortune", seed=seed, skew_ms=skew_ms, **MISERY)
        # Sockets are few, so chance alone may spare them for a minute.
        opened.venue.control("drop")
        opened.venue.control("stall", ms=MISERY["stall_ms"])
        code, summary, told = ended(bot, seconds + STOP_SECONDS)
        counts = opened.misfortunes()
        print(f"misfortunes: {json.dumps(counts)}")
        # Bad luck lasts until the bot has stopped; the examiner is spared.
        opened.venue.control("misfortune", skew_ms=skew_ms)
        assert code == 0, told
        yield opened, summary, counts


def assert_books_are_equal(opened, summary):
    fills = wire_fills(opened)
    assert ledger_fills(opened) == fills
    assert len(fills) == summary["fills"]
    paid = wire_fundings(opened)
    assert ledger_fundings(opened) == paid
    assert paid, "no full hour fell into the run"
    cash, positions, value, marks = wire_account(opened)
    assert ledger_account(opened, marks) == (cash, positions, value)
    assert opened.offline("ledger", "verify").returncode == 0
    reconciled = opened.offline("ledger", "reconcile", "--explain", "--json")
    found = json.loads(reconciled.stdout)
    assert (reconciled.returncode, found["discrepancies"], found["bridge"]["residual"]) == (0, [], "0")
    assert found["compared"]["fill"] == {"compared": len(fills), "of": len(fills)}
    statement = opened.offline("ledger", "statement", "--json")
    assert statement.returncode == 0, statement.stderr


def assert_orders_are_within_limits(opened):
    """Hold every order the venue remembers against the configured limits: size, position, number at once."""
    moments = []
    for record in wire_orders(opened).values():
        order = record["order"]
        coin = order["coin"]
        notional = price(coin, order["limitPx"]) * lots(coin, order["origSz"]) * UNIVERSE[coin].money_per_unit
        assert notional <= ORDER_USD * MONEY_UNIT, order
        if not record["status"].endswith("Rejected"):
            moments += [(order["timestamp"], 1), (record["statusTimestamp"], -1)]
    # Within a millisecond an end comes first: a replacement ends one number and begins the next.
    most = rested = 0
    for _, change in sorted(moments):
        rested += change
        most = max(most, rested)
    assert 0 < most <= ORDERS_MAX
    for (coin, _, _), (_, paid, _, _, _, _, held) in wire_fills(opened).items():
        assert abs(held) * paid * UNIVERSE[coin].money_per_unit <= POSITION_USD * MONEY_UNIT * 101 // 100


def assert_orders_are_known_once(opened):
    """Hold the venue's orders against the ledger's: none unknown here, none doubled there, none in doubt."""
    known = {
        name: (state, size, filled)
        for name, state, size, filled in rows(
            opened.ledger, "SELECT client_order_id, state, lots, filled_lots FROM orders"
        )
    }
    assert not {state for state, _, _ in known.values()} - {
        "filled", "canceled", "rejected", "denied", "expired", "not_placed"
    }  # fmt: skip
    numbers = Counter(
        name
        for name, _ in rows(
            opened.ledger, "SELECT DISTINCT client_order_id, venue_order_id FROM transitions WHERE venue_order_id > 0"
        )
    )
    placed, filled = Counter(), Counter()
    for record in wire_orders(opened).values():
        name = record["order"]["cloid"]
        assert name in known, f"the venue has an order the ledger never heard of: {record}"
        if not record["status"].endswith("Rejected"):
            placed[name] += 1
    for name, times in placed.items():
        # A changed order has a number for each of its terms; the ledger saw as many, or the answer to the last was lost.
        assert times <= numbers[name] + 1, name
        assert known[name][0] not in {"rejected", "denied", "not_placed"}, name
    for _, _, size, _, _, name, _ in wire_fills(opened).values():
        filled[name] += size
    assert dict(filled) == {name: done for name, (_, _, done) in known.items() if done}
    assert all(done <= size for _, size, done in known.values())
    assert opened.open_orders() == 0


def assert_all_is_exact(opened, summary, counts):
    assert set(counts) >= KINDS, "some misfortune never happened"
    assert summary["fills"] >= 50, "too little was traded to show anything"
    assert_books_are_equal(opened, summary)
    assert_orders_are_within_limits(opened)
    assert_orders_are_known_once(opened)
    assert ("kill_switch_engaged", "halted_by_invariant") not in {one[:2] for one in opened.incidents()}


@pytest.mark.timeout(240)
def test_ledger_and_venue_are_equal_after_a_minute_of_misfortune(tmp_path):
    with traded(tmp_path, 60, seed=3) as found:
        assert_all_is_exact(*found)


@pytest.mark.nightly
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_ledger_and_venue_are_equal_after_ten_minutes_of_misfortune(tmp_path, seed):
    with traded(tmp_path, 600, seed) as found:
        assert_all_is_exact(*found)


def assert_account_is_equal(opened):
    assert ledger_fills(opened) == wire_fills(opened)
    cash, positions, value, marks = wire_account(opened)
    assert ledger_account(opened, marks) == (cash, positions, value)
    assert opened.open_orders() == 0


def test_dropped_sockets_pull_the_quotes_and_the_gap_is_proven_closed(tmp_path):
    with scene(tmp_path) as opened, opened.bot("12s") as bot:
        opened.trades()
        opened.venue.control("drop")
        code, summary, told = ended(bot, STOP_SECONDS)
        assert code == 0, told
        lost = [fact.ts_recv_ns for fact in opened.facts(FeedLost)]
        restored = [fact.ts_recv_ns for fact in opened.facts(FeedRestored)]
        assert len(lost) == len(restored) == 1
        # Once at the start and once after the loss the account was proven whole.
        assert summary["wire"]["trader"]["gaps_closed"] == 2
        assert summary["wire"]["trader"]["gaps_unproven"] == 0
        pulled = rows(
            opened.ledger,
            "SELECT ts_ns FROM transitions WHERE reason = 'canceled_stale_data' AND \"trigger\" = 'request_cancel'",
        )
        assert pulled
        placed = rows(opened.ledger, "SELECT ts_ns FROM transitions WHERE to_state = 'submitted'")
        assert not [ts_ns for (ts_ns,) in placed if lost[0] < ts_ns < restored[0]], (
            "an order left while the feed was lost"
        )
        assert [ts_ns for (ts_ns,) in placed if ts_ns >= restored[0]], "it did not quote again"
        assert_account_is_equal(opened)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_bot_told_to_stop_leaves_no_order_at_the_venue(tmp_path, number):
    with scene(tmp_path) as opened, opened.bot() as bot:
        opened.trades()
        bot.send_signal(number)
        code, summary, told = ended(bot, STOP_SECONDS)
        assert code == 0, told
        assert summary["ended"] == "signal"
        assert opened.info.open_orders(opened.account) == []
        assert_account_is_equal(opened)
