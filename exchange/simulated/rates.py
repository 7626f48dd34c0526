"""Fee rates of every account, assessed at the end of each UTC day from the fourteen days that ended.

Rule 60 of docs/FILLS.md. Source: HYPERLIQUID 8.
"""

from collections.abc import Iterable

from exchange.simulated.accounts import Account
from exchange.simulated.fee_tiers import fee_rates, window_volume


def assess(accounts: Iterable[Account], day: int) -> None:
    """Give every account the rates of a day. Units: UTC days since 1970."""
    volumes = [(account, window_volume(account.volume_by_day, day)) for account in accounts]
    made_by_all = sum(made for _, (made, _) in volumes)
    for account, (made, took) in volumes:
        rates = fee_rates(made + took, made, made_by_all, account.fee_discount)
        account.maker_rate, account.taker_rate = int(rates.maker), int(rates.taker)
