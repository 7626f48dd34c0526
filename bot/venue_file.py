"""`venue.json`: what the simulated venue says of the account, beside the ledger it can be held against.

Why it exists: `hat ledger reconcile` needs the venue's word, and the simulated venue lives inside the bot. The bot writes
it down once a minute and at its end; the loop only takes the statement, a thread of its own turns it into text.

Laws: the file is whole or not there; writing it never stops a trade, a failure is told once.
"""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from bot.clock import monotonic_ns
from domain.errors import DataInvalid
from domain.statement import VenueStatement
from domain.units import NS_PER_SECOND
from ledger.venue_json import decode_statement, encode_statement

NAME = "venue.json"
INTERVAL_NS = 60 * NS_PER_SECOND
FIRST_NS = 2 * NS_PER_SECOND
FILE_BYTES_MAX = 64 * 1024 * 1024


def read_venue(place: Path) -> VenueStatement:
    """Return the statement of a file. Raises: DataInvalid when there is none or it cannot be used."""
    try:
        with place.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise DataInvalid(
            str(place), f"cannot be read ({error.strerror}): name a venue statement with --venue"
        ) from None
    if len(content) > FILE_BYTES_MAX:
        raise DataInvalid(str(place), f"has more than {FILE_BYTES_MAX} bytes: no venue statement is that long")
    return decode_statement(str(place), content)


class VenueFile:
    """Keeps the file of one bot up to date."""

    def __init__(self, state_dir: Path, ask: Callable[[], VenueStatement], failed: Callable[[str], None]) -> None:
        """Know whom to ask and whom to tell about a failure."""
        self._place = state_dir / NAME
        self._ask = ask
        self._failed = failed
        self._due_ns = monotonic_ns() + FIRST_NS
        self._thread: Thread | None = None
        self._is_failing = False

    def look(self) -> None:
        """Write the statement of now beside the loop, when it is time and the last one is written."""
        if monotonic_ns() < self._due_ns or (self._thread is not None and self._thread.is_alive()):
            return
        self._due_ns = monotonic_ns() + INTERVAL_NS
        self._thread = Thread(target=self._write, args=(self._ask(),), name="venue-statement", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Write a last time, in the caller's thread."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._write(self._ask())

    def _write(self, statement: VenueStatement) -> None:
        fresh = self._place.with_suffix(f".{os.getpid()}.new")
        try:
            fresh.write_bytes(encode_statement(statement))
            fresh.replace(self._place)
        except OSError as error:
            if not self._is_failing:
                self._failed(f"{self._place}: {error.strerror}")
            self._is_failing = True
        else:
            self._is_failing = False
