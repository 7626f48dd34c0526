"""Travel times, drawn by integers only, so that a seed gives the same run on every machine.

Why own arithmetic: library exponentials may differ in the last digit between platforms, and one nanosecond decides who
is first. The generator is splitmix64; a normal number is the sum of twelve uniform ones minus six (so nothing lies
outside six sigma); the exponential is a product of square roots of two in fixed point.
Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014); the twelve-uniform sum is the
classic Irwin-Hall approximation.

Law: a sample is never below `least_ns`, which the exchange uses to know what a command still unsent cannot change.
"""

from math import isqrt

from domain.units import RATE_UNIT
from exchange.simulated.settings import LatencySettings

MASK_64 = 2**64 - 1
FRACTION_BITS = 30
ONE = 1 << FRACTION_BITS
LOG2_E = 1_549_082_005
"""log2(e) in units of 2**-30."""

UNIFORM_BITS = 16
UNIFORMS = 12
NORMAL_MAX = UNIFORMS // 2 << UNIFORM_BITS
"""Six sigma in units of 2**-16."""


def _roots_of_two() -> tuple[int, ...]:
    """Return 2**(1/2), 2**(1/4), 2**(1/8)… in fixed point, 30 of them."""
    roots, value = [], 2 << FRACTION_BITS
    for _ in range(FRACTION_BITS):
        value = isqrt(value << FRACTION_BITS)
        roots.append(value)
    return tuple(roots)


ROOTS_OF_TWO = _roots_of_two()


def splitmix(state: int) -> tuple[int, int]:
    """Return the next state and 64 random bits."""
    state = (state + 0x9E3779B97F4A7C15) & MASK_64
    bits = state
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK_64
    return state, bits ^ (bits >> 31)


def power_of_two(exponent: int) -> int:
    """Return 2**exponent in fixed point of 30 bits, rounded down.

    Units: exponent and result in 2**-30; exponent below 33 * 2**30, so that the result stays in 64 bits.
    """
    whole, fraction = exponent >> FRACTION_BITS, exponent & (ONE - 1)
    value = ONE
    for index in range(FRACTION_BITS):
        if fraction >> (FRACTION_BITS - 1 - index) & 1:
            value = value * ROOTS_OF_TWO[index] >> FRACTION_BITS
    return value << whole if whole >= 0 else value >> -whole


def scaled_by_normal(median_ns: int, sigma: int, normal: int) -> int:
    """Return median * exp(sigma * normal).

    Units: sigma as Rate (1e-9), normal in 2**-16 standard deviations within six.
    """
    exponent = sigma * normal * LOG2_E // (RATE_UNIT << UNIFORM_BITS)
    return median_ns * power_of_two(exponent) >> FRACTION_BITS


class LatencyModel:
    """Draws travel times of one way. Each way has its own stream of numbers: one more draw here shifts none there."""

    def __init__(self, settings: LatencySettings, seed: int) -> None:
        """Start the stream at a seed."""
        self._median_ns = settings.median_ns
        self._sigma = int(settings.sigma)
        self._state = seed & MASK_64
        self.least_ns = scaled_by_normal(self._median_ns, self._sigma, -NORMAL_MAX) if self._sigma else self._median_ns

    def sample(self) -> int:
        """Return the next travel time in nanoseconds."""
        if not self._sigma:
            return self._median_ns
        total, state = 0, self._state
        for _ in range(UNIFORMS * UNIFORM_BITS // 64):
            state, bits = splitmix(state)
            total += (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
        self._state = state
        return scaled_by_normal(self._median_ns, self._sigma, total - NORMAL_MAX)
