"""The workload's strategy: its arithmetic and its two ways of being woken."""

import pytest

from benchmarks.strategy import INTERVAL_NS, ORDER_LOTS, Form, WorkloadStrategy, skew_ticks, wanted
from benchmarks.workload import PERPETUAL, START_NS
from domain.order import Quote
from domain.views import MarketView
from engine.strategy import StrategyView


def view(ts_ns: int, bid: int = 32_770, ask: int = 32_771, position: int = 0) -> StrategyView:
    market = MarketView(PERPETUAL.symbol, bid, 1, ask, 1, 0, 0, 0, ts_ns)
    return StrategyView(PERPETUAL, market, (), (), position, 0, ts_ns)


@pytest.mark.parametrize(
    ("position", "ticks"), [(0, 0), (299, 0), (300, 1), (-299, 0), (-300, -1), (999, 3), (-950, -3)]
)
def test_skew_truncates_toward_zero(position: int, ticks: int) -> None:
    assert ticks == skew_ticks(position)


@pytest.mark.parametrize(
    ("position", "bid", "ask"),
    [
        (0, 99, 102),
        (300, 98, 101),
        (900, 96, 101),
        (-300, 100, 103),
        (-900, 100, 105),
        (1_000, None, 101),
        (-1_000, 100, None),
    ],
)
def test_quotes_stay_behind_the_best_and_lean_against_the_position(
    position: int, bid: int | None, ask: int | None
) -> None:
    found = wanted("ETH", 100, 101, position)
    assert found.bids == (() if bid is None else (Quote(bid, ORDER_LOTS),))
    assert found.asks == (() if ask is None else (Quote(ask, ORDER_LOTS),))


def test_timer_decides_once_an_interval_on_the_clock() -> None:
    strategy = WorkloadStrategy(Form.TIMER)
    moments = [START_NS + step * INTERVAL_NS // 10 for step in range(1, 41)]
    decided = [ts_ns for ts_ns in moments if strategy.quotes(view(ts_ns, bid=32_000 + ts_ns % 700)) is not None]
    assert decided == [moments[0], *(START_NS + count * INTERVAL_NS for count in range(1, 5))]


def test_event_decides_when_the_mid_moved_two_ticks_or_the_interval_passed() -> None:
    strategy = WorkloadStrategy(Form.EVENT)
    assert strategy.quotes(view(START_NS)) is not None
    assert strategy.quotes(view(START_NS + 1, bid=32_771, ask=32_772)) is None
    assert strategy.quotes(view(START_NS + 2, bid=32_772, ask=32_773)) is not None
    assert strategy.quotes(view(START_NS + 3, bid=32_771, ask=32_772)) is None
    assert strategy.quotes(view(START_NS + 2 + INTERVAL_NS, bid=32_772, ask=32_773)) is not None


@pytest.mark.parametrize("form", Form)
def test_strategy_goes_on_after_a_restore(form: Form) -> None:
    before = WorkloadStrategy(form)
    before.quotes(view(START_NS + 5))
    after = WorkloadStrategy(form)
    after.restore(before.snapshot())
    assert after.snapshot() == before.snapshot()
    assert after.quotes(view(START_NS + 6)) is None
