"""An account as a clearing house states it: every position with its margin, and the totals of HYPERLIQUID 9.4.

It reads and changes nothing. Units: Money, price units and signed lots unless said; a market without any price counts
at its entry cost.
"""

from typing import TYPE_CHECKING

import msgspec

from exchange.simulated import margins
from exchange.simulated.accounts import Account
from exchange.simulated.market import Market

if TYPE_CHECKING:
    from exchange.simulated.venue import Venue


class PositionClearing(msgspec.Struct, frozen=True, kw_only=True):
    """One position. value has no sign.

    Units: return_on_equity and liquidation_price in 1e-10 (the latter of the quote currency, 0 for none). Sign: funding
    received is positive: ever, since the position opened, since it last changed.
    """

    symbol: str
    lots: int
    entry_price: int
    cost: int
    value: int
    unrealized: int
    return_on_equity: int
    liquidation_price: int
    margin_used: int
    leverage: int
    leverage_max: int
    is_cross: bool
    raw: int
    funding_ever: int
    funding_since_open: int
    funding_since_change: int


class Clearing(msgspec.Struct, frozen=True, kw_only=True):
    """The whole account. raw is cash with all costs in it (totalRawUsd)."""

    positions: tuple[PositionClearing, ...]
    account_value: int
    notional: int
    raw: int
    margin_used: int
    cross_account_value: int
    cross_notional: int
    cross_raw: int
    cross_margin_used: int
    cross_maintenance: int
    withdrawable: int
    free_margin: int


def clearinghouse(venue: "Venue", account: Account) -> Clearing:
    """Return the account as of now, positions by symbol."""
    admission = venue.desk.admission
    markets = venue.markets
    values = {symbol: value_of(account, markets[symbol]) for symbol in sorted(account.positions)}
    crossed = [symbol for symbol in values if symbol not in account.isolated]
    maintenances = {symbol: maintenance_of(account, markets[symbol]) for symbol in values}
    cross_maintenance = sum(maintenances[symbol] for symbol in crossed)
    cross_value = account.cash + sum(values[symbol] for symbol in crossed)
    positions = []
    for symbol, value in values.items():
        is_cross = symbol not in account.isolated
        equity = cross_value if is_cross else value + account.isolated[symbol]
        others = cross_maintenance - maintenances[symbol] if is_cross else 0
        leverage = admission.leverage(account, markets[symbol])
        positions.append(_position(account, markets[symbol], value, leverage, equity, others))
    used = sum(one.margin_used for one in positions)
    cross_used = sum(one.margin_used for one in positions if one.is_cross)
    isolated_raw = sum(account.isolated.values())
    notional = sum(one.value for one in positions)
    initial = admission.margin_used(account)
    return Clearing(
        positions=tuple(positions),
        account_value=cross_value + sum(values[symbol] + raw for symbol, raw in account.isolated.items()),
        notional=notional,
        raw=account.cash + isolated_raw,
        margin_used=used,
        cross_account_value=cross_value,
        cross_notional=sum(one.value for one in positions if one.is_cross),
        cross_raw=account.cash,
        cross_margin_used=cross_used,
        cross_maintenance=cross_maintenance,
        withdrawable=margins.withdrawable(cross_value, initial, notional),
        free_margin=max(cross_value - initial, 0),
    )


def open_interest(venue: "Venue", symbol: str) -> int:
    """Return the lots held long, by accounts and by the outside against them. Units: lots."""
    held = sum(max(account.positions.get(symbol, 0), 0) for account in venue.accounts.values())
    return held + max(venue.markets[symbol].outside_lots, 0)


def value_of(account: Account, market: Market) -> int:
    """Return what a position is worth at the mark, signed; its cost while there is no price. Units: Money."""
    price = market.reference()
    symbol = market.symbol
    return account.positions[symbol] * price * market.money_per_unit if price else account.costs[symbol]


def maintenance_of(account: Account, market: Market) -> int:
    """Return the maintenance margin of a position. Units: Money."""
    return margins.maintenance_margin(abs(value_of(account, market)), market.lower_bounds, market.leverages)


def _position(
    account: Account, market: Market, value: int, leverage: int, equity: int, others: int
) -> PositionClearing:
    """Return one position; equity and others as `margins.liquidation_price` takes them."""
    symbol = market.symbol
    lots, cost = account.positions[symbol], account.costs[symbol]
    price, per_unit = market.reference(), market.money_per_unit
    is_cross = symbol not in account.isolated
    pnl = value - cost
    ever, since_open, since_change = account.funding_sums.get(symbol, (0, 0, 0))
    return PositionClearing(
        symbol=symbol,
        lots=lots,
        entry_price=margins.entry_price(lots, cost, per_unit),
        cost=cost,
        value=abs(value),
        unrealized=pnl,
        return_on_equity=margins.return_on_equity(pnl, cost, leverage),
        liquidation_price=margins.liquidation_price(
            lots,
            price,
            per_unit,
            market.instrument.size_decimals,
            equity,
            others,
            market.lower_bounds,
            market.leverages,
        ),
        margin_used=margins.margin_used(abs(value), leverage) if is_cross else equity,
        leverage=leverage,
        leverage_max=market.instrument.leverage_max,
        is_cross=is_cross,
        raw=account.isolated.get(symbol, account.cash),
        funding_ever=ever,
        funding_since_open=since_open,
        funding_since_change=since_change,
    )
