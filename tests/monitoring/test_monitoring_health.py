"""Health: every way a component can be sick, what the whole then is, and the shape that is served."""

import json
from typing import Any

import msgspec
import pytest

from domain.modes import Mode
from domain.reasons import Reason
from domain.units import MONEY_UNIT, NS_PER_SECOND
from monitoring.health import Condition, Health, HealthInputs, Status, assess
from tests.monitoring.observations import T0

NAMES = [
    "process",
    "market_data",
    "risk_manager",
    "kill_switch",
    "state_machine",
    "exchange",
    "ledger",
    "projection",
    "telemetry",
]
READY, DEGRADED, FAILED = Condition.READY, Condition.DEGRADED, Condition.FAILED
WELL = HealthInputs(
    now_ns=T0,
    mode=Mode.TRADING,
    step_age_ns=0,
    market_seen_ns={"BTC": T0 - NS_PER_SECOND, "ETH": T0},
    market_age_ns_max=5 * NS_PER_SECOND,
    drawdown_warn=20_000_000,
    drawdown_stop=50_000_000,
)


def sick(**changed: Any) -> Health:
    return assess(msgspec.structs.replace(WELL, **changed))


def test_well_bot_is_healthy_with_nine_ready_components() -> None:
    health = assess(WELL)
    assert NAMES == [component.name for component in health.components]
    assert {READY} == {component.condition for component in health.components}
    assert (Status.HEALTHY, 1.0, "trading") == (health.status, health.score, health.mode)
    assert all(component.detail for component in health.components)


@pytest.mark.parametrize(
    ("changed", "name", "condition", "detail"),
    [
        ({"mode": Mode.REDUCING}, "process", DEGRADED, "mode reducing"),
        ({"mode": Mode.STARTING}, "process", DEGRADED, "mode starting"),
        ({"step_age_ns": 6 * NS_PER_SECOND}, "process", DEGRADED, "last step 6.0 s ago"),
        ({"step_age_ns": 31 * NS_PER_SECOND}, "process", FAILED, "last step 31.0 s ago"),
        ({"market_seen_ns": {}}, "market_data", FAILED, "no instrument"),
        (
            {"market_seen_ns": {"BTC": T0, "ETH": T0 - 9 * NS_PER_SECOND}},
            "market_data",
            DEGRADED,
            "stale: ETH 9.0 s (limit 5.0 s)",
        ),
        ({"market_seen_ns": {"BTC": 0}}, "market_data", FAILED, "stale: BTC never seen"),
        ({"drawdown": 20_000_000}, "risk_manager", DEGRADED, "drawdown 2.00 %, warning at 2 %"),
        ({"drawdown": 51_000_000}, "risk_manager", FAILED, "drawdown 5.10 %, stop at 5 %"),
        ({"kill_reason": Reason.HALTED_BY_DRAWDOWN}, "kill_switch", FAILED, "Halted: drawdown reached its stop"),
        (
            {"kill_reason": Reason.HALTED_BY_OPERATOR, "kill_detail": "lunch"},
            "kill_switch",
            FAILED,
            "Halted by an operator: lunch",
        ),
        ({"mode": Mode.HALTED}, "kill_switch", FAILED, "halted"),
        ({"orders_unknown": 1, "open_orders": 3}, "state_machine", DEGRADED, "1 of 3 open orders in doubt"),
        ({"exchange_error": "connection refused"}, "exchange", FAILED, "connection refused"),
        ({"answer_age_ns": 11 * NS_PER_SECOND}, "exchange", DEGRADED, "no answer for 11.0 s"),
        ({"ledger_error": "sums to 1"}, "ledger", FAILED, "sums to 1"),
        ({"cash_residual": -MONEY_UNIT // 2}, "ledger", FAILED, "differs from the venue by -0.5 USDC"),
        ({"projection_is_running": False}, "projection", FAILED, "not running"),
        ({"projection_backlog": 1_000}, "projection", FAILED, "1000 of at most 1000 notices wait"),
        ({"projection_backlog": 1_000, "projection_error": "locked"}, "projection", FAILED, "locked"),
        ({"projection_backlog": 500}, "projection", DEGRADED, "500 of at most 1000 notices wait"),
        ({"projection_error": "locked"}, "projection", DEGRADED, "locked; 0 of at most 1000"),
        ({"observer_is_running": False}, "telemetry", FAILED, "the observer is not running"),
        ({"telemetry_dropped": 3}, "telemetry", DEGRADED, "3 records dropped, 0 spans refused"),
        ({"telemetry_failed": 2}, "telemetry", DEGRADED, "0 records dropped, 2 spans refused"),
    ],
)
def test_sickness_shows_in_its_component(changed: dict, name: str, condition: Condition, detail: str) -> None:
    health = sick(**changed)
    found = next(component for component in health.components if component.name == name)
    assert condition is found.condition
    assert detail in found.detail
    assert health.score < 1
    if condition is FAILED:
        assert Status.UNHEALTHY is health.status
    elif changed.get("mode") is not Mode.HALTED:
        assert Status.DEGRADED is health.status


def test_sick_component_leaves_the_others_alone() -> None:
    health = sick(exchange_error="gone")
    assert ["exchange"] == [component.name for component in health.components if component.condition is not READY]
    assert health.score == round(8 / 9, 4)


def test_limits_of_zero_are_off() -> None:
    assert Status.HEALTHY is sick(drawdown=900_000_000, drawdown_warn=0, drawdown_stop=0).status


def test_shape_is_plain_json() -> None:
    shape = json.loads(json.dumps(sick(orders_unknown=1).shape()))
    assert ["status", "score", "mode", "ts_ns", "components"] == list(shape)
    assert {"name": "process", "condition": "ready", "detail": "mode trading, last step 0.0 s ago"} == shape[
        "components"
    ][0]
    assert "degraded" == shape["status"]
