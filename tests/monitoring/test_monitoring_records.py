"""Records: every notice has one, in the runbook's words, with numbers a person can read."""

import json

import pytest

from domain.identifiers import NO_ORDER
from domain.lifecycle import State, Trigger
from domain.modes import Mode
from domain.notices import FactNoted, KillSwitchEngaged, MarketDataSkipped, ModeChanged
from domain.reasons import Reason
from domain.units import NS_PER_SECOND
from monitoring.logs import line
from monitoring.records import Component, Describer, Level
from tests.monitoring.observations import (
    CLOSED,
    CORRECTED,
    FOUND,
    INSTRUMENTS,
    LOTS,
    ONE_OF_EACH,
    POSTED,
    T0,
    fill,
    markout,
    moved,
    order,
    precheck,
    risk,
)

DESCRIBER = Describer(INSTRUMENTS)


@pytest.mark.parametrize("notice", ONE_OF_EACH, ids=lambda notice: type(notice).__name__)
def test_every_notice_is_one_line_of_exactly_the_runbooks_keys(notice: object) -> None:
    text = line(DESCRIBER.record(notice), notice.ts_ns)
    assert text.count("\n") == 1
    found = json.loads(text)
    assert ["timestamp", "level", "component", "event_type", "data"] == list(found)
    assert found["level"] in set(Level)
    assert found["component"] in set(Component)
    assert found["timestamp"] == "2024-01-01T12:00:00.000000Z"
    assert found["event_type"].islower()


def test_transition_reads_as_in_the_runbook() -> None:
    """Seed 004, "Log Format": the example line, with our order id for its signal id."""
    record = DESCRIBER.record(moved(order(1), State.IDLE, Trigger.WANT, State.SIGNAL, lasted_ns=15_500_000))
    assert (Component.STATE_MACHINE, "state_transition", Level.INFO) == (
        record.component,
        record.event_type,
        record.level,
    )
    assert {
        "from_state": "idle",
        "to_state": "signal",
        "signal_id": order(1),
        "duration_ms": 15.5,
    } == dict(list(record.data.items())[:4])
    assert record.data["trace_id"] == order(1)[2:]


def test_numbers_are_decimal_text_in_human_units() -> None:
    data = DESCRIBER.record(fill(order(1))).data
    assert ("64250.5", "0.01", "64250", "-1") == (data["price"], data["quantity"], data["notional"], data["fee"])
    assert DESCRIBER.mid("BTC", 1_285_015) == "64250.75"


def test_unknown_symbol_is_written_in_raw_units() -> None:
    assert ("7", "8") == (DESCRIBER.price("XYZ", 7), DESCRIBER.quantity("XYZ", 8))


@pytest.mark.parametrize(
    ("notice", "event_type", "level", "message"),
    [
        (risk(order(1)), "risk_check", Level.DEBUG, ""),
        (risk(order(1), Reason.REDUCED_TO_FIT), "risk_check", Level.DEBUG, Reason.REDUCED_TO_FIT.sentence),
        (risk(order(1), Reason.LEVERAGE), "risk_violation", Level.WARNING, Reason.LEVERAGE.sentence),
        (precheck(order(1)), "validation_passed", Level.DEBUG, ""),
        (
            precheck(order(1), Reason.INVALID_TICK),
            "validation_failed",
            Level.WARNING,
            "Order rejected: Invalid tick size",
        ),
        (
            KillSwitchEngaged(Reason.HALTED_BY_DRAWDOWN, "", ts_ns=T0),
            "kill_switch_engaged",
            Level.CRITICAL,
            Reason.HALTED_BY_DRAWDOWN.sentence,
        ),
        (
            MarketDataSkipped("BTC", Reason.BOOK_CROSSED, ts_ns=T0),
            "market_data_skipped",
            Level.WARNING,
            Reason.BOOK_CROSSED.sentence,
        ),
    ],
    ids=lambda found: str(found)[:20],
)
def test_decision_is_told_with_level_and_sentence(notice: object, event_type: str, level: Level, message: str) -> None:
    record = DESCRIBER.record(notice)
    assert (event_type, level, message) == (record.event_type, record.level, record.data["message"])


def test_denial_is_told_with_limit_and_observed() -> None:
    data = DESCRIBER.record(risk(order(1), Reason.LEVERAGE)).data
    assert (5, 6, "0.01", "0") == (
        data["limit"],
        data["observed"],
        data["quantity_asked"],
        data["quantity_approved"],
    )
    assert "limit" not in DESCRIBER.record(risk(order(1))).data
    assert LOTS == 1_000


@pytest.mark.parametrize(
    ("mode", "level"), [(Mode.TRADING, Level.INFO), (Mode.HALTED, Level.WARNING), (Mode.REDUCING, Level.WARNING)]
)
def test_mode_change_is_loud_when_trading_shrinks(mode: Mode, level: Level) -> None:
    record = DESCRIBER.record(ModeChanged(Mode.STARTING, mode, Reason.NONE, ts_ns=T0))
    assert level is record.level


def test_discrepancy_is_critical_and_its_end_a_warning() -> None:
    record = DESCRIBER.record(FOUND)
    assert (record.component, record.event_type, record.level) == (
        Component.TRADE_LEDGER,
        "discrepancy_found",
        Level.CRITICAL,
    )
    assert (record.data["cash"], record.data["quantities"], record.data["is_booked"]) == ("-1", {"BTC": "0.01"}, False)
    record = DESCRIBER.record(CLOSED)
    assert (record.event_type, record.level) == ("discrepancy_closed", Level.WARNING)
    assert record.data["message"] == Reason.ACKNOWLEDGED.sentence


def test_correction_is_louder_than_other_transactions_and_says_why() -> None:
    assert DESCRIBER.record(POSTED).level is Level.DEBUG
    assert "cause" not in DESCRIBER.record(POSTED).data
    record = DESCRIBER.record(CORRECTED)
    assert record.level is Level.WARNING
    assert record.data["cause"] == "unexplained"
    assert record.data["quantities"] == {"BTC": "0.01"}
    assert record.data["evidence"] == "the statement says so"


def test_markout_tells_horizon_and_mid() -> None:
    record = DESCRIBER.record(markout(3, 1_285_015, 10 * NS_PER_SECOND))
    assert (record.event_type, record.level) == ("markout_taken", Level.DEBUG)
    assert (record.data["sequence"], record.data["horizon_ms"], record.data["mid_price"]) == (3, 10_000, "64250.75")


def test_fact_about_no_order_has_an_empty_trace() -> None:
    data = DESCRIBER.record(FactNoted(NO_ORDER, Reason.FILL_WITHOUT_ORDER, ts_ns=T0)).data
    assert ("", "") == (data["client_order_id"], data["trace_id"])
