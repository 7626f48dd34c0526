"""Backtest speed in engine mode: rows, facts and engine events a second on the workload, and the memory it takes.

Every run is a process of its own, so that peak memory is that of the run; in a round each variant has its turn. The
clock runs from the first chunk read to the last order drained; starting Python and making the tape are left out.

    feed    the facts are made and dropped: what streaming the tape costs
    venue   the simulated exchange delivers them, nobody trades
    none    the engine follows, its strategy wants nothing
    timer   the workload's strategy, every 100 ms
    event   the workload's strategy, at a message when the mid moved two ticks or 100 ms passed
    rival   hftbacktest with the same strategy, every 100 ms; only when asked for (`hftbacktest_twin.py`)
"""

import gc
import json
import resource
import subprocess
import sys
from collections import deque
from pathlib import Path
from time import perf_counter

from benchmarks.facts import facts
from benchmarks.house import VENUE, run
from benchmarks.report import Cell, Options, Report, Table, medians
from benchmarks.workload import PERPETUAL, Tape, tape
from exchange.simulated.exchange import SimulatedExchange

FEED, VENUE_ALONE, RIVAL = "feed", "venue", "rival"
VARIANTS = (FEED, VENUE_ALONE, "none", "timer", "event")
MEMORY_UNIT = 1024 * 1024
ROOT = Path(__file__).resolve().parents[1]


def measure(options: Options) -> Report:
    """Run every variant in its own process, round by round."""
    data = tape(options.rows, options.place)
    variants = (*VARIANTS, RIVAL) if options.rival else VARIANTS
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in variants}
    for _ in range(options.rounds):
        for variant in variants:
            found[variant].append(in_own_process(command(data, variant, options.rival)))
    rows = []
    for variant in variants:
        one = medians(found[variant])
        rows.append(row_of(variant, one, data))
    headings = ("variant", "seconds", "rows/s", "messages/s", "events/s", "peak MB", "of it run", "orders", "fills",
                "net USDC")  # fmt: skip
    return Report(
        "backtest",
        {"tape": data.about, "rounds": options.rounds},
        [Table("Medians over the rounds; events are engine steps", headings, rows)],
        ["Ledger store, log and metrics are not attached; `of it run` is peak memory less that of the loaded program."],
    )


def row_of(variant: str, one: dict[str, float], data: Tape) -> tuple[Cell, ...]:
    """Return a line of the table; what a variant has none of is left out."""
    seconds = one["seconds"]
    return (
        variant,
        round(seconds, 2),
        data.rows / seconds,
        data.about["messages"] / seconds,
        one["events"] / seconds if "events" in one else None,
        round(one["peak_mb"]) if "peak_mb" in one else None,
        round(one["peak_mb"] - one["start_mb"]) if "peak_mb" in one else None,
        one.get("orders"),
        one.get("fills"),
        one.get("net_usd"),
    )


def command(data: Tape, variant: str, rival: Path | None) -> list[str]:
    """Return how a variant is started."""
    if variant == RIVAL:
        return [str(rival), str(ROOT / "benchmarks" / "hftbacktest_twin.py"), str(data.folder)]
    return [sys.executable, "-m", "benchmarks.backtest", str(data.folder), variant]


def in_own_process(command: list[str]) -> dict[str, float]:
    """Return what one run measured of itself."""
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def measured(data: Tape, variant: str) -> dict[str, float]:
    """Run one variant here and now."""
    gc.collect()
    start_mb = peak_mb()
    started = perf_counter()
    result: dict[str, float] = {}
    if variant == FEED:
        deque(facts(data), maxlen=0)
    elif variant == VENUE_ALONE:
        deliver(SimulatedExchange({PERPETUAL.symbol: PERPETUAL}, facts(data), VENUE))
    else:
        result = run(facts(data), variant)
    return {"seconds": perf_counter() - started, "start_mb": start_mb, "peak_mb": peak_mb(), **result}


def deliver(venue: SimulatedExchange) -> None:
    """Make everything happen that the venue has."""
    while venue.next_ts_ns() is not None:
        venue.advance()


def peak_mb() -> float:
    """Return the most memory this process ever had resident, in MiB.

    Linux tells it per program; getrusage, which other systems have, also counts what the process was before it became
    this program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / MEMORY_UNIT
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MEMORY_UNIT if sys.platform == "darwin" else peak * 1024 / MEMORY_UNIT


if __name__ == "__main__":
    print(json.dumps(measured(Tape(Path(sys.argv[1])), sys.argv[2])))
