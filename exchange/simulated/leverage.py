"""Leverage and isolated margin of an account's markets, as the account sets them.

Laws: leverage may rise at any time and falls only with enough margin; the kind of margin changes only without a
position; money moves between cash and an isolated position, never appears. Rules 50 to 52 of docs/FILLS.md.
Source: HYPERLIQUID 3.6 (updateLeverage, updateIsolatedMargin), 9.3.
"""

from domain.units import RATE_UNIT
from exchange.simulated import margins, refusals
from exchange.simulated.accounts import Account
from exchange.simulated.admission import Admission
from exchange.simulated.margin import initial_margin
from exchange.simulated.market import Market
from exchange.simulated.refusals import Refusal, refusal


def set_leverage(
    admission: Admission, account: Account, market: Market, leverage: int, *, is_cross: bool
) -> Refusal | None:
    """Choose leverage and kind of margin for a market."""
    symbol = market.symbol
    if not 1 <= leverage <= market.instrument.leverage_max:
        return refusal(refusals.LEVERAGE_VALUE)
    position = account.positions.get(symbol, 0)
    before = account.leverages.get(symbol)
    was_cross = before is None or before[1]
    if position and was_cross != is_cross:
        return refusal(refusals.LEVERAGE_TYPE)
    was = admission.leverage(account, market)
    account.leverages[symbol] = (leverage, is_cross)
    if leverage >= was:
        return None
    refused = None
    value = position_value(account, market) if position else 0
    if position and not is_cross and isolated_equity(account, market) < initial_margin(value, leverage):
        refused = refusal(refusals.LEVERAGE_ISOLATED)
    if refused is None and admission.margin_used(account) > max(admission.equity(account), 0):
        refused = refusal(refusals.LEVERAGE_CROSS)
    if refused is not None:
        if before is None:
            del account.leverages[symbol]
        else:
            account.leverages[symbol] = before
    return refused


def change_isolated_margin(admission: Admission, account: Account, market: Market, amount: int) -> Refusal | None:
    """Move money from cash into an isolated position (> 0) or back. Units: Money."""
    symbol = market.symbol
    if amount == 0:
        return refusal(refusals.ISOLATED_ZERO)
    if symbol not in account.positions:
        return refusal(refusals.ISOLATED_EMPTY)
    if symbol not in account.isolated:
        return refusal(refusals.NOT_ISOLATED)
    if amount > 0:
        if amount > admission.equity(account) - admission.margin_used(account):
            return refusal(refusals.ISOLATED_INCREASE)
    else:
        value = position_value(account, market)
        least = max(initial_margin(value, admission.leverage(account, market)), value // margins.WITHDRAWAL_DIVISOR)
        if isolated_equity(account, market) + amount < least:
            return refusal(refusals.ISOLATED_REDUCTION)
    account.cash -= amount
    account.isolated[symbol] += amount
    return None


def top_up_isolated(admission: Admission, account: Account, market: Market, leverage: int) -> Refusal | None:
    """Add margin until an isolated position has this leverage; above it already is fine. Units: leverage in 1e-9."""
    if leverage <= 0:
        return refusal(refusals.LEVERAGE_VALUE)
    if market.symbol not in account.positions:
        return refusal(refusals.ISOLATED_EMPTY)
    if market.symbol not in account.isolated:
        return refusal(refusals.NOT_ISOLATED)
    wanted = -(-position_value(account, market) * RATE_UNIT // leverage)
    missing = wanted - isolated_equity(account, market)
    return change_isolated_margin(admission, account, market, missing) if missing > 0 else None


def position_value(account: Account, market: Market) -> int:
    """Return what a position is worth at the reference price, without sign. Units: Money."""
    return abs(account.positions[market.symbol]) * market.reference() * market.money_per_unit


def isolated_equity(account: Account, market: Market) -> int:
    """Return an isolated position's collateral and unrealized gain. Units: Money."""
    symbol = market.symbol
    return margins.isolated_margin(
        account.positions[symbol], market.reference(), market.money_per_unit, account.isolated[symbol]
    )
