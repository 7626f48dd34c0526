"""How large the ledger is, told to the metrics now and then, on the projection's thread.

The trading loop never asks a database; the projection's thread talks to it anyway. A size that cannot be had just now is
no trouble of its own: the projection says what is wrong with the database.
"""

from collections.abc import Callable, Mapping

from bot.clock import monotonic_ns
from domain.errors import HouseError
from domain.units import NS_PER_SECOND
from ledger.store import LedgerStore

EVERY_NS = 15 * NS_PER_SECOND


class LedgerGauge:
    """Tells rows by table and bytes, at most once in every_ns."""

    def __init__(
        self,
        store: LedgerStore,
        tell: Callable[[Mapping[str, int], int], None],
        *,
        every_ns: int = EVERY_NS,
        clock: Callable[[], int] = monotonic_ns,
    ) -> None:
        """Know whom to ask and whom to tell; the first look tells at once."""
        self._store = store
        self._tell = tell
        self._every_ns = every_ns
        self._clock = clock
        self._due_ns = clock()

    def look(self) -> None:
        """Tell the size if it is time."""
        now_ns = self._clock()
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + self._every_ns
        try:
            found = self._store.size()
        except HouseError:
            return
        self._tell(found.rows, found.size)
