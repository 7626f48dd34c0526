"""Notices into SQL, beside the trading loop: a slow or dead database never makes a decision wait.

Theory of operation. The loop hands over the notices of each outcome with one append; a thread takes what has gathered
and writes it as one batch with its cursor. When the database does not answer the batch is kept and tried again, later
and later. Nothing is dropped: what is not written is the backlog, and past a bound the projection says that it is
behind, so that the bot can stop adding risk.

Laws: batches hold whole outcomes, in order; a batch that was stored twice is stored once (the store counts); without
`start` everything happens in the caller's thread, which is what a backtest wants.
"""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Thread

from domain.errors import HouseError
from domain.notices import Notice
from ledger.store import LedgerStore, StoreUnavailable

BATCH_NOTICES = 2_000
BACKLOG_MAX = 100_000
PAUSE_S = 0.05
RETRY_S_MAX = 2.0


class Projection:
    """Writes the notices of one begun run to a store.

    Units: batch_notices and backlog_max in notices, pause_s how long the thread lets notices gather, retry_s_max the
    longest wait between two tries. between is called on the thread before each batch and while there is none: for what
    else wants the database, briefly.
    """

    def __init__(
        self,
        store: LedgerStore,
        *,
        batch_notices: int = BATCH_NOTICES,
        backlog_max: int = BACKLOG_MAX,
        pause_s: float = PAUSE_S,
        retry_s_max: float = RETRY_S_MAX,
        notices_before: int = 0,
        between: Callable[[], None] | None = None,
    ) -> None:
        """Prepare; `put` may be called at once. notices_before is how many of the run's notices nobody will put again."""
        self._store = store
        self._batch_notices = batch_notices
        self._backlog_max = backlog_max
        self._pause_s = pause_s
        self._retry_s_max = retry_s_max
        self._between = between
        self._waiting: deque[Sequence[Notice]] = deque()
        self._batch: list[Notice] = []
        self._taken = self._written = notices_before
        self._stopping = Event()
        self._abandoned = Event()
        self._thread: Thread | None = None
        self._problem: HouseError | None = None

    @property
    def backlog(self) -> int:
        """How many notices are not in the database yet."""
        return self._taken - self._written

    @property
    def is_behind(self) -> bool:
        """Whether the backlog is past its bound, or nothing will ever be written again."""
        return self.backlog > self._backlog_max or self.failure is not None

    @property
    def is_running(self) -> bool:
        """Whether what is put will be written without further ado."""
        return self.failure is None and (self._thread is None or self._thread.is_alive())

    @property
    def trouble(self) -> str:
        """One sentence on why the last try did not succeed; empty when it did."""
        return str(self._problem) if self._problem is not None else ""

    @property
    def failure(self) -> HouseError | None:
        """Return what ended the projection for good (rows that break a law, an unwritable place); None while it works."""
        return None if isinstance(self._problem, StoreUnavailable) else self._problem

    def put(self, notices: Sequence[Notice]) -> None:
        """Take the notices of one outcome; they must not change afterwards.

        Raises: without a thread, whatever the store raises once a batch is full.
        """
        if notices:
            self._waiting.append(notices)
            self._taken += len(notices)
            if self._thread is None and self.backlog >= self._batch_notices:
                self.flush()

    def flush(self) -> None:
        """Write everything that waits, in the caller's thread. Raises: what the store raises; nothing is lost then."""
        while self._fill_batch():
            self._write_batch()

    def start(self) -> None:
        """Write in a thread of our own from now on."""
        self._thread = Thread(target=self._work, name="ledger-projection", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Write what is left, for at most timeout_s; say whether all of it is stored.

        Raises: without a thread, whatever the store raises.
        """
        if self._thread is None:
            self.flush()
        else:
            self._stopping.set()
            self._thread.join(timeout_s)
            self._abandoned.set()
        return self.backlog == 0

    def _work(self) -> None:
        wait_s = self._pause_s
        while not self._abandoned.is_set():
            if self._between is not None:
                self._between()
            if not self._fill_batch():
                if self._stopping.is_set():
                    return
                self._stopping.wait(self._pause_s)
                continue
            try:
                self._write_batch()
                wait_s = self._pause_s
            except StoreUnavailable as error:
                self._problem = error
                self._abandoned.wait(wait_s)
                wait_s = min(2 * wait_s, self._retry_s_max)
            except HouseError as error:
                self._problem = error
                return

    def _fill_batch(self) -> bool:
        """Gather whole outcomes until the batch is full; say whether there is anything to write."""
        while self._waiting and len(self._batch) < self._batch_notices:
            self._batch.extend(self._waiting.popleft())
        return bool(self._batch)

    def _write_batch(self) -> None:
        count = len(self._batch)
        self._store.write(self._batch, self._written + count)
        self._written += count
        self._batch = []
        self._problem = None
