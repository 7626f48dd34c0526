"""Nonces that never come twice, whatever dies and whichever way the clock steps.

Why it exists: the venue runs an action once per nonce and signer; a nonce taken again either fails or, worse, is taken
for what an old, late action meant. The clock alone cannot promise that: it steps back, and two orders share a
millisecond.

Laws: nonces rise by at least one and are the clock's milliseconds wherever that rises. The file holds a bound that no
nonce handed out ever passed, and it is on the disk before the first nonce below it is: after a crash we begin above it.
The bound runs ahead of the clock by RESERVED_MS, and ahead of nonces that already outrun the clock by RESERVED_NONCES
only, so that no number of crashes drives them out of the venue's window of a day.
One writer: the process that holds the key's lease (lease.py).
Source: HYPERLIQUID 4.5.
"""

import os
from collections.abc import Callable
from pathlib import Path

from domain.errors import ConfigInvalid, DataInvalid

RESERVED_MS = 60_000
RESERVED_NONCES = 100
AHEAD_MS_MAX = 86_400_000
"""The venue takes nonces up to a day ahead of its clock."""
DIGITS_MAX = 20
_KEY = "clock"


def nonce_file(folder: Path, address: str) -> Path:
    """Return where a key's nonces are kept: beside its lease, for both belong to the key and not to a run."""
    return folder / f"{address.lower()}.nonces"


class Nonces:
    """The nonces of one key."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        """Continue above everything ever reserved in the file; a missing file begins at the clock.

        Raises: DataInvalid when the file is damaged; ConfigInvalid when the clock is more than a day behind it.
        """
        self._path, self._now_ms = path, now_ms
        self._last = self._bound = _read(path)
        behind_ms = self._bound - now_ms()
        if behind_ms > AHEAD_MS_MAX:
            raise ConfigInvalid(
                _KEY, f"{behind_ms} ms behind the nonces already used ({path})", "the right time: set the clock"
            )

    def take(self) -> int:
        """Return the next nonce. Units: ms since 1970, or a little ahead of it.

        Raises: OSError when the bound cannot be written; no nonce was taken then.
        """
        nonce = max(self._now_ms(), self._last + 1)
        if nonce > self._bound:
            self._reserve(nonce)
        self._last = nonce
        return nonce

    def reserve(self) -> None:
        """Move the bound when half of it is used, so that `take` never waits for the disk. Raises: OSError."""
        next_nonce = max(self._now_ms(), self._last + 1)
        if next_nonce + _room(next_nonce, self._now_ms()) // 2 > self._bound:
            self._reserve(next_nonce)

    def _reserve(self, nonce: int) -> None:
        bound = nonce + _room(nonce, self._now_ms())
        _write(self._path, bound)
        self._bound = bound


def _room(nonce: int, now_ms: int) -> int:
    """Return how far beyond a nonce the bound goes."""
    return max(now_ms + RESERVED_MS - nonce, RESERVED_NONCES)


def _read(path: Path) -> int:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise ConfigInvalid("nonce file", str(path), f"a file that can be read ({error.strerror})") from None
    if not text.endswith(b"\n") or not text[:-1].isdigit() or len(text) > DIGITS_MAX:
        raise DataInvalid(
            str(path),
            "expected one number and a line end; the nonces already used are unknown: approve a new agent key, "
            "or delete the file when the last action is older than a minute and the clock is right",
        )
    return int(text)


def _write(path: Path, bound: int) -> None:
    """Replace the file as a whole, on the disk when this returns."""
    partial = path.with_name(f"{path.name}.partial")
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, f"{bound}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
