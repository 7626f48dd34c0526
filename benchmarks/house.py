"""The house as the workload wants it: engine, simulated venue and driver, with limits that are checked but never met.

The figures are of the unabridged engine: risk gate, pre-check, ledger, notices and the driver's proof after every step.
What differs from the defaults is the venue of the workload (50 ms to the venue, none back, rebate 0.2 bp, taker fee
3.5 bp, conservative queue, no funding) and limits so roomy that the strategy alone decides.
"""

from collections.abc import Iterator

from backtest.runner import Driver, run_to_end
from benchmarks.strategy import INTERVAL_NS, Form, WorkloadStrategy
from benchmarks.workload import PERPETUAL
from domain.commands import PlaceOrder, ReplaceOrder
from domain.events import Event, MarketEvent
from domain.identifiers import RunId
from domain.notices import FillBooked
from domain.units import MONEY_UNIT, NS_PER_MS, NS_PER_SECOND, RATE_UNIT
from engine.machine import Engine, Outcome
from engine.settings import EngineSettings
from engine.strategies.null import NullStrategy
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.settings import LatencySettings, QueueModel, VenueSettings
from risk.limits import InstrumentLimits, RiskLimits
from router.maker import MakerSettings

RUN_ID = RunId(0xBE7C)
REQUESTS = 10**12
"""The venue's address budget; the strategy sends more orders than it earns by trading."""

LIMITS = RiskLimits(
    default=InstrumentLimits(order_notional_max=100_000 * MONEY_UNIT, position_notional_max=100_000 * MONEY_UNIT),
    total_exposure_max=200_000 * MONEY_UNIT,
    orders_per_interval_max=1_000_000,
    drawdown_warn=RATE_UNIT,
    drawdown_stop=RATE_UNIT,
    daily_loss_max=10_000_000 * MONEY_UNIT,
    market_data_age_ns_max=60 * NS_PER_SECOND,
)
MAKER = MakerSettings(reprice_ticks=0, resize_share=RATE_UNIT - 1, use_replace=True)
"""An order at its price is kept, whatever is left of it."""

VENUE = VenueSettings(
    cash=100_000 * MONEY_UNIT,
    leverage=10,
    maker_rate=-20_000,
    taker_rate=350_000,
    queue_model=QueueModel.CONSERVATIVE,
    feed_latency=None,
    order_latency=LatencySettings(median_ns=50 * NS_PER_MS),
    response_latency=LatencySettings(median_ns=0),
    funding_on=False,
)

NO_STRATEGY = "none"
FORMS = (Form.TIMER.value, Form.EVENT.value, NO_STRATEGY)


class Counter:
    """Counts what a run did, at next to no cost."""

    def __init__(self) -> None:
        self.orders = self.fills = 0

    def take(self, event: Event, outcome: Outcome) -> None:
        """Count one step; orders are new ones and replacements."""
        del event
        for command in outcome.commands:
            kind = type(command)
            self.orders += kind is PlaceOrder or kind is ReplaceOrder
        for notice in outcome.notices:
            self.fills += type(notice) is FillBooked


def settings(form: str) -> EngineSettings:
    """Return the engine's settings. The timer form decides at the pulse, so its pulse is its interval."""
    pulse_ns = INTERVAL_NS if form == Form.TIMER else NS_PER_SECOND
    return EngineSettings(
        run_id=RUN_ID,
        instruments=(PERPETUAL,),
        limits=LIMITS,
        maker=MAKER,
        leverage=10,
        pulse_interval_ns=pulse_ns,
        requests_initial=REQUESTS,
    )


def driver_of(feed: Iterator[MarketEvent], form: str, counter: Counter) -> Driver:
    """Return engine and venue joined, ready to run over a feed of the workload."""
    strategy = NullStrategy() if form == NO_STRATEGY else WorkloadStrategy(Form(form))
    venue = SimulatedExchange({PERPETUAL.symbol: PERPETUAL}, feed, VENUE)
    return Driver(Engine(settings(form), strategy), venue, watch=counter.take)


def run(feed: Iterator[MarketEvent], form: str) -> dict[str, float]:
    """Run a feed to its end and return what came of it; money in USDC."""
    counter = Counter()
    driver = driver_of(feed, form, counter)
    run_to_end(driver)
    state = driver.engine.state
    totals = state.book.totals(state.marks)
    return {
        "events": driver.events,
        "orders": counter.orders,
        "fills": counter.fills,
        "net_usd": round(totals.net / MONEY_UNIT, 2),
        "mode": state.mode.label,
    }
