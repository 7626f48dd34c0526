"""What the workload is and how fast it is made: its figures beside those it imitates."""

from time import perf_counter

from benchmarks import generator
from benchmarks.report import Options, Report, Table, medians
from benchmarks.workload import SEED, digest

IMITATED = {
    "rows a message": 1.379,
    "trades a row": 0.159,
    "market seconds a million rows": 5_911.0,
    "one-tick spread, share of time": 0.81,
}
"""Source: the market the house's anchors were measured on (8 M rows, 5.8 M messages, 1.27 M trades, 47,289 s)."""


def measure(options: Options) -> Report:
    """Make the workload, round by round."""
    generator.made(1_000, SEED)
    rounds = []
    columns = {}
    for _ in range(options.rounds):
        started = perf_counter()
        columns = generator.made(options.rows, SEED)
        rounds.append({"seconds": perf_counter() - started})
    about = generator.described(columns)
    rows, seconds = about["rows"], medians(rounds)["seconds"]
    found = {
        "rows a message": rows / about["messages"],
        "trades a row": about["trades"] / rows,
        "market seconds a million rows": about["market_seconds"] / rows * 1_000_000,
        "one-tick spread, share of time": about["one_tick_spread_share"],
    }
    return Report(
        "workload",
        {"seed": SEED, **about, "sha256": digest(columns), "rounds": options.rounds},
        [
            Table("The market", ("figure", "made", "imitated"),
                  [(name, f"{value:.3f}", f"{IMITATED[name]:.3f}") for name, value in found.items()]),
            Table("Making it", ("what", "seconds", "rows/s"), [("generator", round(seconds, 3), rows / seconds)]),
        ],
    )  # fmt: skip
