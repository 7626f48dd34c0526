"""Hides what may be a secret key, wherever a person has typed it.

Why it exists: whoever types a key in the wrong place has made one mistake; printing it makes it two, and into a log it
goes for good. An address has 40 hex digits and an order's name 32; every other long run of them may be a key, or most of
one that was cut off.

Law: what is hidden leaves no digit.
"""

import re

MASK = "***"
LONG_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{33,}")
ADDRESS_DIGITS = 40


def hidden(text: str) -> str:
    """Return the text with everything that may be a key masked."""
    return LONG_HEX.sub(_masked, text)


def _masked(found: "re.Match[str]") -> str:
    word = found.group()
    digits = len(word) - 2 if word[:2].lower() == "0x" else len(word)
    return word if digits == ADDRESS_DIGITS else MASK
