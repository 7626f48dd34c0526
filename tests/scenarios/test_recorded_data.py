"""Every recorded data set that has a book: traded, proven, and the same orders however it is run.

Needs the recordings beside the checkout; says so and skips where they are absent. `-s` prints what each run found.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.bot_runs import DATA, decisions, hat, summary_of

SMALL = (
    "hyperliquid/l2/2025-09-03",
    "hyperliquid/ws_raw",
    "format_samples/bybit",
    "format_samples/binance",
)
LARGE = (
    "hyperliquid/l2/2025-09-04",
    "hyperliquid/bbo_trades",
    "binance/ws_raw/usdm",
    "binance/ws_raw/usdm/btcusdt_20230404.dat.gz",
    "binance/ws_raw/usdm/btcusdt_20230405.dat.gz",
    "binance/ws_raw/usdm/btcusdt_20240808.gz",
    "binance/ws_raw/spot/btcusdt_20230405.dat.gz",
    "binance/ws_raw/spot/btcusdt_20240808.gz",
    "standx/l2",
    "format_samples/tardis",
)
WITHOUT_ORDERS = {"format_samples/binance", "format_samples/tardis", "format_samples/bybit"}
"""Samples of seconds: too short, or without a usable book on both sides, to fill anything."""


def found_in(name: str) -> Path:
    """Return the place of a data set, or skip loudly."""
    place = DATA / name
    if not place.exists():
        pytest.skip(f"no recorded data at {place}")
    return place


def told(name: str, summary: dict[str, Any]) -> str:
    """Return one line about a run."""
    performance = summary["performance"]
    shown = (
        "orders",
        "fills",
        "buys",
        "sells",
        "canceled",
        "rejected",
        "maker_ratio",
        "fill_rate",
        "events",
        "seconds",
    )
    counts = " ".join(f"{key} {summary[key]}" for key in shown)
    ratios = " ".join(f"{key} {performance[key]}" for key in ("sharpe", "sortino", "drawdown_max"))
    return f"{name}: {counts} {ratios} pnl {summary['pnl']} hash {summary['order_list_hash']}"


def same_however_it_is_run(name: str, state_dir: Path, seeds: tuple[str, ...]) -> None:
    """Run a backtest under several hash seeds and a replay through the paced loop, and compare."""
    place = found_in(name)
    runs = [
        summary_of(hat("backtest", place, "--json", "--state-dir", state_dir / seed, PYTHONHASHSEED=seed))
        for seed in seeds
    ]
    replay = summary_of(
        hat("run", "--replay", place, "--speed", "max", "--port", "0", "--json", "--state-dir", state_dir / "replay")
    )
    print(told(name, runs[0]))

    assert {run["order_list_hash"] for run in runs} == {replay["order_list_hash"]}
    assert all(decisions(run) == decisions(replay) for run in runs)
    assert runs[0]["proofs"] == runs[0]["events"] > 0
    assert (runs[0]["orders"] > 0) or name in WITHOUT_ORDERS


@pytest.mark.recorded
@pytest.mark.parametrize("name", SMALL)
def test_small_recording_gives_the_same_orders_paced_and_not(name: str, tmp_path: Path) -> None:
    same_however_it_is_run(name, tmp_path, ("0",))


@pytest.mark.nightly
@pytest.mark.recorded
@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_recording_gives_the_same_orders_under_three_hash_seeds_and_paced(name: str, tmp_path: Path) -> None:
    same_however_it_is_run(name, tmp_path, ("0", "1", "4242"))
