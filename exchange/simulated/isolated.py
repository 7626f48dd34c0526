"""Fills of isolated positions: what of the trade's money stays with the position and what goes to the account.

An isolated position has its own raw USD: collateral less the signed entry cost (HYPERLIQUID 9.4). Opening sets
aside notional / leverage; closing releases collateral in proportion, together with the gain.

Law: cash and raw USD together change by the trade's notional and fee, as a cross fill's cash does.
"""

from exchange.simulated.accounts import Account
from exchange.simulated.margin import initial_margin


def take_isolated_fill(
    account: Account, symbol: str, side: int, lots: int, notional: int, fee: int, leverage: int
) -> tuple[int, int]:
    """Book one execution and return the position before it and the gain it realised, gross of fees.

    Units: lots > 0; notional, fee and gain in Money.
    """
    before_cost = account.costs.get(symbol, 0)
    raw = account.isolated.pop(symbol, 0)
    collateral = raw + before_cost
    before, gain = account.take_fill(symbol, side, lots, notional, fee)
    after = account.positions.get(symbol, 0)
    if after == 0:
        kept = 0
    elif before * side >= 0:
        kept = collateral + initial_margin(notional, leverage)
    elif before * after > 0:
        kept = collateral * abs(after) // abs(before)
    else:
        kept = initial_margin(abs(account.costs[symbol]), leverage)
    raw_after = kept - account.costs.get(symbol, 0)
    # take_fill moved the whole notional through cash; what belongs to the position goes back to it.
    account.cash += raw - (raw_after if after else 0)
    if after:
        account.isolated[symbol] = raw_after
    return before, gain
