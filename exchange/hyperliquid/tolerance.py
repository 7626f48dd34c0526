"""Reading what the venue sends: strictly where we understand it, tolerantly where we do not.

Why it exists: the venue adds fields without notice. A reader that fails on them stops trading on a Tuesday night; one
that drops them silently never learns that it misses something. This one drops them and counts.

Theory of operation. A payload is decoded into its structure, and unknown keys are found by writing the structure again
and comparing keys. That costs more than the decoding, so a hot type is compared at its first payload and at every
LOOK_EVERY-th from then on; a field the venue adds is seen within seconds all the same.

Laws: bytes that cannot be read give None and are counted, they never raise; what is inside `msgspec.Raw` is not looked
into, whoever reads it looks.
"""

from typing import Any, TypeVar

import msgspec

from exchange.hyperliquid.counters import Counters, count

LOOK_EVERY = 256
DEPTH_MAX = 12
"""Deeper than the venue ever nests; an attacker's payload ends here."""

T = TypeVar("T")


class Reader:
    """Decoders by type, and their counts."""

    def __init__(self, counters: Counters) -> None:
        """Count into the given counters."""
        self._counters = counters
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
        self._reads: dict[Any, int] = {}

    def read(self, data: bytes, type_: type[T], *, is_hot: bool = False) -> T | None:
        """Return the payload as its structure; None when it is none. is_hot: look for unknown keys only now and then."""
        decoder = self._decoders.get(type_)
        if decoder is None:
            decoder = self._decoders[type_] = msgspec.json.Decoder(type_)
            self._reads[type_] = 0
        try:
            found: T = decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # ValidationError is a DecodeError; a text that is no UTF-8 raises its own.
            self._counters.malformed += 1
            return None
        if is_hot:
            reads = self._reads[type_]
            self._reads[type_] = (reads + 1) % LOOK_EVERY
            if reads:
                return found
        self._look(data, found, getattr(type_, "__name__", str(type_)))
        return found

    def _look(self, data: bytes, found: Any, name: str) -> None:
        """Count the keys that did not survive."""
        for path in unknown_keys(msgspec.json.decode(data), msgspec.json.decode(msgspec.json.encode(found))):
            count(self._counters.unknown_fields, f"{name}{path}")


def unknown_keys(sent: Any, kept: Any, depth: int = 0) -> list[str]:
    """Return the paths of keys in `sent` that are missing in `kept`; elements of a list share one path."""
    if depth >= DEPTH_MAX:
        return []
    if isinstance(sent, dict) and isinstance(kept, dict):
        found = []
        for key, value in sent.items():
            if key not in kept:
                found.append(f".{key}")
            else:
                found += [f".{key}{path}" for path in unknown_keys(value, kept[key], depth + 1)]
        return found
    if isinstance(sent, list) and isinstance(kept, list):
        paths = {path for one, other in zip(sent, kept, strict=False) for path in unknown_keys(one, other, depth + 1)}
        return sorted(paths)
    return []
