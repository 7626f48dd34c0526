"""Seeded chance in integers: the same seed gives the same numbers on every machine.

Why it exists: a synthetic market must replay bit for bit anywhere. Library exponentials and normals are floats whose
last digit may differ between platforms, so every shape here is integer arithmetic on raw generator bits.

Laws: nothing but the seed decides; no float anywhere; one call of a shape takes exactly one 64-bit draw.
Source: numpy keeps the raw streams of its bit generators stable (NEP 19, read 2026-11-20).
"""

from collections.abc import Iterator

import numpy as np

DRAWS_PER_BLOCK = 4_096
MASK_32 = 2**32 - 1
UNIFORM_SUM_MEAN = 2 * 65_535
UNIFORM_SUM_DEVIATION = 37_837
"""Standard deviation of the sum of four uniform 16-bit numbers: 65536 / sqrt(3)."""


def exponential_of(bits: int, mean: int) -> int:
    """Return a waiting time with the given mean from 32 random bits.

    Exponential in powers of two and linear between them, so the mean is exact and the tail halves as it should.
    """
    bits |= 1
    leading = 32 - bits.bit_length()
    fraction = (bits << leading) & 0x7FFF_FFFF
    return mean * ((leading + 1 << 31) - fraction) // (3 << 30)


def normal_of(bits: int, deviation: int) -> int:
    """Return a bell-shaped number around 0 with the given standard deviation from 64 random bits (within 3.5 of it)."""
    total = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (total - UNIFORM_SUM_MEAN) * deviation // UNIFORM_SUM_DEVIATION


class Chance:
    """One stream of random numbers."""

    __slots__ = ("_blocks", "draw")

    def __init__(self, seed: int, stream: int) -> None:
        """Start one of many independent streams of a seed. Raises ValueError for negative numbers."""
        if seed < 0 or stream < 0:
            raise ValueError(f"seed {seed} and stream {stream}: expected whole numbers of 0 or more")
        self._blocks = self._bits(np.random.PCG64([seed, stream]))
        self.draw = self._blocks.__next__
        """Return the next 64 random bits."""

    @staticmethod
    def _bits(generator: np.random.PCG64) -> Iterator[int]:
        """Yield raw draws, fetched by the block because one block costs as much as one number."""
        while True:
            yield from generator.random_raw(DRAWS_PER_BLOCK).tolist()

    def below(self, bound: int) -> int:
        """Return a whole number in [0, bound)."""
        return (self.draw() & MASK_32) * bound >> 32

    def exponential(self, mean: int) -> int:
        """Return a waiting time with the given mean."""
        return exponential_of(self.draw() & MASK_32, mean)

    def normal(self, deviation: int) -> int:
        """Return a bell-shaped number around 0."""
        return normal_of(self.draw(), deviation)
