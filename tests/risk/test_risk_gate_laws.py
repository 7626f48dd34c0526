"""Laws of the gate, over any account, market and limits: what is approved fits, what reduces passes, denials say why."""

from collections import deque
from fractions import Fraction

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order import Approved, Side
from domain.reasons import Reason
from domain.units import NS_PER_SECOND, RATE_UNIT
from domain.views import AccountView, ExposureView, MarketView
from risk.exposure import worst_case_lots
from risk.gate import RiskGate
from risk.limits import RiskLimits
from tests.risk.risk_builders import (
    BTC,
    INSTRUMENTS,
    NOW_NS,
    a_market,
    an_account,
    an_exposure,
    an_intent,
    rate,
    some_limits,
    usdc,
)

USDC = st.integers(0, 20_000).map(usdc)
LOTS = st.integers(0, 1_000) | st.integers(0, 12_000)


class Situation(msgspec.Struct, frozen=True):
    """Everything approve() is given, and what the other instruments contribute."""

    limits: RiskLimits
    market: MarketView
    exposure: ExposureView
    account: AccountView
    others: int
    value_at_risk: int
    reducing_only: bool
    is_killed: bool
    replacing: int
    intent: object

    @property
    def unit(self):
        return self.market.mark_price * BTC.money_per_unit

    @property
    def sign(self):
        return int(self.intent.side)

    @property
    def same_side_open(self):
        own = self.exposure.open_buy_lots if self.sign > 0 else self.exposure.open_sell_lots
        return own - self.replacing

    @property
    def closes(self):
        """Whether the whole order can do nothing but reduce."""
        room = -self.sign * self.exposure.position
        return self.intent.lots <= (room if self.intent.reduce_only else room - self.same_side_open)

    def decide(self, gate=None):
        return (gate or RiskGate(self.limits, INSTRUMENTS)).approve(
            self.intent,
            self.market,
            self.exposure,
            self.account,
            reducing_only=self.reducing_only,
            is_killed=self.is_killed,
            now_ns=NOW_NS,
            replacing_lots=self.replacing,
            value_at_risk=self.value_at_risk,
        )


@st.composite
def situations(draw):
    """Situations whose account counts this instrument's exposure at the same mark, mostly tradable ones."""
    seldom = st.sampled_from([False] * 9 + [True])
    limits = some_limits(
        order=draw(st.integers(10, 3_000)),
        position=draw(st.integers(10, 6_000)),
        total_exposure_max=draw(st.integers(5_000, 20_000).map(usdc) | USDC),
        leverage_max=draw(st.integers(2 * RATE_UNIT, 5 * RATE_UNIT) | st.integers(1, RATE_UNIT)),
        value_at_risk_max=draw(USDC),
    )
    mark = draw(st.integers(100_000, 900_000))
    position, buys, sells = draw(LOTS) * draw(st.sampled_from([1, -1])), draw(LOTS), draw(LOTS)
    side = draw(st.sampled_from(Side))
    others = draw(st.integers(0, 5_000).map(usdc) | USDC)
    price = mark + mark * draw(st.integers(-52, 52)) // 1_000
    intent = an_intent(
        draw(st.integers(-1, 600) | st.integers(20, 9_000)), side=side, price=price, reduce_only=draw(st.booleans())
    )
    own = worst_case_lots(position, buys, sells) * mark * BTC.money_per_unit
    account = an_account(
        equity=draw(st.integers(5_000, 20_000) | st.integers(-1_000, 5_000)) * usdc(1),
        exposure=others + own,
        loss_today=usdc(draw(st.integers(-900, 420))),
        drawdown=draw(st.integers(0, 6 * RATE_UNIT // 100)),
        open_orders=draw(st.integers(0, 102)),
    )
    return Situation(
        limits,
        a_market(mark, ts_ns=NOW_NS - draw(st.integers(0, 6)) * NS_PER_SECOND),
        an_exposure(position, buys=buys, sells=sells),
        account,
        others,
        draw(USDC) if draw(seldom) else 0,
        draw(seldom),
        draw(seldom),
        draw(st.integers(0, buys if side > 0 else sells)) if draw(seldom) else 0,
        intent,
    )


@settings(max_examples=600)
@given(situations())
def test_approved_order_never_leads_above_any_limit(situation):
    decision = situation.decide()
    if not isinstance(decision, Approved):
        return
    limits, lots = situation.limits, decision.lots
    assert decision.intent is situation.intent
    assert 0 < lots <= situation.intent.lots
    assert lots * situation.intent.price * BTC.money_per_unit <= limits.default.order_notional_max
    position = situation.sign * situation.exposure.position
    reached = position + situation.same_side_open + lots
    if reached <= 0 or (situation.intent.reduce_only and lots <= -position):
        return
    assert not situation.is_killed
    assert not situation.reducing_only
    assert situation.account.drawdown < limits.drawdown_stop
    assert situation.account.loss_today < limits.daily_loss_max
    assert situation.value_at_risk <= limits.value_at_risk_max or not limits.value_at_risk_max
    assert reached * situation.unit <= limits.default.position_notional_max
    other_open = situation.exposure.open_sell_lots if situation.sign > 0 else situation.exposure.open_buy_lots
    other_reach = other_open - position
    after = situation.others + max(reached, other_reach) * situation.unit
    allowed = min(limits.total_exposure_max, Fraction(situation.account.equity * limits.leverage_max, RATE_UNIT))
    assert after <= max(allowed, situation.account.exposure)
    assert situation.others + reached * situation.unit <= allowed


ABOUT_TERMS = {
    Reason.ZERO_SIZE,
    Reason.STALE_MARKET_DATA,
    Reason.PRICE_BAND,
    Reason.OPEN_ORDERS,
    Reason.ORDER_NOTIONAL,
    Reason.SIZE_TOO_SMALL,
}


@settings(max_examples=400)
@given(situations())
def test_reducing_orders_are_never_blocked_by_position_exposure_losses_or_mode(situation):
    decision = situation.decide()
    if not situation.closes or (situation.is_killed and not situation.intent.reduce_only):
        return
    if isinstance(decision, Approved):
        order_unit = situation.intent.price * BTC.money_per_unit
        assert decision.lots == min(situation.intent.lots, situation.limits.default.order_notional_max // order_unit)
    else:
        assert decision.reason in ABOUT_TERMS


@settings(max_examples=400)
@given(situations())
def test_denial_names_a_limit_that_the_observed_breaks(situation):
    decision = situation.decide()
    if isinstance(decision, Approved):
        return
    match decision.reason:
        case Reason.ZERO_SIZE | Reason.NO_MARKET_DATA | Reason.SIZE_TOO_SMALL:
            assert decision.observed < decision.limit
        case Reason.DRAWDOWN | Reason.DAILY_LOSS:
            assert decision.observed >= decision.limit > 0
        case Reason.KILL_SWITCH | Reason.MODE_FORBIDS:
            assert decision.limit == 0
            assert decision.observed == situation.intent.lots
        case _:
            assert decision.observed > decision.limit >= 0
    assert decision.reason.sentence


@settings(max_examples=150)
@given(situations())
def test_gate_decides_alike_when_asked_again_and_denials_leave_no_trace(situation):
    gate = RiskGate(situation.limits, INSTRUMENTS)
    first = situation.decide(gate)
    assert gate.snapshot() == ([NOW_NS] if isinstance(first, Approved) else [])
    assert situation.decide(gate) == first


@settings(max_examples=150)
@given(st.integers(1, 5), st.integers(1, 50), st.lists(st.integers(0, 20), max_size=60))
def test_no_interval_ever_holds_more_approvals_than_its_limit(most, interval_ns, steps):
    """Against a twin that counts every approval; it also shows that none is refused without need."""
    gate = RiskGate(some_limits(orders_per_interval_max=most, order_interval_ns=interval_ns), INSTRUMENTS)
    approved_ns = deque()
    now_ns = NOW_NS
    for step in steps:
        now_ns += step
        recent = sum(now_ns - approved < interval_ns for approved in approved_ns)
        decision = gate.approve(
            an_intent(),
            a_market(ts_ns=now_ns),
            an_exposure(),
            an_account(drawdown=rate(1)),
            reducing_only=False,
            is_killed=False,
            now_ns=now_ns,
        )
        assert isinstance(decision, Approved) == (recent < most)
        if isinstance(decision, Approved):
            approved_ns.append(now_ns)
