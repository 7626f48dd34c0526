"""Decision latency: from a market event in hand to the commands it leads to, in one process.

The default two-sided strategy trades three instruments on the synthetic market through the simulated venue, so orders
are filled, replaced and refused as in a paper run. Timed is `Engine.step`: strategy, router, risk gate, pre-check,
ledger. Steps that were caused by a market event are counted: all of them, and those of them that route a command.

    bare              nothing attached
    observed          metrics, log file and spans of every step, on the observer's own thread, wired as the bot does
    … paced           the same with the events coming at a fixed rate, as they do live: between them the process sleeps
    observed dead paced   the same, and the trace collector accepts connections and never answers

Flat out, the observer's thread competes with the engine for the interpreter all the time; that is the worst case, and
what it cannot keep up with is dropped and counted. Paced, it works while the engine waits.
"""

import gc
import socket
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter_ns, sleep

from backtest.runner import Driver
from benchmarks.house import REQUESTS, RUN_ID
from benchmarks.report import Options, Report, Table, medians
from benchmarks.workload import START_NS
from domain.commands import CancelOrder, PlaceOrder, ReplaceOrder
from domain.events import BookChanged, Event, MarkChanged, TopOfBookChanged, TradePrinted
from domain.units import MONEY_UNIT, NS_PER_SECOND, RATE_UNIT
from engine.machine import Engine, Outcome
from engine.settings import EngineSettings
from engine.state import untimed
from engine.strategies.two_sided import TwoSidedMaker, TwoSidedSettings
from exchange.feeds.synthetic import SyntheticMarket
from exchange.hyperliquid.universe import UNIVERSE
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.settings import VenueSettings
from monitoring.logs import EventLog
from monitoring.measure import Measurements
from monitoring.observe import Observation, Observer, Stopwatch
from monitoring.records import Describer
from monitoring.spans import SpanSink
from risk.limits import RiskLimits
from router.maker import MakerSettings

SYMBOLS = ("BTC", "ETH", "SOL")
SEED = 7
WARM_UP = 2_000
"""First market events of a run, not counted: books are empty, code and caches cold."""

PACE_A_SECOND = 2_000
PACED_SHARE = 5
"""Paced runs take one part in so many of the events, or they would last for minutes."""

STOP_SECONDS = 30.0
MARKET = (TopOfBookChanged, BookChanged, TradePrinted, MarkChanged)
ROUTED = (PlaceOrder, ReplaceOrder, CancelOrder)
PERCENTS = (50, 95, 99)

VARIANTS = ("bare", "observed", "bare paced", "observed paced", "observed dead paced")


class Timer:
    """Times the engine's step and keeps what market events cost."""

    def __init__(self, engine: Engine) -> None:
        self._step = engine.step
        self.every: list[int] = []
        self.routed: list[int] = []
        self.started_ns = self.ended_ns = 0

    def step(self, event: Event) -> Outcome:
        """Take one step and its time."""
        started_ns = perf_counter_ns()
        outcome = self._step(event)
        self.started_ns, self.ended_ns = started_ns, perf_counter_ns()
        if isinstance(event, MARKET):
            took_ns = self.ended_ns - started_ns
            self.every.append(took_ns)
            if outcome.commands and any(isinstance(command, ROUTED) for command in outcome.commands):
                self.routed.append(took_ns)
        return outcome


def settings() -> EngineSettings:
    """Return default settings, but for budgets and stops that would end quoting before the run ends."""
    limits = RiskLimits(drawdown_warn=RATE_UNIT, drawdown_stop=RATE_UNIT, daily_loss_max=1_000_000 * MONEY_UNIT)
    return EngineSettings(
        run_id=RUN_ID,
        instruments=tuple(UNIVERSE[symbol] for symbol in SYMBOLS),
        limits=limits,
        maker=MakerSettings(),
        requests_initial=REQUESTS,
    )


def measure(options: Options) -> Report:
    """Run every variant, round by round."""
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
    for _ in range(options.rounds):
        for variant in VARIANTS:
            found[variant].append(measured(variant, options.events))
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
                    one["dropped"] if "observed" in variant else None,
                )
            )
    headings = ("variant", "steps", *(f"p{percent} us" for percent in PERCENTS), "max us", "dropped")
    return Report(
        "latency",
        {
            "market": f"synthetic, {', '.join(SYMBOLS)}, seed {SEED}",
            "events": options.events,
            "paced": f"{options.events // PACED_SHARE} events at {PACE_A_SECOND} a second",
            "rounds": options.rounds,
        },
        [
            Table("Market event to commands; medians over the rounds", headings, rows),
            Table("Observed against bare in the same round, steps that route; median of the ratios",
                  ("percentile", "flat out", "paced", "paced, collector dead"), effects(found)),
        ],
    )  # fmt: skip


def effects(found: dict[str, list[dict[str, float]]]) -> list[tuple[str, float, float, float]]:
    """Return what telemetry does to each percentile: 1.00 is nothing."""

    def ratio(key: str, observed: str, bare: str) -> float:
        return median(one[key] / other[key] for one, other in zip(found[observed], found[bare], strict=True))

    return [
        (f"p{percent}", ratio(f"routed_p{percent}", "observed", "bare"),
         ratio(f"routed_p{percent}", "observed paced", "bare paced"),
         ratio(f"routed_p{percent}", "observed dead paced", "bare paced"))
        for percent in PERCENTS
    ]  # fmt: skip


def measured(variant: str, events: int) -> dict[str, float]:
    """Run one variant and return its percentiles in microseconds."""
    is_paced = "paced" in variant
    count = (events // PACED_SHARE if is_paced else events) + WARM_UP
    gc.collect()
    if "observed" not in variant:
        engine = Engine(settings(), strategy(), untimed)
        timer = Timer(engine)
        drive(engine, timer, count, is_paced, lambda _event, _outcome: None)
        return {"dropped": 0, **percentiles(timer)}
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces" if "dead" in variant else None
        return observed(Path(folder), count, is_paced, endpoint)


def observed(folder: Path, count: int, is_paced: bool, endpoint: str | None) -> dict[str, float]:
    """Run with all telemetry and return percentiles and losses."""
    stopwatch = Stopwatch(perf_counter_ns)
    engine = Engine(settings(), strategy(), stopwatch.timed)
    timer = Timer(engine)
    instruments = {symbol: UNIVERSE[symbol] for symbol in SYMBOLS}
    observer = Observer(
        Measurements(instruments),
        Describer(instruments),
        EventLog(folder / "hat.log"),
        SpanSink({"service.version": "bench"}, seed=SEED, endpoint=endpoint, timeout_seconds=1.0),
    )

    def watch(event: Event, outcome: Outcome) -> None:
        observer.record(Observation(event, outcome.notices, timer.started_ns, timer.ended_ns, stopwatch.take()))

    observer.start()
    try:
        drive(engine, timer, count, is_paced, watch)
        dropped = observer.dropped
    finally:
        observer.stop(STOP_SECONDS)
    return {"dropped": dropped, **percentiles(timer)}


def strategy() -> TwoSidedMaker:
    """Return the strategy a paper run starts with."""
    return TwoSidedMaker(TwoSidedSettings())


def drive(engine: Engine, timer: Timer, count: int, is_paced: bool, watch: Callable[[Event, Outcome], None]) -> None:
    """Run until so many market events were seen."""
    market = SyntheticMarket(tuple(UNIVERSE[symbol] for symbol in SYMBOLS), SEED, START_NS)
    venue = SimulatedExchange(
        {symbol: UNIVERSE[symbol] for symbol in SYMBOLS}, islice(market, 2 * count), VenueSettings()
    )
    driver = Driver(engine, venue, watch=watch, step=timer.step)
    driver.start()
    interval_ns = NS_PER_SECOND // PACE_A_SECOND
    due_ns = perf_counter_ns()
    every = timer.every
    while len(every) < count and driver.advance():
        if is_paced:
            due_ns += interval_ns
            wait_ns = due_ns - perf_counter_ns()
            if wait_ns > 0:
                sleep(wait_ns / NS_PER_SECOND)
        if len(every) == WARM_UP:
            timer.routed.clear()


def percentiles(timer: Timer) -> dict[str, float]:
    """Return count, percentiles and maximum of all steps and of those that route, in microseconds."""
    found: dict[str, float] = {}
    for name, times in (("every", timer.every[WARM_UP:]), ("routed", timer.routed)):
        ordered = sorted(times)
        found[f"{name}_count"] = len(ordered)
        for percent in PERCENTS:
            found[f"{name}_p{percent}"] = ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] / 1_000
        found[f"{name}_max"] = ordered[-1] / 1_000
    return found
