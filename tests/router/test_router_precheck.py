"""The API pre-check refuses what the venue would refuse, in its order, with the numbers behind each refusal."""

from fractions import Fraction
from types import FunctionType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from domain import instrument as grid
from domain.errors import ConfigInvalid, InvariantBroken
from domain.instrument import Instrument, MarginTier, perpetual
from domain.order import Approved, Denial, OrderIntent, Side, TimeInForce
from domain.reasons import Reason
from domain.units import MONEY_UNIT, Lots, Money, Price, Rate
from domain.views import AccountView, ExposureView, MarketView
from router import precheck
from router.precheck import ORDER_VALUE_MAX, Precheck, check_order, terms_of

# BTC: prices in 0.1, sizes in 0.00001, tick 1.0 at 64,000; one price unit times one lot is 100 Money.
BTC = perpetual(
    "BTC",
    0,
    5,
    40,
    (
        MarginTier(lower_bound=Money(0), leverage_max=40),
        MarginTier(lower_bound=Money(150_000_000 * MONEY_UNIT), leverage_max=20),
    ),
)
ALL = Precheck({"BTC": BTC}, 5)
USDC = MONEY_UNIT
BID, ASK, MARK = 639_990, 640_010, 640_000


def verdict(
    side: Side = Side.BUY,
    price: int = BID,
    lots: int = 100,
    *,
    post_only: bool = True,
    reduce_only: bool = False,
    position: int = 0,
    buy_lots: int = 0,
    sell_lots: int = 0,
    replacing_lots: int = 0,
    bid: int = BID,
    ask: int = ASK,
    mark: int = MARK,
    equity: int = 10_000 * USDC,
    margin_used: int = 0,
    budget_left: int = 1_000,
    check: Precheck = ALL,
) -> Denial | None:
    intent = OrderIntent(
        symbol="BTC",
        side=side,
        price=Price(price),
        lots=Lots(lots),
        time_in_force=TimeInForce.GTC if post_only else TimeInForce.IOC,
        post_only=post_only,
        reduce_only=reduce_only,
    )
    market = MarketView("BTC", Price(bid), Lots(10), Price(ask), Lots(10), Price(mark), Price(mark), Rate(0), 1)
    exposure = ExposureView("BTC", Lots(position), Lots(buy_lots), Lots(sell_lots))
    account = AccountView(Money(equity), Money(0), Money(margin_used), Money(0), Rate(0), 0)
    return check.check(Approved(intent, Lots(lots)), market, exposure, account, budget_left, replacing_lots)


def test_order_passes_when_it_breaks_no_rule() -> None:
    assert verdict() is None
    assert verdict(Side.SELL, ASK) is None


def test_approved_size_is_what_counts_not_the_size_asked() -> None:
    intent = OrderIntent(symbol="BTC", side=Side.BUY, price=Price(BID), lots=Lots(10_000_000))
    market = MarketView("BTC", Price(BID), Lots(1), Price(ASK), Lots(1), Price(MARK), Price(MARK), Rate(0), 1)
    account = AccountView(Money(10_000 * USDC), Money(0), Money(0), Money(0), Rate(0), 0)
    flat = ExposureView("BTC", Lots(0), Lots(0), Lots(0))
    assert ALL.check(Approved(intent, Lots(100)), market, flat, account, 1) is None


@pytest.mark.parametrize(
    ("denial", "order"),
    [
        (Denial(Reason.ZERO_SIZE, 1, 0), {"lots": 0}),
        (Denial(Reason.INVALID_LOT, 1, -3), {"lots": -3}),
        (Denial(Reason.INVALID_LOT, 1_562_524_414, 10**13), {"lots": 10**13}),
        (Denial(Reason.INVALID_TICK, 10, 639_995), {"price": 639_995}),
        (Denial(Reason.INVALID_TICK, 1, 0), {"price": 0}),
        (Denial(Reason.INVALID_TICK, 1, -5), {"price": -5}),
        (Denial(Reason.MIN_NOTIONAL, 10 * USDC, 959_985_000), {"lots": 15}),
        (Denial(Reason.PRICE_TOO_FAR, 608_000, 608_010), {"price": 31_990, "lots": 1_000}),
        (Denial(Reason.PRICE_TOO_FAR, 608_000, 610_000), {"side": Side.SELL, "price": 1_250_000, "mark": 640_000}),
        (Denial(Reason.REDUCE_ONLY_VIOLATION, 0, 100), {"reduce_only": True}),
        (Denial(Reason.REDUCE_ONLY_VIOLATION, 7, 100), {"reduce_only": True, "position": 7}),
        (Denial(Reason.REDUCE_ONLY_VIOLATION, -7, -100), {"side": Side.SELL, "price": ASK, "reduce_only": True, "position": -7}),
        (Denial(Reason.INSUFFICIENT_MARGIN, 12 * USDC, 1_280_000_000), {"equity": 12 * USDC}),
        (Denial(Reason.INSUFFICIENT_MARGIN, 12 * USDC, 1_280_020_000), {"equity": 12 * USDC, "side": Side.SELL, "price": ASK}),
        (Denial(Reason.POST_ONLY_WOULD_CROSS, ASK, ASK), {"price": ASK}),
        (Denial(Reason.POST_ONLY_WOULD_CROSS, ASK, ASK + 10), {"price": ASK + 10}),
        (Denial(Reason.POST_ONLY_WOULD_CROSS, BID, BID), {"side": Side.SELL, "price": BID}),
        (Denial(Reason.RATE_BUDGET, 1, 0), {"budget_left": 0}),
    ],
)  # fmt: skip
def test_order_is_denied_with_the_numbers_when_it_breaks_a_rule(denial: Denial, order: dict[str, Any]) -> None:
    assert denial == verdict(**order)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (Reason.INVALID_TICK, "Order rejected: Invalid tick size"),
        (Reason.INSUFFICIENT_MARGIN, "Order rejected: Insufficient margin"),
        (Reason.REDUCE_ONLY_VIOLATION, "Order rejected: Reduce-only violation"),
    ],
)
def test_denials_speak_the_words_of_the_runbook(reason: Reason, sentence: str) -> None:
    assert sentence == Denial(reason).reason.sentence


def test_rules_are_looked_at_in_the_venues_order() -> None:
    """Each case breaks its rule and all later ones; mending one by one shows the next."""
    broken: dict[str, Any] = {
        "lots": 0, "price": 999_995, "mark": 10_000, "reduce_only": True, "equity": 0, "ask": 100_000, "bid": 1,
        "budget_left": 0,
    }  # fmt: skip
    mends: list[tuple[Reason, dict[str, Any]]] = [
        (Reason.ZERO_SIZE, {"lots": -1}),
        (Reason.INVALID_LOT, {"lots": 1}),
        (Reason.INVALID_TICK, {"price": 640_000}),
        (Reason.MIN_NOTIONAL, {"lots": 100}),
        (Reason.PRICE_TOO_FAR, {"mark": 640_000}),
        (Reason.REDUCE_ONLY_VIOLATION, {"reduce_only": False}),
        (Reason.INSUFFICIENT_MARGIN, {"equity": 10_000 * USDC}),
        (Reason.POST_ONLY_WOULD_CROSS, {"ask": 640_010}),
        (Reason.RATE_BUDGET, {"budget_left": 1}),
    ]
    for reason, mend in mends:
        denial = verdict(**broken)
        assert denial is not None
        assert reason is denial.reason
        broken |= mend
    assert verdict(**broken) is None


def test_small_order_passes_only_when_reduce_only_closes_the_whole_position() -> None:
    closing = {"side": Side.SELL, "price": ASK, "lots": 3, "reduce_only": True}
    assert verdict(**closing, position=3) is None
    assert verdict(**closing, position=2) is None
    partial = verdict(**closing, position=4)
    assert partial is not None
    assert Reason.MIN_NOTIONAL is partial.reason
    not_reduce_only = verdict(Side.SELL, ASK, 3, position=3)
    assert not_reduce_only is not None
    assert Reason.MIN_NOTIONAL is not_reduce_only.reason


def test_price_is_measured_against_the_mid_while_there_is_no_mark() -> None:
    far = verdict(price=31_990, lots=1_000, mark=0)
    assert Denial(Reason.PRICE_TOO_FAR, 608_000, 608_010) == far
    assert verdict(price=31_990, lots=1_000, mark=0, bid=0) is None


def test_exactly_ninety_five_percent_away_is_allowed() -> None:
    assert verdict(price=32_000, lots=1_000) is None
    assert verdict(Side.SELL, 1_248_000) is None


def test_taking_order_may_cross() -> None:
    assert verdict(price=ASK + 100, post_only=False) is None


def test_post_only_crosses_nothing_when_the_other_side_is_unknown() -> None:
    assert verdict(price=ASK, ask=0) is None
    assert verdict(Side.SELL, BID, bid=0) is None


def test_margin_counts_only_what_raises_the_worst_case() -> None:
    poor = {"equity": -5 * USDC, "margin_used": 100 * USDC}
    assert verdict(Side.SELL, ASK, 100, position=100, **poor) is None
    assert verdict(Side.SELL, ASK, 200, position=100, **poor) is None
    beyond = verdict(Side.SELL, ASK, 201, position=100, **poor)
    assert beyond is not None
    assert Reason.INSUFFICIENT_MARGIN is beyond.reason
    assert verdict(Side.BUY, BID, 100, buy_lots=50, sell_lots=150, **poor) is None


def test_margin_is_not_asked_twice_for_an_order_that_is_replaced() -> None:
    rich_enough = {"equity": 13 * USDC, "margin_used": 13 * USDC, "buy_lots": 100}
    assert verdict(lots=100, replacing_lots=100, **rich_enough) is None
    assert Denial(Reason.INSUFFICIENT_MARGIN, 13 * USDC, 14 * USDC + 28_000_000) == verdict(
        lots=110, replacing_lots=100, **rich_enough
    )


def test_margin_passes_when_it_takes_the_last_cent_of_equity() -> None:
    assert verdict(equity=1_280_000_000) is None
    assert verdict(equity=1_280_000_000 - 1) is not None


def test_margin_is_counted_at_the_dearer_of_price_and_mark() -> None:
    assert Denial(Reason.INSUFFICIENT_MARGIN, 13 * USDC, 14 * USDC) == verdict(Side.SELL, 700_000, equity=13 * USDC)


def test_margin_is_rounded_up() -> None:
    assert [33, 34, 34] == [precheck.margin_needed(lots, 1, 1, 3) for lots in (99, 100, 101)]


def test_reduce_only_order_needs_no_margin() -> None:
    assert verdict(Side.SELL, ASK, 500, reduce_only=True, position=100, equity=0) is None


def test_leverage_is_capped_by_the_instrument() -> None:
    assert (40, 5) == (terms_of(BTC, 50).leverage, terms_of(BTC, 5).leverage)


def test_position_may_not_grow_past_the_tier_that_allows_the_leverage() -> None:
    check = Precheck({"BTC": BTC}, 30)
    grows = {"equity": 10**9 * USDC, "position": 234_375_000, "check": check}  # worth 150 million USDC at mark
    denial = verdict(lots=100, **grows)
    assert Denial(Reason.INSUFFICIENT_MARGIN, 150_000_000 * USDC, 150_000_064 * USDC) == denial
    assert verdict(Side.SELL, ASK, 100, **grows) is None
    grows["check"] = Precheck({"BTC": BTC}, 20)
    assert verdict(lots=100, **grows) is None


def test_precheck_refuses_to_be_built_or_asked_wrongly() -> None:
    with pytest.raises(ConfigInvalid, match="leverage = 0"):
        Precheck({"BTC": BTC}, 0)
    with pytest.raises(InvariantBroken, match="'BTC'"):
        verdict(check=Precheck({}, 5))


def compiled(function: Any) -> Any:
    """Compile a plain function and the plain functions it calls, unchanged."""
    inner = {
        name: compiled(value)
        for name in function.__code__.co_names
        if isinstance(value := function.__globals__.get(name), FunctionType)
    }
    return njit(FunctionType(function.__code__, {**function.__globals__, **inner}, function.__name__))


COMPILED = compiled(check_order)


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Draw the usual value, or something that may break a rule."""
    return st.one_of(st.just(usual), st.just(usual), st.just(usual), st.just(usual), *others)


@st.composite
def orders(draw: st.DrawFn) -> tuple[Any, ...]:
    """Arguments of check_order near every boundary; most orders break no rule or one."""
    side = draw(st.sampled_from([1, -1]))
    return (
        side,
        draw(
            mostly(640_000, st.integers(-1, 200), st.integers(60_000, 70_000).map(lambda p: p * 10), st.just(123_456))
        ),
        draw(mostly(1_000, st.integers(-2, 20), st.integers(100, 10**6), st.integers(10**12, 10**14))),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(mostly(-5_000 * side, st.integers(-(10**4), 10**4), st.integers(-20, 20))),
        draw(st.integers(0, 10**4)),
        draw(st.integers(0, 10**4)),
        0,
        draw(mostly(639_990, st.sampled_from([0, 50, 640_000]))),
        draw(mostly(640_010, st.sampled_from([0, 60, 640_000]))),
        draw(mostly(640_000, st.sampled_from([0, 1, 99, 123_456, 336_842]))),
        draw(mostly(10**13, st.integers(-(10**9), 10**12))),
        draw(st.integers(0, 10**11)),
        draw(mostly(5, st.integers(-1, 2))),
        10,
        draw(st.sampled_from([0, 5])),
        draw(st.sampled_from([1, 5])),
        100,
        10 * USDC,
        draw(st.integers(1, 50)),
        draw(mostly(2**63 - 1, st.integers(10**11, 10**13))),
    )


def broken_rules(order: tuple[Any, ...]) -> list[Reason]:
    """Say every rule again in other words: exact fractions, no early return, no shared function but the grid's."""
    (side, price, lots, post_only, reduce_only, position, buy, sell, replaced, bid, ask, reference, equity, used, left,
     whole, figures, tick_min, unit, notional_min, leverage, tier_end) = order  # fmt: skip
    value = price * lots * unit
    reduces = (position > 0 and side < 0) or (position < 0 and side > 0)
    opened = {1: (buy + lots - replaced, sell), -1: (buy, sell + lots - replaced)}[side]
    after, before = (max(abs(position + b), abs(position - s)) for b, s in (opened, (buy, sell)))
    grows = after > before and not reduce_only
    dearest = max(price, reference)
    rules = {
        Reason.ZERO_SIZE: lots == 0,
        Reason.INVALID_LOT: lots < 0 or value > ORDER_VALUE_MAX,
        Reason.INVALID_TICK: not grid.is_on_grid(price, whole, figures, tick_min),
        Reason.MIN_NOTIONAL: value < notional_min and not (reduce_only and reduces and lots >= abs(position)),
        Reason.PRICE_TOO_FAR: reference > 0 and Fraction(abs(price - reference), reference) > Fraction(95, 100),
        Reason.REDUCE_ONLY_VIOLATION: reduce_only and not reduces,
        Reason.INSUFFICIENT_MARGIN: grows
        and (
            after * dearest * unit > tier_end or used + Fraction((after - before) * dearest * unit, leverage) > equity
        ),
        Reason.POST_ONLY_WOULD_CROSS: post_only
        and ((side > 0 and ask > 0 and price >= ask) or (side < 0 and price <= bid)),
        Reason.RATE_BUDGET: left <= 0,
    }
    return [reason for reason, is_broken in rules.items() if is_broken]


@settings(max_examples=1_000, deadline=None)
@given(orders())
def test_code_names_the_first_broken_rule_plain_and_compiled(order: tuple[Any, ...]) -> None:
    code = check_order(*order)
    assert [*broken_rules(order), Reason.NONE][0] == code
    assert code == COMPILED(*order)


@settings(max_examples=300)
@given(orders())
def test_denial_tells_an_observation_on_the_wrong_side_of_its_limit(order: tuple[Any, ...]) -> None:
    side, price, lots, post_only, reduce_only, position, buy, sell, _, bid, ask, reference, equity, used, left = order[
        :15
    ]
    denial = verdict(
        Side(side), price, lots, post_only=post_only, reduce_only=reduce_only, position=position, buy_lots=buy,
        sell_lots=sell, bid=bid, ask=ask, mark=reference, equity=equity, margin_used=used, budget_left=left,
    )  # fmt: skip
    if denial is None:
        return
    if denial.reason in {Reason.ZERO_SIZE, Reason.MIN_NOTIONAL, Reason.RATE_BUDGET}:
        assert denial.observed < denial.limit
    elif denial.reason in {Reason.PRICE_TOO_FAR, Reason.INSUFFICIENT_MARGIN}:
        assert denial.observed > denial.limit
    elif denial.reason is Reason.INVALID_LOT:
        assert denial.observed < 0 or denial.observed > denial.limit
    elif denial.reason is Reason.INVALID_TICK:
        assert denial.observed <= 0 or denial.observed % denial.limit
    elif denial.reason is Reason.REDUCE_ONLY_VIOLATION:
        assert denial.limit * denial.observed >= 0
    else:
        assert (denial.observed - denial.limit) * side >= 0


@given(st.integers(0, 10**17))
def test_distance_is_ninety_five_percent_rounded_down(reference: int) -> None:
    assert reference * 95 // 100 == precheck.distance_max(reference)


def test_fixed_tick_instruments_are_checked_on_their_own_grid() -> None:
    fixed = Instrument(
        symbol="BTC", asset_id=0, size_decimals=3, price_decimals=2, significant_figures=0, tick_min=Price(10)
    )
    check = Precheck({"BTC": fixed}, 5)
    terms = {"bid": 6_399_990, "ask": 6_400_010, "mark": 6_400_000, "lots": 1, "check": check}
    assert verdict(price=6_399_980, **terms) is None
    assert Denial(Reason.INVALID_TICK, 10, 6_399_985) == verdict(price=6_399_985, **terms)
