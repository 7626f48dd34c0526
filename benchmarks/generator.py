"""The market of the workload, made up message by message: the numbers behind `workload.py`, compiled.

A latent price walks. Takers of log-normal size lean toward it, so do those who quote inside a wide spread and those who
leave the best price: queues deplete on the side that is wrong, and an order resting there is filled just before the
price moves through it. The constants below are fitted to the market they imitate: 1.38 rows a message, 16 % of the rows
trades, a spread of one tick 81 % of the time, 5.9 ms of market time a row.
"""

import numpy as np
from numba import njit

from benchmarks.workload import COLUMNS, DEPTH, LEVEL, START_NS, TRADE
from domain.units import NS_PER_MS, NS_PER_SECOND

LADDER = 1 << 17
PRICE_START = 32_770
TRADES_A_MESSAGE_MAX = 8
ROWS_A_MESSAGE_MAX = 2 * DEPTH + 3 * TRADES_A_MESSAGE_MAX

FEED_LATENCY_NS = 2 * NS_PER_MS
JITTER_MEDIAN_NS, JITTER_SIGMA = 300_000.0, 0.8

MESSAGE_INTERVAL_NS = 8_153_000.0
VOLATILITY_TICKS = 2.6
"""Of the latent price, per square root of a second."""
LEAN = 0.9
"""How strongly takers, quoters and leavers follow the latent price, per tick of its distance from the mid."""

TAKER_SHARE = 0.182
TAKER_MEDIAN, TAKER_SIGMA = 380.0, 1.2
LEVEL_MEDIAN, LEVEL_SIGMA = 3_000.0, 0.8
QUOTER_SHARE = 0.40
"""Of the other messages while the spread is wide: somebody quotes inside it."""
LEAVER_SHARE = 0.12
"""Of the updates at the best price: all of it is canceled."""
LEVELS_BEHIND_SHARE = 0.72
"""Of the levels, that a resize goes one further back."""


def made(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Return the columns of a workload of at least so many rows: the last message is whole."""
    columns = {name: np.empty(rows + ROWS_A_MESSAGE_MAX, kind) for name, kind in COLUMNS.items()}
    count = generate(np.random.default_rng(seed), rows, *columns.values())
    return {name: values[:count] for name, values in columns.items()}


def described(columns: dict[str, np.ndarray]) -> dict[str, float]:
    """Return what a tape holds, to be compared with what it should hold."""
    kind, ts_event_ns = columns["kind"], columns["ts_event_ns"]
    one_tick_ns, moves = spread_facts(kind, columns["price"], columns["lots"], columns["is_last"], ts_event_ns)
    span_ns = int(ts_event_ns[-1] - ts_event_ns[0])
    return {
        "rows": len(kind),
        "messages": int(columns["is_last"].sum()),
        "trades": int((np.abs(kind) == TRADE).sum()),
        "market_seconds": round(span_ns / NS_PER_SECOND, 1),
        "one_tick_spread_share": round(one_tick_ns / span_ns, 4),
        "best_price_moves": int(moves),
    }


@njit(cache=True)
def spread_facts(kind, price, lots, is_last, ts_event_ns):
    """Return how long the spread was one tick (ns) and how often a best price moved."""
    bid, ask, bid_before, ask_before = 0, 0, 0, 0
    one_ns, moves, before_ns = 0, 0, ts_event_ns[0]
    for row in range(len(kind)):
        if kind[row] == LEVEL:
            if lots[row] and (price[row] > bid or bid == 0):
                bid = price[row]
            elif lots[row] == 0 and price[row] == bid:
                bid -= 1
        elif kind[row] == -LEVEL:
            if lots[row] and (price[row] < ask or ask == 0):
                ask = price[row]
            elif lots[row] == 0 and price[row] == ask:
                ask += 1
        if is_last[row]:
            if ask_before - bid_before == 1:
                one_ns += ts_event_ns[row] - before_ns
            before_ns = ts_event_ns[row]
            moves += (bid != bid_before) + (ask != ask_before)
            bid_before, ask_before = bid, ask
    return one_ns, moves


@njit(cache=True)
def size_drawn(rng, median, sigma):
    """Return a log-normal size of at least one lot."""
    return 1 + int(median * np.exp(sigma * rng.normal()))


@njit(cache=True)
def generate(rng, rows, ts_event_ns, ts_recv_ns, kind, price, lots, is_last):
    """Fill the columns with at least so many rows, whole messages; return how many there are."""
    ladder = np.zeros(LADDER, np.int64)
    bid, ask = PRICE_START, PRICE_START + 1
    latent = bid + 0.5
    row, ts_ns, recv_ns = 0, START_NS, START_NS
    for level in range(DEPTH):
        ladder[bid - level] = size_drawn(rng, LEVEL_MEDIAN, LEVEL_SIGMA)
        ladder[ask + level] = size_drawn(rng, LEVEL_MEDIAN, LEVEL_SIGMA)
        row = put(kind, price, lots, row, LEVEL, bid - level, ladder[bid - level])
        row = put(kind, price, lots, row, -LEVEL, ask + level, ladder[ask + level])
    recv_ns = stamp(rng, ts_event_ns, ts_recv_ns, is_last, 0, row, ts_ns, recv_ns)
    while row < rows:
        step_ns = 1 + int(rng.exponential(MESSAGE_INTERVAL_NS))
        ts_ns += step_ns
        latent += VOLATILITY_TICKS * np.sqrt(step_ns / NS_PER_SECOND) * rng.normal()
        upward = 1.0 / (1.0 + np.exp(-LEAN * (latent - (bid + ask) / 2.0)))
        first = row
        if rng.random() < TAKER_SHARE:
            side = 1 if rng.random() < upward else -1
            row, best = taken(rng, ladder, kind, price, lots, row, side, ask if side > 0 else bid)
            if side > 0:
                ask = best
            else:
                bid = best
        elif ask - bid > 1 and rng.random() < QUOTER_SHARE:
            side = 1 if rng.random() < upward else -1
            best = bid + 1 if side > 0 else ask - 1
            row = improved(rng, ladder, kind, price, lots, row, side, best)
            if side > 0:
                bid = best
            else:
                ask = best
        else:
            side = 1 if rng.random() < 0.5 else -1
            against = 1.0 - upward if side > 0 else upward
            row, best = resized(rng, ladder, kind, price, lots, row, side, bid if side > 0 else ask, against)
            if side > 0:
                bid = best
            else:
                ask = best
        recv_ns = stamp(rng, ts_event_ns, ts_recv_ns, is_last, first, row, ts_ns, recv_ns)
    return row


@njit(cache=True)
def put(kind, price, lots, row, row_kind, row_price, row_lots):
    """Write one row and return the place of the next."""
    kind[row], price[row], lots[row] = row_kind, row_price, row_lots
    return row + 1


@njit(cache=True)
def stamp(rng, ts_event_ns, ts_recv_ns, is_last, first, end, ts_ns, recv_before_ns):
    """Give the rows of one message their times; return when it reaches us: never before its predecessor."""
    recv_ns = ts_ns + FEED_LATENCY_NS + int(JITTER_MEDIAN_NS * np.exp(JITTER_SIGMA * rng.normal()))
    recv_ns = max(recv_ns, recv_before_ns)
    for row in range(first, end):
        ts_event_ns[row], ts_recv_ns[row], is_last[row] = ts_ns, recv_ns, row == end - 1
    return recv_ns


@njit(cache=True)
def taken(rng, ladder, kind, price, lots, row, side, best):
    """Let a taker eat the levels opposite to it: trades first, then what is left. Return next row and new best."""
    left = size_drawn(rng, TAKER_MEDIAN, TAKER_SIGMA)
    now, is_cut = best, False
    for _ in range(TRADES_A_MESSAGE_MAX):
        eaten = min(left, ladder[now])
        row = put(kind, price, lots, row, side * TRADE, now, eaten)
        ladder[now] -= eaten
        left -= eaten
        is_cut = ladder[now] > 0
        if is_cut:
            break
        now += side
        if left == 0:
            break
    while best != now:
        row = emptied(rng, ladder, kind, price, lots, row, -side, best)
        best += side
    if is_cut:
        row = put(kind, price, lots, row, -side * LEVEL, now, ladder[now])
    return row, now


@njit(cache=True)
def emptied(rng, ladder, kind, price, lots, row, side, best):
    """Take an empty best level away and show one more behind."""
    row = put(kind, price, lots, row, side * LEVEL, best, 0)
    behind = best - side * DEPTH
    ladder[behind] = size_drawn(rng, LEVEL_MEDIAN, LEVEL_SIGMA)
    return put(kind, price, lots, row, side * LEVEL, behind, ladder[behind])


@njit(cache=True)
def improved(rng, ladder, kind, price, lots, row, side, best):
    """Show a new best level and take the last one away."""
    ladder[best] = size_drawn(rng, LEVEL_MEDIAN / 2.0, LEVEL_SIGMA)
    row = put(kind, price, lots, row, side * LEVEL, best, ladder[best])
    behind = best - side * DEPTH
    ladder[behind] = 0
    return put(kind, price, lots, row, side * LEVEL, behind, 0)


@njit(cache=True)
def resized(rng, ladder, kind, price, lots, row, side, best, against):
    """Let somebody add to a level or leave it; a best level may empty. Return next row and new best."""
    level = 0
    while level < DEPTH - 1 and rng.random() < LEVELS_BEHIND_SHARE:
        level += 1
    at = best - side * level
    if level == 0 and rng.random() < 2.0 * LEAVER_SHARE * against:
        ladder[at] = 0
        return emptied(rng, ladder, kind, price, lots, row, side, best), best - side
    change = size_drawn(rng, LEVEL_MEDIAN / 4.0, LEVEL_SIGMA)
    is_more = rng.random() < LEVEL_MEDIAN / (LEVEL_MEDIAN + ladder[at])
    ladder[at] = ladder[at] + change if is_more else max(ladder[at] - change, 1)
    return put(kind, price, lots, row, side * LEVEL, at, ladder[at]), best
