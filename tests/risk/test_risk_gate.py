"""The gate, case by case: every denial with its numbers, every cut, and what passes whatever the limits say."""

import msgspec
import pytest

from domain.errors import InvariantBroken
from domain.order import Approved, Denial, Side
from domain.reasons import Reason
from domain.units import NS_PER_SECOND, RATE_UNIT
from risk.gate import RiskGate
from risk.margin import RATIO_UNBOUNDED
from tests.risk.risk_builders import (
    INSTRUMENTS,
    LOT,
    MARK,
    NOW_NS,
    a_market,
    an_account,
    an_exposure,
    an_intent,
    rate,
    some_limits,
    usdc,
)

SELL = Side.SELL


def asked(intent=None, *, gate=None, limits=None, market=None, exposure=None, account=None, now_ns=NOW_NS, **flags):
    gate = gate or RiskGate(limits or some_limits(), INSTRUMENTS)
    flags = {"reducing_only": False, "is_killed": False, **flags}
    return gate.approve(
        intent or an_intent(),
        market or a_market(),
        exposure or an_exposure(),
        account or an_account(),
        now_ns=now_ns,
        **flags,
    )


def test_gate_approves_an_order_unchanged_when_nothing_objects():
    intent = an_intent(100)
    assert asked(intent) == Approved(intent, 100)


@pytest.mark.parametrize(
    ("intent", "views", "expected"),
    [
        (an_intent(symbol="DOGE"), {}, Denial(Reason.UNKNOWN_INSTRUMENT)),
        (an_intent(0), {}, Denial(Reason.ZERO_SIZE, 1, 0)),
        (an_intent(), {"market": a_market(0, bid=0)}, Denial(Reason.NO_MARKET_DATA, 1, 0)),
        (
            an_intent(),
            {"now_ns": NOW_NS + 5 * NS_PER_SECOND + 1},
            Denial(Reason.STALE_MARKET_DATA, 5 * NS_PER_SECOND, 5 * NS_PER_SECOND + 1),
        ),
        (an_intent(price=530_000), {}, Denial(Reason.PRICE_BAND, rate(5), rate(6))),
        (an_intent(price=470_000), {}, Denial(Reason.PRICE_BAND, rate(5), rate(6))),
        (an_intent(), {"account": an_account(open_orders=100)}, Denial(Reason.OPEN_ORDERS, 100, 101)),
        (an_intent(), {"account": an_account(drawdown=rate(5))}, Denial(Reason.DRAWDOWN, rate(5), rate(5))),
        (
            an_intent(),
            {"account": an_account(loss_today=usdc(450))},
            Denial(Reason.DAILY_LOSS, usdc(400), usdc(450)),
        ),
        (
            an_intent(),
            {"value_at_risk": usdc(51), "limits": some_limits(value_at_risk_max=usdc(50))},
            Denial(Reason.VALUE_AT_RISK, usdc(50), usdc(51)),
        ),
        (an_intent(), {"reducing_only": True}, Denial(Reason.MODE_FORBIDS, 0, 100)),
        (an_intent(), {"is_killed": True}, Denial(Reason.KILL_SWITCH, 0, 100)),
        (
            an_intent(100),
            {"limits": some_limits(order=0)},
            Denial(Reason.ORDER_NOTIONAL, 0, 100 * LOT),
        ),
        (
            an_intent(100),
            {"exposure": an_exposure(7_000, buys=1_000)},
            Denial(Reason.POSITION_NOTIONAL, usdc(4_000), 8_100 * LOT),
        ),
        (
            an_intent(100),
            {"account": an_account(exposure=usdc(15_000))},
            Denial(Reason.TOTAL_EXPOSURE, usdc(15_000), usdc(15_050)),
        ),
        (
            an_intent(100),
            {"account": an_account(equity=usdc(1_000), exposure=usdc(3_000))},
            Denial(Reason.LEVERAGE, 3 * RATE_UNIT, 305 * RATE_UNIT // 100),
        ),
        (an_intent(100), {"account": an_account(equity=0)}, Denial(Reason.LEVERAGE, 3 * RATE_UNIT, RATIO_UNBOUNDED)),
    ],
)
def test_gate_denies_naming_limit_and_observed(intent, views, expected):
    assert asked(intent, **views) == expected


def test_gate_shows_an_observed_above_the_limit_however_little_it_is_passed():
    account = an_account(equity=usdc(1_000) - 1, exposure=usdc(3_000) - LOT)
    assert asked(an_intent(1), account=account) == Denial(Reason.LEVERAGE, 3 * RATE_UNIT, 3 * RATE_UNIT + 1)


@pytest.mark.parametrize(
    ("intent", "views", "lots"),
    [
        (an_intent(5_000), {}, 2_000),
        (an_intent(500), {"exposure": an_exposure(7_000, buys=800)}, 200),
        (an_intent(500), {"account": an_account(exposure=usdc(14_900))}, 200),
        (an_intent(500), {"account": an_account(equity=usdc(1_000), exposure=usdc(2_900))}, 200),
    ],
)
def test_gate_cuts_to_what_the_tightest_limit_leaves(intent, views, lots):
    assert asked(intent, **views) == Approved(intent, lots)


def test_gate_denies_a_rest_below_the_smallest_order():
    """19 lots are 9.5 USDC, 20 are 10."""
    assert asked(an_intent(500), exposure=an_exposure(7_981)) == Denial(Reason.SIZE_TOO_SMALL, usdc(10), 19 * LOT)
    assert asked(an_intent(500), exposure=an_exposure(7_980)).lots == 20


def test_gate_leaves_small_orders_to_the_precheck_when_no_limit_cuts_them():
    assert asked(an_intent(1)).lots == 1


def test_gate_uses_the_mid_when_the_mark_is_unknown():
    market = a_market(0, bid=MARK, ask=MARK + 1)
    assert asked(an_intent(500), market=market, limits=some_limits(position=100)).lots == 199


def test_gate_does_not_count_twice_what_a_replace_takes_away():
    exposure, account = an_exposure(7_000, buys=1_000), an_account(exposure=8_000 * LOT, open_orders=100)
    intent = an_intent(1_000)
    assert asked(intent, exposure=exposure, account=account, replacing_lots=1_000) == Approved(intent, 1_000)
    assert asked(intent, exposure=exposure, account=account, replacing_lots=400) == Approved(intent, 400)


def test_gate_counts_own_exposure_once_against_the_total():
    """15,000 USDC are full with this instrument's own 4,000; replacing them by as much changes nothing."""
    exposure, account = an_exposure(buys=8_000), an_account(exposure=usdc(15_000))
    assert asked(an_intent(2_000), exposure=exposure, account=account, replacing_lots=2_000).lots == 2_000


def test_gate_lets_the_other_side_use_exposure_that_is_counted_already():
    account = an_account(exposure=usdc(15_000))
    assert asked(an_intent(2_000, side=SELL), exposure=an_exposure(buys=8_000), account=account).lots == 2_000


CORNERED = {
    "limits": some_limits(position=10, total_exposure_max=usdc(10), value_at_risk_max=1),
    "exposure": an_exposure(1_000),
    "account": an_account(equity=-1, exposure=usdc(500), loss_today=usdc(900), drawdown=rate(40)),
    "value_at_risk": usdc(5),
    "reducing_only": True,
}


def test_gate_lets_reducing_orders_pass_when_every_limit_is_broken():
    intent = an_intent(1_000, side=SELL)
    assert asked(intent, **CORNERED) == Approved(intent, 1_000)


def test_gate_cuts_an_order_to_its_reducing_part_when_only_that_may_pass():
    assert asked(an_intent(1_500, side=SELL), **CORNERED).lots == 1_000


def test_gate_lets_only_reduce_only_orders_pass_when_killed():
    assert asked(an_intent(1_000, side=SELL), **CORNERED, is_killed=True) == Denial(Reason.KILL_SWITCH, 0, 1_000)
    flattening = an_intent(1_000, side=SELL, reduce_only=True)
    assert asked(flattening, **CORNERED, is_killed=True) == Approved(flattening, 1_000)


def test_gate_lets_reduce_only_close_the_position_though_sells_are_in_doubt():
    """A sell whose fate is unknown must not keep a flattening order in the house."""
    exposure = an_exposure(1_000, sells=1_000)
    flattening = an_intent(1_000, side=SELL, reduce_only=True)
    assert asked(flattening, **{**CORNERED, "exposure": exposure}, is_killed=True) == Approved(flattening, 1_000)


def test_gate_cuts_to_less_than_the_smallest_order_only_to_close_the_whole_position():
    views = {"exposure": an_exposure(5), "reducing_only": True}
    assert asked(an_intent(9, side=SELL, reduce_only=True), **views).lots == 5
    assert asked(an_intent(9, side=SELL), **views) == Denial(Reason.SIZE_TOO_SMALL, usdc(10), 5 * LOT)


def test_gate_refuses_views_of_another_instrument():
    with pytest.raises(InvariantBroken, match="BTC came with views of ETH and BTC"):
        asked(market=a_market(symbol="ETH"))
    with pytest.raises(InvariantBroken, match="BTC came with views of BTC and ETH"):
        asked(exposure=an_exposure(symbol="ETH"))


def three_a_second():
    return RiskGate(some_limits(orders_per_interval_max=3, market_data_age_ns_max=10 * NS_PER_SECOND), INSTRUMENTS)


def test_gate_denies_the_order_that_is_too_many_until_the_interval_has_passed():
    gate = three_a_second()
    for step in range(3):
        assert isinstance(asked(gate=gate, now_ns=NOW_NS + step), Approved)
    assert asked(gate=gate, now_ns=NOW_NS + NS_PER_SECOND - 1) == Denial(Reason.ORDER_RATE, 3, 4)
    assert isinstance(asked(gate=gate, now_ns=NOW_NS + NS_PER_SECOND), Approved)
    assert asked(gate=gate, now_ns=NOW_NS + NS_PER_SECOND) == Denial(Reason.ORDER_RATE, 3, 4)


def test_gate_does_not_count_denials_against_the_rate():
    gate = three_a_second()
    for _ in range(9):
        asked(an_intent(0), gate=gate)
    assert isinstance(asked(gate=gate), Approved)


def test_gate_remembers_its_rate_through_a_restart():
    gate, restored = three_a_second(), three_a_second()
    for _ in range(3):
        asked(gate=gate)
    restored.restore(msgspec.json.decode(msgspec.json.encode(gate.snapshot())))
    assert restored.snapshot() == gate.snapshot() == [NOW_NS] * 3
    assert asked(gate=restored) == Denial(Reason.ORDER_RATE, 3, 4)
