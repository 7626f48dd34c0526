"""`python -m benchmarks [name…]`: measures, prints, asserts nothing.

A figure is worth something on a machine that does nothing else meanwhile.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import (
    backtest,
    breakdown,
    decode,
    latency,
    ledger,
    ledger_outage,
    ledger_scale,
    live_path,
    making,
    signing,
    upkeep,
    venue_server,
    wire_path,
)
from benchmarks.report import Options, as_json, machine, save, text
from benchmarks.workload import ROWS, ROWS_FULL

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "state" / "bench"
RESULTS = ROOT / "benchmarks" / "results"
BENCHES = {
    "workload": making.measure,
    "backtest": backtest.measure,
    "breakdown": breakdown.measure,
    "latency": latency.measure,
    "signing": signing.measure,
    "venue-server": venue_server.measure,
    "decode": decode.measure,
    "wire-path": wire_path.measure,
    "live-path": live_path.measure,
    "ledger": ledger.measure,
    "ledger-upkeep": upkeep.measure,
    "ledger-outage": ledger_outage.measure,
    "ledger-scale": ledger_scale.measure,
}
LONG = ("ledger-upkeep", "ledger-outage", "ledger-scale")
"""Minutes each: run when named."""
EVENTS, EVENTS_MIN = 100_000, 10_000
"""Fewer events route too few commands for a percentile."""
ROUNDS_MIN = 3


def asked(arguments: list[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure; print numbers, assert none.")
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"{', '.join(BENCHES)}; all but the last three when none is named"
    )
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the workload (default %(default)s)")
    parser.add_argument("--full", action="store_true", help=f"{ROWS_FULL} rows")
    parser.add_argument("--events", type=int, default=EVENTS, help="market events of latency (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS_MIN, help="rounds (default %(default)s)")
    parser.add_argument("--rival", type=Path, metavar="PYTHON", help="a Python with hftbacktest, for backtest")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/<name>.json")
    found = parser.parse_args(arguments)
    unknown = [name for name in found.names if name not in BENCHES]
    if unknown:
        parser.error(f"no bench is called {unknown[0]}; there are {', '.join(BENCHES)}")
    for key, least in (("rows", 1), ("events", EVENTS_MIN), ("rounds", 1)):
        if getattr(found, key) < least:
            parser.error(f"--{key} {getattr(found, key)}: expected {least} or more")
    return found


def main(arguments: list[str]) -> None:
    """Run the benches asked for and print each when it is done."""
    found = asked(arguments)
    options = Options(ROWS_FULL if found.full else found.rows, found.events, found.rounds, PLACE, found.rival)
    where = machine()
    if not found.json:
        print(", ".join(f"{key} {value}" for key, value in where.items() if key != "libraries"), end="\n\n")
    reports = []
    for name in found.names or [name for name in BENCHES if name not in LONG]:
        report = BENCHES[name](options)
        report.machine = where
        reports.append(report)
        if not found.json:
            print(text(report), flush=True)
        if found.save:
            print(f"saved {save(report, RESULTS).relative_to(ROOT)}", file=sys.stderr)
    if found.json:
        print(as_json(reports))


if __name__ == "__main__":
    main(sys.argv[1:])
