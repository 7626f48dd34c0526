"""Circuit breakers: each limit at its edge, stops before warnings."""

import pytest

from domain.reasons import Reason
from risk.breakers import Breach, evaluate
from tests.risk.risk_builders import an_account, rate, some_limits, usdc

LIMITS = some_limits(daily_loss_max=usdc(300), value_at_risk_max=usdc(50), margin_ratio_stop=rate(50))


def evaluated(account=None, margin_ratio=0, value_at_risk=0):
    return evaluate(LIMITS, account or an_account(), margin_ratio=margin_ratio, value_at_risk=value_at_risk)


def test_breakers_are_silent_when_all_is_well():
    account = an_account(drawdown=rate(2) - 1, loss_today=usdc(300) - 1)
    assert evaluated(account, margin_ratio=rate(50) - 1, value_at_risk=usdc(50)) == []


@pytest.mark.parametrize(
    ("account", "numbers", "expected"),
    [
        (an_account(drawdown=rate(2)), {}, Breach(Reason.DRAWDOWN, rate(2), rate(2), is_stop=False)),
        (an_account(drawdown=rate(5)), {}, Breach(Reason.HALTED_BY_DRAWDOWN, rate(5), rate(5), is_stop=True)),
        (
            an_account(loss_today=usdc(300)),
            {},
            Breach(Reason.HALTED_BY_DAILY_LOSS, usdc(300), usdc(300), is_stop=True),
        ),
        (
            an_account(),
            {"margin_ratio": rate(50)},
            Breach(Reason.HALTED_BY_MARGIN, rate(50), rate(50), is_stop=True),
        ),
        (
            an_account(),
            {"value_at_risk": usdc(51)},
            Breach(Reason.VALUE_AT_RISK, usdc(50), usdc(51), is_stop=False),
        ),
    ],
)
def test_breaker_names_limit_and_observed_when_reached(account, numbers, expected):
    assert evaluated(account, **numbers) == [expected]


def test_breakers_put_stops_first():
    account = an_account(drawdown=rate(3), loss_today=usdc(500))
    assert [breach.is_stop for breach in evaluated(account, rate(60), usdc(60))] == [True, True, False, False]


def test_breaker_of_value_at_risk_is_off_at_zero():
    limits = some_limits(value_at_risk_max=0)
    assert evaluate(limits, an_account(), margin_ratio=0, value_at_risk=usdc(9_999)) == []


def test_a_breach_tells_what_was_seen_in_words_a_person_reads() -> None:
    fall = Breach(Reason.HALTED_BY_DRAWDOWN, 50_000_000, 51_234_567, is_stop=True)
    loss = Breach(Reason.HALTED_BY_DAILY_LOSS, 40_000_000_000, 41_050_000_000, is_stop=True)

    assert fall.detail == "5.1234567 %, limit 5 %"
    assert loss.detail == "410.5 USDC, limit 400 USDC"
