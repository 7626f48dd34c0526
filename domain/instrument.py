"""Instruments: the grid of legal prices, the lot, the smallest order, the margin tiers.

The price grid of Hyperliquid is no constant tick: a price is legal when it has at most five significant figures or is
a whole number, and never more decimals than the instrument has. Venues with one fixed tick (recorded data of other
exchanges) are the same thing with `significant_figures = 0` and a `tick_min`.

Functions on plain integers come first; the compiled backtest calls the same ones.
Source: HYPERLIQUID 6.2, 9.3 (venue docs "Tick and lot size", "Margin tiers").
"""

import msgspec

from domain.units import MONEY_DECIMALS, MONEY_UNIT, NS_PER_HOUR, Lots, Money, Price

PERPETUAL_DECIMALS = 6
SPOT_DECIMALS = 8
SIGNIFICANT_FIGURES = 5
MARK_AGE_NS_MAX = NS_PER_HOUR
"""An older mark says nothing any more: the venue publishes one about every three seconds (HYPERLIQUID 9.2)."""
NOTIONAL_MIN = Money(10 * MONEY_UNIT)
"""Smallest order value, 10 USDC. Source: HYPERLIQUID 6.3."""


def tick_at(price: int, whole: int, significant_figures: int, tick_min: int) -> int:
    """Return the distance between legal prices around a price.

    Units: price in price units (> 0), whole = price units in one quote unit, tick_min in price units.
    """
    if significant_figures == 0:
        return tick_min
    tick = 1
    limit = 10**significant_figures
    while price >= limit * tick:
        tick *= 10
    return max(min(tick, whole), tick_min)


def is_on_grid(price: int, whole: int, significant_figures: int, tick_min: int) -> bool:
    """Say whether a price is legal: positive and a multiple of the tick around it."""
    return price > 0 and price % tick_at(price, whole, significant_figures, tick_min) == 0


def floor_to_grid(price: int, whole: int, significant_figures: int, tick_min: int) -> int:
    """Return the highest legal price not above a positive price; 0 when there is none."""
    if price <= 0:
        return 0
    return price - price % tick_at(price, whole, significant_figures, tick_min)


def ceil_to_grid(price: int, whole: int, significant_figures: int, tick_min: int) -> int:
    """Return the lowest legal price not below a price (at least one tick above zero)."""
    if price <= 0:
        return tick_min
    tick = tick_at(price, whole, significant_figures, tick_min)
    return price + (-price) % tick


def notional(price: int, lots: int, money_per_unit: int) -> int:
    """Return price times lots as Money, exactly; the sign is that of lots."""
    return price * lots * money_per_unit


class MarginTier(msgspec.Struct, frozen=True, kw_only=True):
    """From lower_bound of position notional on, leverage is capped at leverage_max."""

    lower_bound: Money
    leverage_max: int


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable contract and its grid.

    Units: tick_min in price units; notional_min in Money; significant_figures 0 means a fixed tick of tick_min.
    Raises: ValueError when the decimals do not fit Money (their sum above 8) or the grid has no step.
    """

    symbol: str
    asset_id: int
    size_decimals: int
    price_decimals: int
    significant_figures: int = SIGNIFICANT_FIGURES
    tick_min: Price = Price(1)
    leverage_max: int = 10
    notional_min: Money = NOTIONAL_MIN
    margin_tiers: tuple[MarginTier, ...] = ()

    def __post_init__(self) -> None:
        """Refuse decimals in which price times lots would not be a whole number of Money."""
        price_decimals, size_decimals = self.price_decimals, self.size_decimals
        if price_decimals < 0 or size_decimals < 0 or price_decimals + size_decimals > MONEY_DECIMALS:
            raise ValueError(
                f"{self.symbol}: {price_decimals} price and {size_decimals} size decimals: "
                f"expected 0 or more each, at most {MONEY_DECIMALS} together"
            )
        if self.tick_min < 1 or self.significant_figures < 0 or self.leverage_max < 1:
            raise ValueError(
                f"{self.symbol}: tick_min {self.tick_min}, significant_figures {self.significant_figures}, "
                f"leverage_max {self.leverage_max}: expected at least 1, 0 and 1"
            )

    @property
    def whole(self) -> int:
        """Price units in one quote unit."""
        return int(10**self.price_decimals)

    @property
    def money_per_unit(self) -> int:
        """Money in one price unit times one lot: 100 for every perpetual, 1 for spot."""
        return int(10 ** (MONEY_DECIMALS - self.price_decimals - self.size_decimals))

    def tick(self, price: Price) -> Price:
        """Return the tick around a price."""
        return Price(tick_at(price, self.whole, self.significant_figures, self.tick_min))

    def is_on_grid(self, price: Price) -> bool:
        """Say whether the venue would accept this price."""
        return is_on_grid(price, self.whole, self.significant_figures, self.tick_min)

    def floor(self, price: Price) -> Price:
        """Return the highest legal price not above price."""
        return Price(floor_to_grid(price, self.whole, self.significant_figures, self.tick_min))

    def ceil(self, price: Price) -> Price:
        """Return the lowest legal price not below price."""
        return Price(ceil_to_grid(price, self.whole, self.significant_figures, self.tick_min))

    def notional(self, price: Price, lots: Lots) -> Money:
        """Return price times lots in Money; signed like lots."""
        return Money(notional(price, lots, self.money_per_unit))


def perpetual(
    symbol: str,
    asset_id: int,
    size_decimals: int,
    leverage_max: int,
    margin_tiers: tuple[MarginTier, ...] = (),
) -> Instrument:
    """Return a Hyperliquid perpetual: price decimals are 6 - size_decimals, five significant figures.

    Raises: ValueError when size_decimals is outside 0..6.
    """
    if not 0 <= size_decimals <= PERPETUAL_DECIMALS:
        raise ValueError(f"size_decimals = {size_decimals}: expected 0..{PERPETUAL_DECIMALS}")
    return Instrument(
        symbol=symbol,
        asset_id=asset_id,
        size_decimals=size_decimals,
        price_decimals=PERPETUAL_DECIMALS - size_decimals,
        leverage_max=leverage_max,
        margin_tiers=margin_tiers,
    )
