"""The algebra of an account statement: maintenance margin, margin used, liquidation price, what may be withdrawn.

Why it exists: the venue shows some twenty numbers that all follow from cash, lots, costs and marks. Plain integer
functions, compiled unchanged by numba, one for each number. Initial margin of orders and tiers by leverage are in
`margin.py`.

Laws: maintenance margin grows with notional, without steps and never slower; what the venue shows of a margin is cut to
whole micro-USDC per position, and totals are sums of what is shown; the liquidation price is where equity meets
maintenance, tiers included.

Accuracy: checked on the recorded `clearinghouseState` answers of 2023-03-27 (twelve positions), 2026-02-03 (one) and
2026-06 (three). Given size, mark and cost, every row and total comes out to its last digit, cut entry prices included;
returns and liquidation prices of 2023 within one of the last digit. The rules changed, and ours are today's: in 2023
the liquidation price did not divide by (1 - l * side), the return was on margin used, withdrawals had no 10 % rule, and
the 50x of all coins is inferred from the liquidation prices. In 2026-06 liquidation prices count collateral the payload
does not show (an account mode that shares it): one row tells how much, the other two then agree to the last digit.
The documents' isolated sample of 2024-02 still cuts the position's own maintenance in the liquidation price.

Bounds: interpreted none; compiled, amounts below 9e10 USDC. `liquidation_price` is interpreted only: far from any
liquidation its steps leave 64 bits.
Source: HYPERLIQUID 9.3 (margin), 9.4 (fields), 9.5 (liquidation price); venue docs, read 2026-11-20.
"""

from domain.units import MICRO_USDC

RETURN_DECIMALS = 10
"""The venue writes returnOnEquity with ten decimals. Source: recorded clearinghouseState, 2026-02-03."""

LIQUIDATION_PRICE_DECIMALS = 10
"""The venue writes liquidationPx with up to ten decimals, off the price grid. Source as RETURN_DECIMALS."""

WITHDRAWAL_DIVISOR = 10
"""A tenth of open notional stays, whatever the leverage. Source: HYPERLIQUID 9.3, 9.4; recorded 2026-02-03."""


def margin_used(notional: int, leverage: int) -> int:
    """Return notional / leverage as the venue shows it: cut to whole micro-USDC. Units: Money (>= 0)."""
    return notional // (leverage * MICRO_USDC) * MICRO_USDC


def tier_line(notional: int, tier: int, lower_bounds: tuple[int, ...], leverages: tuple[int, ...]) -> int:
    """Return notional * rate(tier) - deduction(tier), as if the tier had no ends; rate is 1 / (2 * leverage).

    Units: Money. Shape: both tuples ascend by bound, the first bound is 0, leverages never rise.
    Source: HYPERLIQUID 9.3.
    """
    deduction = 0
    for index in range(1, tier + 1):
        bound = lower_bounds[index]
        deduction += bound // (2 * leverages[index]) - bound // (2 * leverages[index - 1])
    return notional // (2 * leverages[tier]) - deduction


def maintenance_margin(notional: int, lower_bounds: tuple[int, ...], leverages: tuple[int, ...]) -> int:
    """Return the margin below which a position is liquidated, cut to whole micro-USDC.

    Units: Money (notional >= 0). Shape: as tier_line.
    Source: HYPERLIQUID 9.3: half of the initial margin at the highest leverage, with deductions between tiers.
    """
    tier = 0
    for index in range(len(lower_bounds)):
        if notional >= lower_bounds[index]:
            tier = index
    return tier_line(notional, tier, lower_bounds, leverages) // MICRO_USDC * MICRO_USDC


def unrealized_pnl(position: int, mark_price: int, money_per_unit: int, cost: int) -> int:
    """Return what a position has won at the mark. Units: signed lots, price units, Money; cost has the lots' sign."""
    return position * mark_price * money_per_unit - cost


def entry_price(position: int, cost: int, money_per_unit: int) -> int:
    """Return cost per lot in price units, cut off, 0 when flat. Units: signed lots, Money of the same sign.

    The venue keeps the cost and shows a cut price: recorded -592 HYPE cost 30.84328… each and show 30.8432.
    """
    return abs(cost) // (abs(position) * money_per_unit) if position else 0


def ratio_scaled(amount: int, whole: int, decimals: int) -> int:
    """Return amount / whole * 10**decimals, rounded half away from zero, digit by digit to stay in 64 bits.

    Units: any integer amount; 0 < whole < 9e17.
    """
    size = abs(amount)
    result, rest = size // whole, size % whole
    for _ in range(decimals):
        rest *= 10
        result = result * 10 + rest // whole
        rest %= whole
    result += 1 if 2 * rest >= whole else 0
    return result if amount >= 0 else -result


def return_on_equity(pnl: int, cost: int, leverage: int) -> int:
    """Return unrealized PnL over what the entry took as margin, 0 without cost. Units: Money; result in 1e-10.

    Source: HYPERLIQUID 9.4, recorded rows of 2026.
    """
    return ratio_scaled(pnl * leverage, abs(cost), RETURN_DECIMALS) if cost else 0


def isolated_raw(collateral: int, cost: int) -> int:
    """Return the isolated wallet's raw USD: its collateral less the signed cost. Units: Money. Source: as margin."""
    return collateral - cost


def isolated_margin(position: int, mark_price: int, money_per_unit: int, raw: int) -> int:
    """Return an isolated position's equity, which is also the margin it uses: collateral and unrealized PnL.

    Units: signed lots, price units, Money. Source: HYPERLIQUID 9.4.
    """
    return position * mark_price * money_per_unit + raw


def withdrawable(equity: int, initial: int, notional: int) -> int:
    """Return what may leave the cross account.

    Units: Money; equity of the cross account, initial margin of positions and resting orders, notional of positions.
    Source: HYPERLIQUID 9.4, recorded 2026-02-03.
    """
    return max(equity - max(initial, notional // WITHDRAWAL_DIVISOR), 0)


def can_withdraw(equity: int, amount: int, initial: int, notional: int) -> bool:
    """Say whether a withdrawal or transfer leaves enough behind. Units: Money, amount > 0, the rest as withdrawable."""
    return 0 < amount <= withdrawable(equity, initial, notional)


def free_margin(equity: int, used: int, resting: int) -> int:
    """Return what new orders may still use. Units: Money; used by positions, resting for open orders."""
    return max(equity - used - resting, 0)


def liquidation_price(
    position: int,
    mark_price: int,
    money_per_unit: int,
    size_decimals: int,
    equity: int,
    others: int,
    lower_bounds: tuple[int, ...],
    leverages: tuple[int, ...],
) -> int:
    """Return the mark at which equity meets maintenance, all else unchanged; 0 when no positive price does.

    Equity less maintenance falls by every tier's line, and maintenance is the highest of its lines: the first line met
    on the way down is the answer, which needs no guess in which tier the price will be. The position's own maintenance
    is not cut to micro-USDC here, that of the others is: recorded rows of 2026-06 tell the two apart.

    Units: signed lots (not 0), price units; equity of the cross account or of the isolated position, others the
    maintenance of the account's other cross positions (0 when isolated), Money. Result in 1e-10 of the quote currency.
    Source: HYPERLIQUID 9.5.
    """
    side = 1 if position > 0 else -1
    lots = abs(position)
    notional = lots * mark_price * money_per_unit
    mark = mark_price * money_per_unit * 10 ** (size_decimals + 2)
    best = 0
    for tier in range(len(lower_bounds)):
        line = tier_line(notional, tier, lower_bounds, leverages)
        twice = 2 * leverages[tier]
        room = ratio_scaled((equity - others - line) * twice, lots * (twice - side), size_decimals + 2)
        price = mark - side * room
        best = price if tier == 0 or (price - best) * side > 0 else best
    return max(best, 0)
