"""Fee rates of every account, assessed at the end of each UTC day from the fourteen days that ended.

Accounts of one pool, a master and its sub-accounts, have one volume.

Rule 60 of docs/FILLS.md. Source: HYPERLIQUID 8.
"""

from collections.abc import Iterable

from exchange.simulated.accounts import Account
from exchange.simulated.fee_tiers import fee_rates, window_volume


def assess(accounts: Iterable[Account], day: int) -> None:
    """Give every account the rates of a day. Units: UTC days since 1970."""
    everybody = list(accounts)
    pools: dict[str, tuple[int, int]] = {}
    for account in everybody:
        made, took = window_volume(account.volume_by_day, day)
        before = pools.get(account.pool, (0, 0))
        pools[account.pool] = (before[0] + made, before[1] + took)
    made_by_all = sum(made for made, _ in pools.values())
    for account in everybody:
        made, took = pools[account.pool]
        rates = fee_rates(made + took, made, made_by_all, account.fee_discount)
        account.maker_rate, account.taker_rate = int(rates.maker), int(rates.taker)
