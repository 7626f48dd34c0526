"""What trading and holding cost: plain integer functions, compiled unchanged by numba.

Law: the venue books whole micro-USDC. Fees and funding are rounded half away from zero to that unit, each once.
Source: HYPERLIQUID 8 (fees), 9.1 (funding); USDC amounts carry six decimals in recorded fills.
"""

from domain.units import money_times_rate, round_to_micro


def fee_of(notional: int, rate: int) -> int:
    """Return the fee of one fill. Units: Money (notional >= 0). Sign: positive is a cost, negative a rebate."""
    return round_to_micro(money_times_rate(notional, rate))


def funding_of(position: int, oracle_price: int, money_per_unit: int, rate: int) -> int:
    """Return what one hourly settlement pays us.

    Units: position in signed lots, oracle_price in price units, rate per hour (1e-9), result Money.
    Sign: positive is received; longs pay when the rate is positive.
    """
    return round_to_micro(-money_times_rate(position * oracle_price * money_per_unit, rate))
