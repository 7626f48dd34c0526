"""What a stopped database does to a decision: the engine's step while PostgreSQL answers, and while it is down.

The bench `latency`, paced, with the ledger's projection beside the engine as the bot has it: the loop appends notices, a
thread writes them. In each round three variants have their turn: no ledger at all, a ledger whose server is up, and one
whose server is stopped just before the first event and started again after the last. Paced at 2,000 events a second, half
a minute of outage is 60,000 events. Afterwards the ledger must catch up; how long that takes is told.
"""

import gc
from statistics import median
from time import perf_counter

from benchmarks.latency import PACE_A_SECOND, PERCENTS, WARM_UP, Timer, drive, percentiles, settings, strategy
from benchmarks.ledger_workload import record
from benchmarks.report import Options, Report, Table, medians
from bot.projection import Projection
from engine.machine import Engine
from engine.state import untimed
from ledger.store import LedgerStore
from tests.postgres import PostgresServer, binaries

OUTAGE_SECONDS = 30
EVENTS_MAX = OUTAGE_SECONDS * PACE_A_SECOND
VARIANTS = ("no ledger", "server up", "server stopped")
CATCH_UP_SECONDS = 120.0


def measure(options: Options) -> Report:
    """Run every variant, round by round."""
    events = min(options.events, EVENTS_MAX)
    setting = {
        "events": events,
        "outage": f"{events / PACE_A_SECOND:.1f} s",
        "paced": f"{PACE_A_SECOND} events a second",
        "rounds": options.rounds,
    }
    if binaries() is None:
        return Report("ledger-outage", setting, [], ["left out: no PostgreSQL for this machine"])
    server = PostgresServer(is_durable=True)
    server.start()
    try:
        found = {variant: [] for variant in VARIANTS}
        for _ in range(options.rounds):
            for variant in VARIANTS:
                found[variant].append(measured(variant, server, events))
    finally:
        server.remove()
    rows = []
    for variant in VARIANTS:
        one = medians(found[variant])
        for steps in ("routed", "every"):
            rows.append(
                (
                    f"{variant}, {'steps that route' if steps == 'routed' else 'all steps'}",
                    one[f"{steps}_count"],
                    *(one[f"{steps}_p{percent}"] for percent in PERCENTS),
                    one[f"{steps}_max"],
                    one["backlog"],
                    one["catch_up"],
                )
            )
    headings = ("variant", "steps", *(f"p{percent} us" for percent in PERCENTS), "max us", "backlog", "catch-up s")
    return Report(
        "ledger-outage",
        setting,
        [
            Table("Market event to commands; medians over the rounds", headings, rows),
            Table("Stopped against up in the same round; median of the ratios",
                  ("percentile", "steps that route", "all steps"), effects(found)),
        ],
    )  # fmt: skip


def effects(found: dict[str, list[dict[str, float]]]) -> list[tuple[str, float, float]]:
    """Return what the outage does to each percentile: 1.00 is nothing."""

    def ratio(key: str) -> float:
        pairs = zip(found["server stopped"], found["server up"], strict=True)
        return median(stopped[key] / up[key] for stopped, up in pairs)

    return [(f"p{percent}", ratio(f"routed_p{percent}"), ratio(f"every_p{percent}")) for percent in PERCENTS]


def measured(variant: str, server: PostgresServer, events: int) -> dict[str, float]:
    """Run one variant; return percentiles in microseconds, the backlog at the end and the seconds to catch up."""
    gc.collect()
    engine = Engine(settings(), strategy(), untimed)
    timer = Timer(engine)
    if variant == "no ledger":
        drive(engine, timer, events + WARM_UP, True, lambda _event, _outcome: None)
        return {"backlog": 0, "catch_up": 0.0, **percentiles(timer)}
    url = server.create_database()
    store = LedgerStore(url)
    store.begin_run(record(settings().run_id))
    projection = Projection(store)
    projection.start()
    if variant == "server stopped":
        server.stop()
    drive(engine, timer, events + WARM_UP, True, lambda _event, outcome: projection.put(outcome.notices))
    backlog = projection.backlog
    if variant == "server stopped":
        server.start()
    started = perf_counter()
    assert projection.stop(CATCH_UP_SECONDS), projection.trouble
    catch_up = perf_counter() - started
    problems = store.problems()
    store.close()
    server.drop_database(url)
    assert not problems, problems[0]
    return {"backlog": backlog, "catch_up": catch_up, **percentiles(timer)}
