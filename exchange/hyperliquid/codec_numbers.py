"""Decimal text of the wire and the house's integers, instrument by instrument.

Why it exists: prices around the market come again and again, forty a book. Reading one costs a microsecond, finding it
in a dict a twentieth of it.

Laws: text becomes an integer in `domain/units.py` and nowhere else; what trades (prices and sizes of books, orders,
fills) is exact or refused; what only informs (rates, sums with the venue's float noise) is rounded half away from zero.
A cache is emptied when it is full, so no stream of numbers grows it.
"""

from domain.instrument import Instrument
from domain.units import MONEY_DECIMALS, RATE_DECIMALS, Lots, Money, Price, Rate, format_scaled, parse_scaled

CACHED_MAX = 4096
TEXT_LENGTH_MAX = 40
"""Longer numbers are noise: refused before they cost anything."""
SIZE_MAX = 10**18
"""No price, size or amount of the venue comes near; what is above would not fit the house's 64-bit numbers."""


class Numbers:
    """The numbers of one instrument."""

    __slots__ = ("_lots", "_prices", "instrument", "price_decimals", "size_decimals")

    def __init__(self, instrument: Instrument) -> None:
        """Know the decimals, and no number yet."""
        self.instrument = instrument
        self.price_decimals, self.size_decimals = instrument.price_decimals, instrument.size_decimals
        self._prices: dict[str, Price] = {}
        self._lots: dict[str, Lots] = {}

    def price(self, text: str) -> Price:
        """Return a price in price units. Raises: ValueError for more digits than the instrument has, or nonsense."""
        known = self._prices.get(text)
        if known is None:
            known = Price(bounded(text, self.price_decimals))
            if len(self._prices) >= CACHED_MAX:
                self._prices.clear()
            self._prices[text] = known
        return known

    def lots(self, text: str) -> Lots:
        """Return a size in lots, signed as written. Raises: ValueError as `price` does."""
        known = self._lots.get(text)
        if known is None:
            known = Lots(bounded(text, self.size_decimals))
            if len(self._lots) >= CACHED_MAX:
                self._lots.clear()
            self._lots[text] = known
        return known

    def level(self, price: str, size: str) -> tuple[Price, Lots]:
        """Return price and lots of a level: two lookups when both were seen before. Raises: ValueError."""
        return self._prices.get(price) or self.price(price), self._lots.get(size) or self.lots(size)

    def position(self, text: str) -> Lots:
        """Return a position in lots; recorded positions carry float noise, which is rounded away. Raises: ValueError."""
        return Lots(rounded(text, self.size_decimals))

    def price_text(self, price: int) -> str:
        """Return a price as the venue hashes it: no trailing zeros."""
        return format_scaled(price, self.price_decimals)

    def size_text(self, lots: int) -> str:
        """Return a size as the venue hashes it."""
        return format_scaled(lots, self.size_decimals)


def bounded(text: str, decimals: int) -> int:
    """Return decimal text as an integer of 10**-decimals, exactly. Raises: ValueError when absurd or not exact."""
    if len(text) > TEXT_LENGTH_MAX:
        raise ValueError(f"{text[:TEXT_LENGTH_MAX]!r}… is too long for a number")
    value = parse_scaled(text, decimals)
    if not -SIZE_MAX < value < SIZE_MAX:
        raise ValueError(f"{text!r} is beyond every number the venue has")
    return value


def rounded(text: str, decimals: int) -> int:
    """Return decimal text as an integer of 10**-decimals, rounded half away from zero. Raises: ValueError."""
    fraction = text.partition(".")[2]
    extra = max(len(fraction) - decimals, 0)
    if not extra:
        return bounded(text, decimals)
    if len(text) > TEXT_LENGTH_MAX:
        raise ValueError(f"{text[:TEXT_LENGTH_MAX]!r}… is too long for a number")
    exact, unit = parse_scaled(text, decimals + extra), int(10**extra)
    value = (abs(exact) + unit // 2) // unit
    if value >= SIZE_MAX:
        raise ValueError(f"{text!r} is beyond every number the venue has")
    return value if exact >= 0 else -value


def money(text: str) -> Money:
    """Return USDC text as Money; the venue's sums carry float noise beyond eight decimals. Raises: ValueError."""
    return Money(rounded(text, MONEY_DECIMALS))


def rate(text: str) -> Rate:
    """Return a rate as Rate; the venue tells ten decimals, the house keeps nine. Raises: ValueError."""
    return Rate(rounded(text, RATE_DECIMALS))
