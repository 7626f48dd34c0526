"""Nonces as the venue keeps them: the 100 highest used of each signer, and a window around now.

Why it exists: a nonce that runs once makes a signed action run at most once, whatever the order of arrival.

Laws: looking changes nothing; a nonce is used up only by `take`. The set belongs to the key that signs, never to the
account that is acted for (HYPERLIQUID 4.4.4).
Source: HYPERLIQUID 4.5.
"""

from bisect import insort

from domain.units import NS_PER_MS
from services.venue_server import texts

KEPT = 100
PAST_MS = 2 * 86_400_000
FUTURE_MS = 86_400_000


class SignerNonces:
    """The nonces of every signer."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._used: dict[str, list[int]] = {}

    def objection(self, signer: str, nonce: int, now_ns: int) -> str:
        """Return why this nonce cannot be used now, in the venue's words; empty when it can. Units: nonce in ms."""
        now_ms = now_ns // NS_PER_MS
        low, high = now_ms - PAST_MS, now_ms + FUTURE_MS
        if nonce >= high:
            return texts.NONCE_HIGH.format(nonce=nonce, bound=high)
        used = self._used.get(signer, [])
        if nonce in used:
            return texts.NONCE_DUPLICATE.format(nonce=nonce)
        if len(used) == KEPT:
            low = max(low, used[0])
        if nonce <= low:
            return texts.NONCE_LOW.format(nonce=nonce, bound=low)
        return ""

    def take(self, signer: str, nonce: int) -> None:
        """Use up a nonce that met no objection."""
        used = self._used.setdefault(signer, [])
        insort(used, nonce)
        if len(used) > KEPT:
            del used[0]

    def forget(self, signer: str) -> None:
        """Forget an agent that was removed; its key must never be used again (HYPERLIQUID 3.5)."""
        self._used.pop(signer, None)
