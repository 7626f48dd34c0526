"""The same strategy on the same tape in hftbacktest, for a paired comparison: a script for another interpreter.

hftbacktest is no dependency of this project. Put it into an environment of its own and name its Python:

    python -m benchmarks backtest --rival /path/to/python

Its data are put into memory and its code compiled before the clock starts, which is in its favor. Venue: 50 ms to the
venue, none back, risk-averse queue, whole fills only, rebate 0.2 bp, taker fee 3.5 bp. Its fills differ from ours where
ours are partial.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTX,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

TICK, LOT, ORDER_SIZE = 0.1, 0.001, 0.1
INTERVAL_NS = 100_000_000
ORDER_LATENCY_NS = 50_000_000
ROWS_TO_WARM_UP = 5_000
ROOM_TICKS = 1_000
"""The price range it is told lies this far around the prices of the tape."""


def events(folder: Path) -> np.ndarray:
    """Return the tape in hftbacktest's columns."""
    kind, price, lots, sent, received = (
        np.load(folder / f"{name}.npy") for name in ("kind", "price", "lots", "ts_event_ns", "ts_recv_ns")
    )
    found = np.zeros(len(kind), event_dtype)
    what = np.where(np.abs(kind) == 1, DEPTH_EVENT, TRADE_EVENT).astype(np.uint64)
    side = np.where(kind > 0, BUY_EVENT, SELL_EVENT).astype(np.uint64)
    found["ev"] = what | side | np.uint64(EXCH_EVENT | LOCAL_EVENT)
    found["exch_ts"], found["local_ts"] = sent, received
    found["px"], found["qty"] = price * TICK, lots * LOT
    return found


def opened(data: np.ndarray) -> ROIVectorMarketDepthBacktest:
    """Return a backtest over the data, ready to run."""
    asset = (
        BacktestAsset()
        .data([data])
        .linear_asset(1.0)
        .constant_order_latency(ORDER_LATENCY_NS, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(-0.00002, 0.00035)
        .tick_size(TICK)
        .lot_size(LOT)
        .roi_lb(data["px"].min() - ROOM_TICKS * TICK)
        .roi_ub(data["px"].max() + ROOM_TICKS * TICK)
    )
    return ROIVectorMarketDepthBacktest([asset])


@njit
def timer(hbt):
    """Run the timer form to the end; return how many orders were sent."""
    sent = 0
    while hbt.elapse(INTERVAL_NS) == 0:
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        best_bid, best_ask = depth.best_bid_tick, depth.best_ask_tick
        units = round(hbt.position(0) / ORDER_SIZE)
        skew = units // 3 if units >= 0 else -(-units // 3)
        bid = min(best_bid - 1 - skew, best_ask - 1) if units < 10 else -1
        ask = max(best_ask + 1 - skew, best_bid + 1) if units > -10 else -1
        has_bid, has_ask = False, False
        orders = hbt.orders(0).values()
        while orders.has_next():
            order = orders.get()
            wanted = bid if order.side == 1 else ask
            if not order.cancellable or order.price_tick == wanted:
                if order.side == 1:
                    has_bid = True
                else:
                    has_ask = True
            else:
                hbt.cancel(0, order.order_id, False)
        if bid > 0 and not has_bid:
            sent += 1
            hbt.submit_buy_order(0, sent, bid * TICK, ORDER_SIZE, GTX, LIMIT, False)
        if ask > 0 and not has_ask:
            sent += 1
            hbt.submit_sell_order(0, sent, ask * TICK, ORDER_SIZE, GTX, LIMIT, False)
    return sent


def main(folder: Path) -> None:
    """Compile on a piece, run the whole, print what came of it."""
    data = events(folder)
    warm = opened(data[:ROWS_TO_WARM_UP])
    timer(warm)
    warm.close()
    hbt = opened(data)
    started = perf_counter()
    orders = timer(hbt)
    seconds = perf_counter() - started
    state, depth = hbt.state_values(0), hbt.depth(0)
    net = state.balance + state.position * (depth.best_bid + depth.best_ask) / 2 - state.fee
    print(
        json.dumps(
            {"seconds": seconds, "orders": int(orders), "fills": int(state.num_trades), "net_usd": round(float(net), 2)}
        )
    )
    hbt.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
