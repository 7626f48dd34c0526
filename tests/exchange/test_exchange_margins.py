"""Margins: laws of the plain functions, and recorded account statements to their last digit."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.units import MICRO_USDC, MONEY_UNIT, format_scaled, parse_money, parse_scaled
from exchange.simulated import margins
from exchange.simulated.margins import (
    LIQUIDATION_PRICE_DECIMALS,
    RETURN_DECIMALS,
    can_withdraw,
    entry_price,
    free_margin,
    isolated_margin,
    isolated_raw,
    liquidation_price,
    maintenance_margin,
    margin_used,
    ratio_scaled,
    return_on_equity,
    tier_line,
    unrealized_pnl,
    withdrawable,
)
from tests.exchange.compiled_twins import assert_twins_agree

API = Path(__file__).resolve().parents[3] / "shared" / "data" / "hyperliquid" / "api"
UNIT = 100
SIZES = "BTC 5, ETH 4, ATOM 2, MATIC 1, DYDX 1, SOL 2, AVAX 2, BNB 3, APE 1, OP 1, LTC 2, ARB 1, HYPE 2, PUMP 0"
SIZE_DECIMALS = {coin: int(decimals) for coin, decimals in (pair.split() for pair in SIZES.split(", "))}
LEVERAGE_2023 = 50
"""Every coin's highest leverage on 2023-03-27, as the recorded liquidation prices tell."""

MONEY = st.integers(0, 9 * 10**15)
BOUNDS = (0, 0, 3_000_000 * MONEY_UNIT, 150_000_000 * MONEY_UNIT)
TIERS = st.tuples(*[st.integers(1, 50)] * 4).map(lambda caps: (BOUNDS, tuple(sorted(caps, reverse=True))))
LOTS = st.integers(-(10**7), 10**7).filter(bool)
PRICE = st.integers(1, 10**6)
EQUITY = st.integers(-(10**13), 10**14)


def exact_maintenance(notional: Fraction, bounds: tuple[int, ...], caps: tuple[int, ...]) -> Fraction:
    """Sum what lies inside each tier at that tier's rate."""
    total = Fraction(0)
    for low, end, cap in zip(bounds, (*bounds[1:], notional), caps, strict=True):
        if notional > low:
            total += (min(notional, Fraction(end)) - low) / (2 * cap)
    return total


@given(MONEY, TIERS)
def test_maintenance_is_each_part_at_its_own_rate(notional: int, tiers: tuple) -> None:
    shown = maintenance_margin(notional, *tiers)
    assert shown % MICRO_USDC == 0
    assert -len(BOUNDS) <= exact_maintenance(Fraction(notional), *tiers) - shown <= MICRO_USDC + len(BOUNDS)


@given(MONEY, st.integers(0, 10**12), TIERS)
def test_maintenance_grows_with_notional_and_never_faster_than_half_of_it(notional: int, more: int, tiers) -> None:
    lower, higher = (maintenance_margin(amount, *tiers) for amount in (notional, notional + more))
    assert 0 <= lower <= higher <= lower + more // 2 + 2 * MICRO_USDC
    assert lower <= notional // 2


@given(MONEY, TIERS)
def test_maintenance_is_the_highest_of_its_lines(notional: int, tiers: tuple) -> None:
    lines = max(tier_line(notional, tier, *tiers) for tier in range(len(BOUNDS)))
    assert abs(lines - maintenance_margin(notional, *tiers)) <= MICRO_USDC + len(BOUNDS)


def test_maintenance_of_bitcoin_on_mainnet() -> None:
    bounds, caps = (0, 150_000_000 * MONEY_UNIT), (40, 20)
    amounts = [maintenance_margin(millions * 10**6 * MONEY_UNIT, bounds, caps) for millions in (1, 150, 200)]
    assert [12_500 * MONEY_UNIT, 1_875_000 * MONEY_UNIT, 3_125_000 * MONEY_UNIT] == amounts


@given(MONEY, st.integers(1, 50))
def test_margin_used_is_cut_to_whole_micro_usdc(notional: int, leverage: int) -> None:
    used = margin_used(notional, leverage)
    assert used % MICRO_USDC == 0
    assert 0 <= Fraction(notional, leverage) - used < MICRO_USDC


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**17), st.integers(0, 12))
def test_a_ratio_is_rounded_half_away_from_zero(amount: int, whole: int, decimals: int) -> None:
    scaled = ratio_scaled(amount, whole, decimals)
    assert abs(Fraction(amount * 10**decimals, whole) - scaled) <= Fraction(1, 2)
    assert ratio_scaled(-amount, whole, decimals) == -scaled


@given(LOTS, PRICE, st.integers(-(10**14), 10**14))
def test_equity_of_an_isolated_position_is_collateral_and_profit(position: int, mark: int, collateral: int) -> None:
    cost = position * 77 * UNIT
    raw = isolated_raw(collateral, cost)
    assert isolated_margin(position, mark, UNIT, raw) == collateral + unrealized_pnl(position, mark, UNIT, cost)


@given(LOTS, PRICE, st.integers(0, 99))
def test_the_entry_price_is_never_above_cost_per_lot(position: int, price: int, more: int) -> None:
    cost = position * price * UNIT + more * (1 if position > 0 else -1)
    assert price <= entry_price(position, cost, UNIT) <= Fraction(cost, position * UNIT)


def test_without_position_there_is_neither_entry_price_nor_return() -> None:
    assert (0, 0) == (entry_price(0, 0, UNIT), return_on_equity(0, 0, 20))


@given(EQUITY, MONEY, MONEY, st.integers(-5, 10**15))
def test_withdrawals_leave_initial_margin_and_a_tenth_of_notional(equity, initial, notional, amount) -> None:
    free = withdrawable(equity, initial, notional)
    assert 0 <= free <= max(equity, 0)
    assert free == 0 or equity - free >= max(initial, notional // 10)
    assert can_withdraw(equity, amount, initial, notional) == (0 < amount <= free)
    assert 0 <= free_margin(equity, initial, notional) <= max(equity, 0)


@given(LOTS, PRICE, st.integers(0, 6), EQUITY, st.integers(0, 10**12), TIERS)
def test_at_the_liquidation_price_equity_meets_maintenance(position, mark, decimals, equity, others, tiers) -> None:
    found = liquidation_price(position, mark, UNIT, decimals, equity, others, *tiers)
    unit = UNIT * 10 ** (decimals + 2)
    price = Fraction(found, unit)

    def above(at: Fraction) -> Fraction:
        notional = abs(position) * at * UNIT
        return equity + position * (at - mark) * UNIT - others - exact_maintenance(notional, *tiers)

    slack = abs(position) * Fraction(2 * UNIT, unit) + 2 * MICRO_USDC
    if found == 0:
        # Either no price is low enough for a long, or already the price zero is too high for a short.
        assert above(Fraction(0)) >= -slack if position > 0 else above(Fraction(0)) <= slack
    else:
        assert abs(above(price)) <= slack


@given(LOTS, PRICE, MONEY, st.integers(1, 10**10), TIERS)
def test_more_equity_moves_liquidation_away(position, mark, equity, more, tiers) -> None:
    nearer = liquidation_price(position, mark, UNIT, 2, equity, 0, *tiers)
    farther = liquidation_price(position, mark, UNIT, 2, equity + more, 0, *tiers)
    assume(nearer and farther)
    assert (nearer - farther) * position >= 0


def test_functions_give_the_same_when_compiled(monkeypatch) -> None:
    tier_arguments = st.tuples(MONEY, TIERS).map(lambda drawn: (drawn[0], *drawn[1]))
    assert_twins_agree(
        monkeypatch,
        margins,
        {
            "margin_used": st.tuples(MONEY, st.integers(1, 50)),
            "tier_line": st.tuples(MONEY, st.integers(0, 3), TIERS).map(lambda drawn: (*drawn[:2], *drawn[2])),
            "maintenance_margin": tier_arguments,
            "unrealized_pnl": st.tuples(LOTS, PRICE, st.just(UNIT), EQUITY),
            "entry_price": st.tuples(st.integers(-(10**7), 10**7), EQUITY, st.just(UNIT)),
            "ratio_scaled": st.tuples(EQUITY, st.integers(10**6, 10**17), st.integers(0, 10)),
            "return_on_equity": st.tuples(EQUITY, st.integers(10**9, 10**14), st.integers(1, 50)),
            "isolated_raw": st.tuples(EQUITY, EQUITY),
            "isolated_margin": st.tuples(LOTS, PRICE, st.just(UNIT), EQUITY),
            "withdrawable": st.tuples(EQUITY, MONEY, MONEY),
            "can_withdraw": st.tuples(EQUITY, EQUITY, MONEY, MONEY),
            "free_margin": st.tuples(EQUITY, MONEY, MONEY),
        },
    )


def recorded(name: str) -> dict[str, Any]:
    """Return one recorded account statement."""
    place = API / name
    if not place.exists():
        pytest.skip(f"no recorded account statements at {place}")
    if place.suffix == ".jsonl":
        lines = [json.loads(line) for line in place.read_text().splitlines()]
        return next(line["message"] for line in lines if line["kind"] == "get_clearing_house_state_ack")
    return json.loads(place.read_text())[0]["response"]["body"]


STATEMENT_2023 = "pairs/python_sdk/test_get_user_state.json"
STATEMENT_2026_02 = "messages/order_lifecycle_messages.jsonl"
STATEMENT_2026_06 = "pairs/info/clearinghouseState_small.json"
STATEMENTS = pytest.mark.parametrize("name", [STATEMENT_2023, STATEMENT_2026_02, STATEMENT_2026_06])


def money(text: str) -> int:
    """Return recorded USDC as Money: the venue's answers of 2026 carry binary noise behind the sixth decimal."""
    return parse_money(str(round(Decimal(text), 6)))


class Row:
    """A recorded position in our units: what is derived is derived from size, mark and cost alone."""

    def __init__(self, shown: dict[str, Any]) -> None:
        self.shown = shown
        self.decimals = SIZE_DECIMALS[shown["coin"]]
        self.position = parse_scaled(shown["szi"], self.decimals)
        self.notional = money(shown["positionValue"])
        self.mark = self.notional // (abs(self.position) * UNIT)
        self.value = self.position * self.mark * UNIT
        self.cost = self.value - money(shown["unrealizedPnl"])
        self.leverage = int(shown["leverage"]["value"])
        self.caps = (int(shown.get("maxLeverage", LEVERAGE_2023)),)
        self.maintenance = maintenance_margin(self.notional, (0,), self.caps)

    def liquidation(self, equity: int, maintenance: int) -> str | None:
        """Return liquidationPx of a cross account."""
        others = maintenance - self.maintenance
        found = liquidation_price(self.position, self.mark, UNIT, self.decimals, equity, others, (0,), self.caps)
        return format_scaled(found, LIQUIDATION_PRICE_DECIMALS) if found else None


def rows_of(statement: dict[str, Any]) -> list[Row]:
    """Return the positions of a statement."""
    return [Row(one["position"]) for one in statement["assetPositions"]]


@pytest.mark.recorded
@STATEMENTS
def test_every_recorded_row_follows_from_size_mark_and_cost(name: str) -> None:
    rows = rows_of(recorded(name))
    assert rows
    for row in rows:
        assert abs(row.value) == row.notional
        entry = entry_price(row.position, row.cost, UNIT)
        assert parse_scaled(row.shown["entryPx"], 6 - row.decimals) == entry
        assert parse_money(row.shown["marginUsed"]) == margin_used(row.notional, row.leverage)
        if name == STATEMENT_2023:
            # Entry prices were exact then, and the return was on margin used.
            exact = row.position * entry * UNIT
            assert money(row.shown["unrealizedPnl"]) == unrealized_pnl(row.position, row.mark, UNIT, exact)
            used = margin_used(row.notional, row.leverage)
            shown = ratio_scaled(row.value - row.cost, used, 8)
            assert abs(parse_scaled(row.shown["returnOnEquity"], 8) - shown) <= 1
        else:
            shown = return_on_equity(row.value - row.cost, row.cost, row.leverage)
            assert parse_scaled(row.shown["returnOnEquity"], RETURN_DECIMALS) == shown


@pytest.mark.recorded
@STATEMENTS
def test_every_recorded_total_follows_from_the_rows(name: str) -> None:
    statement = recorded(name)
    rows, summary = rows_of(statement), statement["marginSummary"]
    equity, notional = money(summary["accountValue"]), sum(row.notional for row in rows)
    used = sum(margin_used(row.notional, row.leverage) for row in rows)
    assert statement["crossMarginSummary"] == summary
    assert money(summary["totalNtlPos"]) == notional
    assert money(summary["totalMarginUsed"]) == used
    assert money(summary["totalRawUsd"]) + sum(row.value for row in rows) == equity
    if name == STATEMENT_2023:
        assert money(statement["withdrawable"]) == withdrawable(equity, used, 0)
    else:
        assert money(statement["withdrawable"]) == withdrawable(equity, used, notional)
        assert money(statement["crossMaintenanceMarginUsed"]) == sum(row.maintenance for row in rows)


@pytest.mark.recorded
def test_recorded_liquidation_price_of_a_safe_long_is_none() -> None:
    statement = recorded(STATEMENT_2026_02)
    (row,) = rows_of(statement)
    assert row.liquidation(money(statement["marginSummary"]["accountValue"]), row.maintenance) is None
    assert row.shown["liquidationPx"] is None


@pytest.mark.recorded
def test_recorded_liquidation_prices_of_2026_agree_on_one_equity() -> None:
    """One row tells the equity with collateral the payload does not show; the other rows follow to the last digit."""
    statement = recorded(STATEMENT_2026_06)
    rows = rows_of(statement)
    maintenance = sum(row.maintenance for row in rows)
    first = rows[0]
    away = Fraction(first.shown["liquidationPx"]) * 10 - first.mark
    room = away * abs(first.position) * UNIT * Fraction(2 * first.caps[0] + 1, 2 * first.caps[0])
    own = tier_line(first.notional, 0, (0,), first.caps)
    equity = round((room + own + maintenance - first.maintenance) / MICRO_USDC) * MICRO_USDC
    shared = equity - money(statement["marginSummary"]["accountValue"])
    assert "528243.881726" == format_scaled(shared, 8)
    for row in rows:
        assert row.shown["liquidationPx"] == row.liquidation(equity, maintenance)


@pytest.mark.recorded
def test_recorded_liquidation_prices_of_2023_did_not_divide() -> None:
    statement = recorded(STATEMENT_2023)
    rows = rows_of(statement)
    room = money(statement["marginSummary"]["accountValue"]) - sum(row.maintenance for row in rows)
    told = 0
    for row in rows:
        scale = UNIT * 10**row.decimals
        side = 1 if row.position > 0 else -1
        price = row.mark * scale - side * ratio_scaled(room, abs(row.position), row.decimals)
        if row.shown["liquidationPx"] is None:
            assert price <= 0
        else:
            assert abs(parse_scaled(row.shown["liquidationPx"], 8) - price) <= 1
            told += 1
    assert 5 == told


def test_the_isolated_sample_of_the_documents() -> None:
    """Source: HYPERLIQUID 2.4, clearinghouseState of 2024-02-22, when maintenance was cut in the liquidation price too."""
    position, mark, raw = 335, 298_590, parse_money("-95.059824")
    cost = position * 298_630 * UNIT
    equity = isolated_margin(position, mark, UNIT, raw)
    pnl = unrealized_pnl(position, mark, UNIT, cost)
    assert [parse_money("4.967826"), parse_money("-0.0134")] == [equity, pnl]
    assert parse_scaled("-0.0026789", 7) == ratio_scaled(return_on_equity(pnl, cost, 20), 10**3, 0)
    notional = position * mark * UNIT
    uncut = tier_line(notional, 0, (0,), (50,)) - maintenance_margin(notional, (0,), (50,))
    found = liquidation_price(position, mark, UNIT, 4, equity + uncut, 0, (0,), (50,))
    assert parse_scaled("2866.26936529", 8) == ratio_scaled(found, 100, 0)
    assert parse_money("13104.514502") == withdrawable(parse_money("13104.514502"), 0, 0)
