"""Hourly funding: what every position is paid.

Law: an hour is settled once, in the order in which accounts were opened, positions by symbol. Rule 32 of docs/FILLS.md.
"""

from domain.events import FundingPaid
from domain.units import Lots, Money, Price, Rate
from exchange.simulated.accounts import Account
from exchange.simulated.costs import funding_of
from exchange.simulated.desk import Desk


def settle(desk: Desk, account: Account, hour_ns: int) -> None:
    """Settle one hour for every position of an account whose market has told a rate, and tell it."""
    for symbol, position in sorted(account.positions.items()):
        market = desk.markets[symbol]
        oracle = market.oracle_price or market.reference()
        if not market.has_funding or not oracle:
            continue
        amount = funding_of(position, oracle, market.money_per_unit, market.funding_rate)
        if symbol in account.isolated:
            account.isolated[symbol] += amount
        else:
            account.cash += amount
        ever, opened, changed = account.funding_sums.get(symbol, (0, 0, 0))
        account.funding_sums[symbol] = (ever + amount, opened + amount, changed + amount)
        funding = FundingPaid(
            ts_event_ns=hour_ns,
            ts_recv_ns=hour_ns,
            symbol=symbol,
            hour_ns=hour_ns,
            position=Lots(position),
            rate=Rate(market.funding_rate),
            oracle_price=Price(oracle),
            amount=Money(amount),
        )
        account.fundings.append(funding)
        desk.listener.on_funding(account, funding)
