"""Measurements: what each notice and each step does to the series, read back as Prometheus would."""

import msgspec
import pytest

from domain.events import MarkChanged, TimerFired
from domain.lifecycle import State, Trigger
from domain.modes import Mode
from domain.notices import (
    FactNoted,
    KillSwitchEngaged,
    KillSwitchReset,
    LimitWarned,
    MarketDataSkipped,
    ModeChanged,
    RiskDecided,
)
from domain.order import Liquidity, Side
from domain.reasons import Reason
from domain.units import MONEY_UNIT, NS_PER_MS, NS_PER_SECOND
from monitoring.markouts import FILLS_REMEMBERED_MAX
from monitoring.measure import Measurements, ProcessError
from tests.monitoring.observations import (
    CLOSED,
    CORRECTED,
    FOUND,
    INSTRUMENTS,
    LOTS,
    ONE_OF_EACH,
    T0,
    fill,
    marked,
    markout,
    moved,
    order,
    posted,
    risk,
    top,
)


@pytest.fixture
def measurements() -> Measurements:
    return Measurements(INSTRUMENTS)


def value(measurements: Measurements, name: str, **labels: str) -> float | None:
    return measurements.registry.get_sample_value(name, labels)


@pytest.mark.parametrize("notice", ONE_OF_EACH, ids=lambda notice: type(notice).__name__)
def test_every_kind_of_notice_is_taken(measurements: Measurements, notice: object) -> None:
    measurements.take(notice)


@pytest.mark.parametrize(
    ("old", "trigger", "new", "name"),
    [
        (State.VALIDATED, Trigger.SUBMIT, State.SUBMITTED, "orders_placed_total"),
        (State.OPEN, Trigger.FILL_COMPLETE, State.FILLED, "orders_filled_total"),
        (State.PENDING_CANCEL, Trigger.CONFIRM_CANCEL, State.CANCELED, "orders_cancelled_total"),
        (State.SUBMITTED, Trigger.REJECT, State.REJECTED, "orders_rejected_total"),
    ],
)
def test_order_counter_counts_the_move_and_nothing_that_stays(
    measurements: Measurements, old: State, trigger: Trigger, new: State, name: str
) -> None:
    assert value(measurements, name) == 0
    measurements.take(moved(order(1), old, trigger, new))
    measurements.take(moved(order(1), new, trigger, new))
    assert value(measurements, name) == 1


def test_denied_order_counts_by_reason_and_is_not_rejected(measurements: Measurements) -> None:
    measurements.take(moved(order(1), State.SIGNAL, Trigger.DENY, State.DENIED, reason=Reason.INVALID_TICK))
    assert value(measurements, "orders_denied_total", reason="invalid_tick") == 1
    assert value(measurements, "orders_rejected_total") == 0


def test_order_in_doubt_is_an_error_by_reason(measurements: Measurements) -> None:
    measurements.take(moved(order(1), State.OPEN, Trigger.LOSE, State.UNKNOWN, reason=Reason.ANSWER_TIMED_OUT))
    assert value(measurements, "errors_total", type="answer_timed_out") == 1


def test_order_latency_is_the_time_until_the_first_answer(measurements: Measurements) -> None:
    measurements.take(moved(order(1), State.SUBMITTED, Trigger.ACCEPT, State.OPEN, lasted_ns=30 * NS_PER_MS))
    measurements.take(moved(order(1), State.OPEN, Trigger.FILL_COMPLETE, State.FILLED, lasted_ns=NS_PER_SECOND))
    assert value(measurements, "order_latency_seconds_count") == 1
    assert value(measurements, "order_latency_seconds_sum") == pytest.approx(0.03)


def test_risk_denial_is_a_violation_and_an_approval_is_none(measurements: Measurements) -> None:
    before = value(measurements, "risk_violations_total", reason="price_band")
    measurements.take(risk(order(1)))
    measurements.take(RiskDecided(order(1), "BTC", Reason.REDUCED_TO_FIT, LOTS, LOTS // 2, ts_ns=T0))
    measurements.take(risk(order(2), Reason.PRICE_BAND))
    assert (before, 1) == (0, value(measurements, "risk_violations_total", reason="price_band"))
    assert value(measurements, "risk_violations_total", reason="reduced_to_fit") is None
    assert value(measurements, "risk_violations_total", reason="none") is None


def test_kill_switch_shows_and_counts_and_resets(measurements: Measurements) -> None:
    measurements.take(KillSwitchEngaged(Reason.HALTED_BY_INVARIANT, "cash", ts_ns=T0))
    assert value(measurements, "kill_switch_engaged") == 1
    assert value(measurements, "risk_violations_total", reason="halted_by_invariant") == 1
    assert value(measurements, "errors_total", type="halted_by_invariant") == 1
    measurements.take(KillSwitchReset("seen", ts_ns=T0))
    assert value(measurements, "kill_switch_engaged") == 0
    measurements.take(KillSwitchEngaged(Reason.HALTED_BY_OPERATOR, "", ts_ns=T0))
    assert value(measurements, "errors_total", type="halted_by_operator") is None


def test_mode_is_one_flag_of_many(measurements: Measurements) -> None:
    flags = lambda: {mode.label for mode in Mode if value(measurements, "bot_mode", mode=mode.label)}  # noqa: E731
    assert flags() == {"starting"}
    measurements.take(ModeChanged(Mode.STARTING, Mode.RECONCILING, Reason.NONE, ts_ns=T0))
    measurements.take(ModeChanged(Mode.RECONCILING, Mode.TRADING, Reason.NONE, ts_ns=T0))
    assert flags() == {"trading"}


def test_skipped_data_and_odd_facts_are_errors_by_reason(measurements: Measurements) -> None:
    measurements.take(MarketDataSkipped("BTC", Reason.BOOK_CROSSED, ts_ns=T0))
    measurements.take(FactNoted(order(1), Reason.LATE_FILL, ts_ns=T0))
    measurements.take(LimitWarned(Reason.DRAWDOWN, 2, 3, ts_ns=T0))
    assert value(measurements, "errors_total", type="book_crossed") == 1
    assert value(measurements, "errors_total", type="late_fill") == 1
    assert value(measurements, "limit_warnings_total", reason="drawdown") == 1


def test_discrepancy_counts_once_and_its_booking_as_a_correction(measurements: Measurements) -> None:
    assert value(measurements, "corrections_total", cause="unexplained") == 0
    for notice in (FOUND, CORRECTED, msgspec.structs.replace(FOUND, is_booked=True)):
        measurements.take(notice)
        assert value(measurements, "discrepancy_open") == 1
    measurements.take(CLOSED)
    assert value(measurements, "discrepancy_open") == 0
    assert value(measurements, "discrepancies_total") == 1
    assert value(measurements, "corrections_total", cause="unexplained") == 1
    assert value(measurements, "corrections_total", cause="late_fill") == 0
    assert value(measurements, "corrections_total", cause="none") is None


def test_residual_and_ledger_size_are_what_was_set(measurements: Measurements) -> None:
    measurements.set_residual(-MONEY_UNIT // 4)
    measurements.set_ledger_size({"fills": 12, "postings": 40}, 81_920)
    assert value(measurements, "equity_residual") == -0.25
    assert value(measurements, "ledger_rows", table="fills") == 12
    assert value(measurements, "ledger_rows", table="postings") == 40
    assert value(measurements, "ledger_bytes") == 81_920


def test_markouts_average_over_the_traded_notional_in_our_favor(measurements: Measurements) -> None:
    for sequence, side, notional in ((1, Side.BUY, 300), (2, Side.SELL, 100)):
        measurements.take(posted(sequence))
        measurements.take(fill(order(1), notional=notional * MONEY_UNIT, side=side, fill_mid_x2=20_000))
    measurements.take(markout(1, 20_020))
    assert value(measurements, "average_markout_bps", horizon="1s") == pytest.approx(10)
    measurements.take(markout(2, 20_020))
    assert value(measurements, "average_markout_bps", horizon="1s") == pytest.approx(5)
    measurements.take(markout(1, 19_980, 10 * NS_PER_SECOND))
    assert value(measurements, "average_markout_bps", horizon="10s") == pytest.approx(-10)


def test_markout_of_a_fill_without_mid_or_long_forgotten_counts_nothing(measurements: Measurements) -> None:
    measurements.take(posted(1))
    measurements.take(fill(order(1), fill_mid_x2=0))
    measurements.take(markout(1, 20_020))
    for sequence in range(2, FILLS_REMEMBERED_MAX + 4):
        measurements.take(posted(sequence))
        measurements.take(fill(order(1), fill_mid_x2=20_000, notional=0))
    measurements.take(markout(2, 20_020))
    assert value(measurements, "average_markout_bps", horizon="1s") is None
    measurements.take(markout(FILLS_REMEMBERED_MAX + 3, 20_020))
    assert value(measurements, "average_markout_bps", horizon="1s") is None


def test_fills_give_ratios_over_the_traded_notional(measurements: Measurements) -> None:
    measurements.take(fill(order(1), notional=300 * MONEY_UNIT, fee=-3 * MONEY_UNIT // 100, slippage=0))
    measurements.take(
        fill(order(2), T0, Liquidity.TAKER, -100 * MONEY_UNIT, fee=5 * MONEY_UNIT // 100, slippage=MONEY_UNIT)
    )
    assert value(measurements, "maker_ratio") == 0.75
    assert value(measurements, "fills_total", liquidity="maker") == 1
    assert value(measurements, "traded_notional_total", liquidity="taker") == 100
    assert value(measurements, "average_fee_bps") == pytest.approx(0.5)
    assert value(measurements, "average_slippage_bps") == pytest.approx(25)


def test_fill_without_notional_divides_by_nothing(measurements: Measurements) -> None:
    measurements.take(fill(order(1), notional=0))
    assert value(measurements, "maker_ratio") == 0


def test_fill_rate_counts_ended_orders_once(measurements: Measurements) -> None:
    measurements.take(moved(order(1), State.OPEN, Trigger.CONFIRM_CANCEL, State.CANCELED, filled=1))
    measurements.take(moved(order(2), State.OPEN, Trigger.CONFIRM_CANCEL, State.CANCELED))
    measurements.take(moved(order(2), State.CANCELED, Trigger.FILL_COMPLETE, State.FILLED, filled=LOTS))
    measurements.take(moved(order(3), State.SIGNAL, Trigger.DENY, State.DENIED))
    assert value(measurements, "fill_rate") == 0.5
    assert value(measurements, "orders_filled_total") == 1


def test_account_shows_in_usdc_and_percent(measurements: Measurements) -> None:
    measurements.take(marked())
    shown = {
        name: value(measurements, name)
        for name in ("current_equity", "current_drawdown", "max_drawdown", "margin_ratio", "position_count")
    }
    assert {
        "current_equity": 9_900,
        "current_drawdown": 1.25,
        "max_drawdown": 2.5,
        "margin_ratio": 0.1,
        "position_count": 2,
    } == shown
    assert value(measurements, "total_exposure") == 700
    assert value(measurements, "value_at_risk") == 8
    assert value(measurements, "open_orders") == 4
    assert value(measurements, "liquidation_pnl") == -6
    assert value(measurements, "unexplained_balance") == 7.5


def test_causes_sum_to_net(measurements: Measurements) -> None:
    measurements.take(marked())
    causes = ("realized_pnl", "unrealized_pnl", "funding_pnl", "fee_pnl", "rebate_pnl")
    assert value(measurements, "net_pnl") == pytest.approx(sum(value(measurements, name) for name in causes))
    assert value(measurements, "slippage_pnl") == -4


def test_step_fills_the_histograms_of_its_stages(measurements: Measurements) -> None:
    stages = (("risk_calculation", 0, 20_000), ("api_validation", 0, 10_000), ("something_else", 0, 5))
    measurements.take_step(top(), 150_000, stages)
    assert value(measurements, "loop_duration_seconds_sum") == pytest.approx(150e-6)
    assert value(measurements, "risk_calculation_time_seconds_sum") == pytest.approx(20e-6)
    assert value(measurements, "validation_time_seconds_sum") == pytest.approx(10e-6)


def test_market_data_age_is_taken_at_the_scrape(measurements: Measurements) -> None:
    measurements.exposition(T0)
    assert value(measurements, "market_data_age_seconds", symbol="BTC") is None
    measurements.take_step(top(T0), 1)
    measurements.take_step(TimerFired("pulse", ts_event_ns=T0 + 1, ts_recv_ns=T0 + NS_PER_SECOND), 1)
    measurements.exposition(T0 + 2 * NS_PER_SECOND)
    assert value(measurements, "market_data_age_seconds", symbol="BTC") == 2
    measurements.take_step(MarkChanged("BTC", 1, 1, ts_event_ns=T0, ts_recv_ns=T0 + 5 * NS_PER_SECOND), 1)
    measurements.exposition(T0)
    assert value(measurements, "market_data_age_seconds", symbol="BTC") == 0


def test_unknown_symbol_adds_no_series(measurements: Measurements) -> None:
    for number in range(50):
        measurements.take_step(top(T0, f"COIN{number}"), 1)
    measurements.exposition(T0)
    assert value(measurements, "market_data_age_seconds", symbol="COIN0") is None
    assert [("BTC", 0)] == list(measurements.last_seen_ns())


def test_number_of_series_is_bounded_whatever_happens(measurements: Measurements) -> None:
    """Cardinality: every reason through every notice that has one, many orders, many symbols."""
    for number, reason in enumerate(Reason):
        measurements.take(risk(order(number + 1), reason))
        measurements.take(moved(order(number + 1), State.SIGNAL, Trigger.DENY, State.DENIED, reason=reason))
        measurements.take(FactNoted(order(number + 1), reason, ts_ns=T0))
        measurements.take(KillSwitchEngaged(reason, "", ts_ns=T0))
        measurements.take(LimitWarned(reason, 1, 1, ts_ns=T0))
        measurements.take_step(top(T0, f"COIN{number}"), 1)
    samples = sum(len(family.samples) for family in measurements.registry.collect())
    assert samples < 5 * len(Reason) + 200


def test_losses_only_rise(measurements: Measurements) -> None:
    for total in (3, 2, 7):
        measurements.set_dropped("spans", total)
    assert value(measurements, "telemetry_dropped_total", what="spans") == 7


def test_process_errors_begin_at_zero_and_count(measurements: Measurements) -> None:
    assert {value(measurements, "errors_total", type=kind.value) for kind in ProcessError} == {0}
    measurements.take_error(ProcessError.PROJECTION, 2)
    assert value(measurements, "errors_total", type="projection") == 2


def test_health_and_backlog_show(measurements: Measurements) -> None:
    measurements.set_health(0.5)
    measurements.set_projection_backlog(12)
    assert (0.5, 12) == (value(measurements, "system_health"), value(measurements, "projection_backlog"))


def test_openmetrics_leads_from_a_bucket_to_the_orders_trace(measurements: Measurements) -> None:
    measurements.take(moved(order(1), State.SUBMITTED, Trigger.ACCEPT, State.OPEN, lasted_ns=30 * NS_PER_MS))
    body, content_type = measurements.exposition(T0, "application/openmetrics-text; version=1.0.0")
    assert "openmetrics" in content_type
    assert f'trace_id="{order(1)[2:]}"' in body.decode()
    plain, content_type = measurements.exposition(T0)
    assert content_type.startswith("text/plain")
    assert "trace_id" not in plain.decode()
