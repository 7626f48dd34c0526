"""Drawdown: peak, midnight, payments, and a snapshot that forgets nothing."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.units import NS_PER_DAY, NS_PER_HOUR, RATE_UNIT
from risk.drawdown import Drawdown, DrawdownState
from tests.risk.risk_builders import rate, usdc

MIDNIGHT_NS = 19_700 * NS_PER_DAY
MORNING_NS = MIDNIGHT_NS + 8 * NS_PER_HOUR


def followed(*points):
    drawdown = Drawdown()
    for equity, now_ns in points:
        drawdown.update(equity, now_ns)
    return drawdown


def test_drawdown_is_the_share_lost_from_the_peak():
    drawdown = followed((usdc(1_000), MORNING_NS), (usdc(2_000), MORNING_NS), (usdc(1_900), MORNING_NS))
    assert drawdown.drawdown == rate(5)
    assert drawdown.loss_today == -usdc(900)


def test_drawdown_max_stays_when_equity_recovers():
    drawdown = followed((usdc(1_000), MORNING_NS), (usdc(900), MORNING_NS), (usdc(1_100), MORNING_NS))
    assert (drawdown.drawdown, drawdown.drawdown_max) == (0, rate(10))


def test_drawdown_passes_one_when_equity_is_gone():
    assert followed((usdc(100), MORNING_NS), (-usdc(100), MORNING_NS)).drawdown == 2 * RATE_UNIT


def test_loss_of_the_day_begins_at_the_last_equity_before_midnight():
    drawdown = followed((usdc(1_000), MORNING_NS), (usdc(990), MIDNIGHT_NS + NS_PER_DAY - 1))
    assert drawdown.loss_today == usdc(10)
    drawdown.update(usdc(970), MIDNIGHT_NS + NS_PER_DAY)
    assert drawdown.loss_today == usdc(20)
    drawdown.update(usdc(970), MIDNIGHT_NS + 3 * NS_PER_DAY)
    assert drawdown.loss_today == 0


def test_loss_of_the_day_stays_when_time_goes_back():
    drawdown = followed((usdc(1_000), MORNING_NS), (usdc(990), MORNING_NS - NS_PER_DAY))
    assert drawdown.loss_today == usdc(10)


def test_payment_is_neither_gain_nor_loss():
    drawdown = followed((usdc(1_000), MORNING_NS), (usdc(950), MORNING_NS))
    drawdown.transfer(-usdc(500))
    drawdown.update(usdc(450), MORNING_NS)
    assert drawdown.loss_today == usdc(50)
    assert drawdown.drawdown == rate(10)


def test_payment_changes_nothing_before_the_first_equity():
    drawdown = Drawdown()
    drawdown.transfer(usdc(500))
    assert drawdown.snapshot() == DrawdownState()


def test_rebase_measures_from_the_present_equity():
    drawdown = followed((usdc(1_000), MORNING_NS), (usdc(900), MORNING_NS))
    drawdown.rebase()
    assert (drawdown.drawdown, drawdown.loss_today, drawdown.drawdown_max) == (0, 0, rate(10))


EQUITIES = st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 5 * 24)), max_size=20)


@given(EQUITIES, EQUITIES)
def test_restored_drawdown_continues_as_if_never_stopped(before, after):
    first = followed(*((equity, hour * NS_PER_HOUR) for equity, hour in before))
    second = Drawdown()
    second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.snapshot()), type=DrawdownState))
    for equity, hour in after:
        first.update(equity, hour * NS_PER_HOUR)
        second.update(equity, hour * NS_PER_HOUR)
    assert first.snapshot() == second.snapshot()
    assert (first.drawdown, first.loss_today) == (second.drawdown, second.loss_today)


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=30))
def test_drawdown_max_is_the_worst_fall_from_any_earlier_equity(equities):
    drawdown = followed(*((equity, MORNING_NS) for equity in equities))
    worst = max(
        (max(equities[: at + 1]) - equity) * RATE_UNIT // max(equities[: at + 1]) for at, equity in enumerate(equities)
    )
    assert drawdown.drawdown_max == worst
