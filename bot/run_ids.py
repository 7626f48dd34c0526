"""Run ids: 64 bits that name one run, derived and never drawn."""

from hashlib import sha256

from domain.identifiers import RunId


def derived_run_id(*parts: object) -> RunId:
    """Return a run id derived from parts; never zero, and below 2**63 so that every database can hold it."""
    digest = sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return RunId(int.from_bytes(digest[:8], "big") >> 1 | 1)
