"""`venue/RUN.json`: what the simulated venue says of the account, beside the ledger it can be held against.

Why it exists: `hat ledger reconcile` needs the venue's word, and the simulated venue lives inside the bot. The bot writes
it down once a minute and at its end; the loop only takes the statement, a thread of its own turns it into text. Each run
has a file of its own, so that older runs can be held against theirs; `venue.json` is a link to the newest.

Laws: a file is whole or not there, and a failure leaves no half; the newest FILES_KEPT runs have theirs; writing never
stops a trade, a failure is told once.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

from bot.clock import monotonic_ns
from domain.errors import DataInvalid
from domain.statement import VenueStatement
from domain.units import NS_PER_SECOND
from ledger.venue_json import decode_statement, encode_statement

FOLDER = "venue"
NAME = "venue.json"
UNFINISHED = ".new"
FILES_KEPT = 20
INTERVAL_NS = 60 * NS_PER_SECOND
FIRST_NS = 2 * NS_PER_SECOND
FILE_BYTES_MAX = 64 * 1024 * 1024


def venue_place(state_dir: Path, run: str) -> Path:
    """Return where the statement of a run is kept."""
    return state_dir / FOLDER / f"{run}.json"


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

    def __init__(
        self, state_dir: Path, run: str, ask: Callable[[], VenueStatement], failed: Callable[[str], None]
    ) -> None:
        """Know the run, whom to ask and whom to tell about a failure."""
        self._place = venue_place(state_dir, run)
        self._newest = state_dir / NAME
        self._ask = ask
        self._failed = failed
        self._due_ns = monotonic_ns() + FIRST_NS
        self._thread: Thread | None = None
        self._written = 0
        self._is_listed = False
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
        # A name of its own each time: a thread that hangs must not write into the last statement.
        self._written += 1
        fresh = self._place.with_suffix(f".{os.getpid()}-{self._written}{UNFINISHED}")
        try:
            self._place.parent.mkdir(exist_ok=True)
            fresh.write_bytes(encode_statement(statement))
            fresh.replace(self._place)
            if not self._is_listed:
                self._list(fresh)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            if not self._is_failing:
                self._failed(f"{self._place}: {error.strerror}")
            self._is_failing = True
        else:
            self._is_failing = False

    def _list(self, fresh: Path) -> None:
        """Make our file the newest; remove the oldest, and what killed bots left half."""
        fresh.symlink_to(self._place.relative_to(self._newest.parent))
        fresh.replace(self._newest)
        folder = self._place.parent
        dated = sorted((file.stat().st_mtime_ns, file) for file in folder.glob("*.json"))
        for _, file in dated[:-FILES_KEPT]:
            file.unlink(missing_ok=True)
        for file in folder.glob(f"*{UNFINISHED}"):
            file.unlink(missing_ok=True)
        self._is_listed = True
