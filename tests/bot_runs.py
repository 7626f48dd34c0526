"""Runs of the real `hat` process, and a small generated recording for them to trade on."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from domain.events import BookChanged, TopOfBookChanged, TradePrinted
from domain.instrument import Instrument
from domain.order import Side
from domain.units import format_scaled
from exchange.feeds.synthetic import SyntheticMarket
from exchange.hyperliquid.universe import UNIVERSE

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
START_NS = 1_757_015_216_000_000_000
SECONDS_MAX = 100
LEVELS = 20


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a run: ours without any HAT_ setting, and changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAT_")}
    return {**kept, "COLUMNS": "120", **changes}


def hat(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `hat` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *(str(one) for one in arguments)],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def started_hat(*arguments: object, **changes: str) -> "subprocess.Popen[str]":
    """Start `hat` and go on."""
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *(str(one) for one in arguments)],
        cwd=ROOT,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def summary_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the object on the last line of standard output of a run that went well."""
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def decisions(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two runs over the same data must have in common."""
    names = ("orders", "fills", "canceled", "rejected", "denied", "volume", "pnl", "order_list_hash", "events")
    return {name: summary[name] for name in names}


def write_recording(folder: Path, coin: str = "SOL", events: int = 6_000, seed: int = 11) -> Path:
    """Write a synthetic market in the layout of Hyperliquid CSV recordings and return the folder."""
    instrument = UNIVERSE[coin]
    folder.mkdir(parents=True, exist_ok=True)
    books = ["timestamp,sequence,exchange_timestamp," + ",".join(_columns())]
    prices = ["timestamp,price,size,side,exchange_timestamp"]
    trades = ["timestamp,price,size,side,trade_id,exchange_timestamp"]
    for event in islice(SyntheticMarket((instrument,), seed, START_NS), events):
        local = format_scaled(event.ts_recv_ns // 100, 7)
        venue = event.ts_event_ns // 1_000_000
        match event:
            case BookChanged():
                books.append(f"{local},{venue},{venue}," + ",".join(_levels(event, instrument)))
            case TopOfBookChanged():
                for side, price, lots in (
                    ("bid", event.bid_price, event.bid_lots),
                    ("ask", event.ask_price, event.ask_lots),
                ):
                    prices.append(f"{local},{_price(instrument, price)},{_size(instrument, lots)},{side},{venue}")
            case TradePrinted():
                side = "buy" if event.side is Side.BUY else "sell"
                trades.append(
                    f"{local},{_price(instrument, event.price)},{_size(instrument, event.lots)},{side},{event.trade_id},{venue}"
                )
            case _:
                continue
    for name, rows in (("orderbooks", books), ("prices", prices), ("trades", trades)):
        with gzip.open(folder / f"{name}_{coin}.csv.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(rows) + "\n")
    return folder


def _columns() -> list[str]:
    names = ("bid_price", "bid_size", "ask_price", "ask_size")
    return [f"{name}_{level}" for level in range(LEVELS) for name in names]


def _levels(event: BookChanged, instrument: Instrument) -> list[str]:
    cells: list[str] = []
    for level in range(LEVELS):
        for side in (event.bids, event.asks):
            if level < len(side):
                price, lots = side[level]
                cells += [_price(instrument, price), _size(instrument, lots)]
            else:
                cells += ["", ""]
    return cells


def _price(instrument: Instrument, price: int) -> str:
    return format_scaled(price, instrument.price_decimals)


def _size(instrument: Instrument, lots: int) -> str:
    return format_scaled(lots, instrument.size_decimals)
