"""A secret key that does not show: not in logs, tracebacks with locals, pickles or encodings.

Why it exists: whatever prints a value asks it how it looks. The 32 bytes are therefore no attribute anything walks
into; they come out of one method only, `reveal`, and whoever calls it passes the result straight on.

Laws: no text, number or error made from a SecretKey holds the key; none can be copied, pickled or encoded. The bytes
still lie in this process's memory: who can read that has the key.
"""

from collections.abc import Callable
from typing import Never

KEY_BYTES = 32
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1 (SEC 2, 2.4.1): a key is a number from 1 to this less one."""
SHOWN = "SecretKey(hidden)"


class SecretKey:
    """One secp256k1 secret key."""

    __slots__ = ("_reveal",)

    def __init__(self, key: bytes) -> None:
        """Take over 32 bytes. Raises: ValueError, without the bytes, when they are no key."""
        is_key = is_secret_key(key)
        taken = bytes(key) if is_key else b""
        # The frame of an error must not hold what it refuses.
        del key
        if not is_key:
            raise ValueError(f"not a secret key: expected {KEY_BYTES} bytes, a number from 1 to the order of the curve")
        self._reveal: Callable[[], bytes] = lambda: taken

    def reveal(self) -> bytes:
        """Return the 32 bytes. Never bind the result to a name: a traceback shows names."""
        return self._reveal()

    def __repr__(self) -> str:
        return SHOWN

    def __format__(self, spec: str) -> str:
        return format(SHOWN, spec)

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a SecretKey is neither copied nor pickled")

    def __dir__(self) -> list[str]:
        return ["reveal"]


def is_secret_key(key: bytes) -> bool:
    """Return whether these bytes are a key of the curve."""
    return len(key) == KEY_BYTES and 0 < int.from_bytes(key, "big") < CURVE_ORDER
