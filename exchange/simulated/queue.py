"""Where a resting order stands in the queue of its price level: plain integer functions, compiled unchanged by numba.

A recorded book shows what the market had in front of us when we came; it never shows us. So each order carries
`ahead`, the lots of the market before it, and these functions say what a print or a new displayed size does to it.

Laws: `ahead` never grows while it is known; nothing is filled before everything ahead is gone; what trades explain is
not explained a second time by the shrinking of the displayed size. Rules 6 to 12 of docs/FILLS.md.
Source: the risk-averse and proportional queue models of the field (hftbacktest, "Order Fill", queue models).
"""

UNKNOWN = -1
"""The level was not visible: nothing can be said about the queue until it is seen."""


def filled_by_trade(ahead: int, leaves: int, traded: int) -> int:
    """Return how many of our lots a print at our price fills: the excess over the queue ahead. Units: lots."""
    if ahead < 0:
        return 0
    excess = traded - ahead
    if excess <= 0:
        return 0
    return min(excess, leaves)


def ahead_after_trade(ahead: int, traded: int) -> int:
    """Return the queue ahead after a print at our price. Units: lots; UNKNOWN stays so."""
    if ahead < 0:
        return ahead
    return max(ahead - traded, 0)


def ahead_clamped(ahead: int, shown: int) -> int:
    """Return the queue ahead when the level now shows `shown` lots: conservative, others left from behind us.

    Units: lots. An unknown queue becomes all that is shown; an unseen level changes nothing.
    """
    if shown < 0:
        return ahead
    if ahead < 0:
        return shown
    return min(ahead, shown)


def ahead_shared(ahead: int, shown_before: int, shown: int, traded: int) -> int:
    """Return the queue ahead when cancels are shared between front and back in proportion: probabilistic.

    Units: lots (each below 3e9, so that the product stays in 64 bits). traded is what prints took from this level
    since shown_before; only the rest of the decrease counts as cancels. Rounds against us.
    """
    if shown < 0 or ahead <= 0 or shown_before <= 0:
        return ahead_clamped(ahead, shown)
    left = max(shown_before - traded, 0)
    canceled = left - shown
    if canceled > 0:
        ahead -= canceled * min(ahead, left) // left
    return min(ahead, shown)
