"""`hat ledger rebuild`: the SQL ledger made again from a journal, by the engine itself.

Why it exists: SQL is a projection. What a killed process had journaled but not yet stored is not lost; the same engine
over the same facts gives the same notices, and those the ledger holds already are passed over.

Laws: every wish the engine has now must be, byte for byte, the one the journal holds; at the first that is not, nothing
more is stored, and what was proven before it is. A torn tail (the process died inside its last append) is left out and
said, and so is the end of a run that broke off: its last cancels were made without the engine.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from bot.config import HatConfig, engine_settings, hash_of, strategy
from bot.projection import Projection
from domain.errors import ConfigInvalid, DataInvalid, JournalCorrupt, JournalTorn
from domain.events import Event, StopRequested
from domain.notices import Notice
from engine.journal import VERSION, Kind, Record, encode_payload, read_records
from engine.machine import Engine
from ledger.rows import RunRecord, run_key
from ledger.store import LedgerStore

PROGRESS_EVENTS = 5_000


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What a rebuild did. cut_off says what was left out at the end of the journal; empty when it is whole."""

    run_id: str
    events: int
    commands: int
    notices: int
    notices_new: int
    is_ended: bool
    cut_off: str


class _Journal:
    """The records of one journal, with what its torn tail says kept for later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut_off = ""
        try:
            self._content = path.read_bytes()
        except OSError as error:
            raise ConfigInvalid("JOURNAL", str(path), f"a journal that can be read ({error.strerror})") from None

    def records(self) -> Iterator[Record]:
        """Yield whole records; a record that is cut off ends them."""
        try:
            yield from read_records(self._content)
        except JournalTorn as error:
            self.leave_out(str(error))
        except JournalCorrupt as error:
            raise DataInvalid(str(self.path), f"is damaged or no journal: {error}") from None

    def leave_out(self, why: str) -> None:
        """Say what is not taken from the end of the journal."""
        self.cut_off = f"{self.cut_off}; {why}" if self.cut_off else why


def _opened(header: Record, path: Path) -> tuple[RunRecord, HatConfig]:
    """Return whose journal it is. Raises: DataInvalid when this code cannot know."""
    try:
        kept: dict[str, Any] = msgspec.msgpack.decode(header.payload)
        if header.kind is not Kind.HEADER or kept["version"] != VERSION:
            raise DataInvalid(str(path), f"is no journal of version {VERSION}")
        run = msgspec.convert(kept["run"], RunRecord)
        # A key this version knows and the journal does not has its default; that it decides alike is proven below.
        config = HatConfig(**kept["config"])
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
        raise DataInvalid(str(path), f"does not begin like a journal of version {VERSION}") from None
    if hash_of(kept["config"]) != run.config_hash:
        raise DataInvalid(str(path), "holds other settings than its run was started with")
    return run, config


class _Replay:
    """The engine over the records of a journal; counts what it went through."""

    def __init__(self, engine: Engine, journal: _Journal, progress: Callable[[int], None] | None) -> None:
        self.events = self.commands = self.notices = 0
        self.is_abandoned = False
        self._engine = engine
        self._journal = journal
        self._progress = progress

    def proven(self, records: Iterator[Record]) -> Iterator[tuple[Notice, ...]]:
        """Yield the notices of each event whose wishes are those of the journal.

        Raises: DataInvalid at the first other wish, and where the journal is damaged.
        """
        due: list[bytes] = []
        held: tuple[Notice, ...] = ()
        for record in records:
            if record.kind is Kind.COMMAND:
                if not due or due.pop(0) != record.payload:
                    raise self._otherwise(record)
                self.commands += 1
                continue
            if due:
                raise self._otherwise(record)
            yield self._counted(held)
            held, event = (), self._event_of(record)
            if isinstance(event, StopRequested) and event.is_abandoned:
                self._leave_out_end(record, event, records)
                return
            outcome = self._engine.step(event)
            held, due = outcome.notices, [encode_payload(command) for command in outcome.commands]
            self.events += 1
            if self._progress is not None and self.events % PROGRESS_EVENTS == 0:
                self._progress(self.events)
        if not due:
            # Wishes that are missing at the end were cut off with their record: they never left, so nothing came of them.
            yield self._counted(held)

    def _counted(self, notices: tuple[Notice, ...]) -> tuple[Notice, ...]:
        self.notices += len(notices)
        return notices

    def _event_of(self, record: Record) -> Event:
        try:
            return record.event()
        except JournalCorrupt as error:
            raise DataInvalid(str(self._journal.path), f"is damaged or no journal: {error}") from None

    def _leave_out_end(self, stop: Record, event: StopRequested, records: Iterator[Record]) -> None:
        """Pass over the cancels of a run that broke off: they end the journal, and the engine need not have wished them."""
        self.is_abandoned = True
        cancels = 0
        for record in records:
            if record.kind is not Kind.COMMAND:
                raise DataInvalid(
                    str(self._journal.path),
                    f"record {record.sequence}: follows where the run broke off; nothing of it is stored",
                )
            cancels += 1
        why = " ".join(event.detail.split()) or "nobody said why"
        self._journal.leave_out(
            f"record {stop.sequence}: the run broke off ({why}), cancels made without its engine: {cancels}; "
            "everything before it is stored"
        )

    def _otherwise(self, record: Record) -> DataInvalid:
        return DataInvalid(
            str(self._journal.path),
            f"record {record.sequence}: this version of hat decides otherwise than the one that wrote it; everything "
            "before it is stored, nothing after it",
        )


def rebuild(path: Path, store: LedgerStore, progress: Callable[[int], None] | None = None) -> Rebuilt:
    """Bring a ledger up to a journal. progress is called with the events done.

    Raises: ConfigInvalid for a file that cannot be read or a run that is stored with other settings; DataInvalid for one
    that is no journal, is damaged, or holds wishes this code would not have.
    """
    journal = _Journal(path)
    records = journal.records()
    header = next(records, None)
    if header is None:
        raise DataInvalid(str(path), f"is no journal: {journal.cut_off}" if journal.cut_off else "is empty")
    run, config = _opened(header, path)
    engine = Engine(engine_settings(config, run.run_id, run.instruments), strategy(config))
    before = store.begin_run(run)
    projection = Projection(store)
    replay = _Replay(engine, journal, progress)
    try:
        for notices in replay.proven(records):
            projection.put(notices)
    except DataInvalid:
        # What was proven before stays proven, also when it fills no batch.
        projection.flush()
        raise
    projection.flush()
    is_ended = engine.state.is_done and not replay.is_abandoned
    if is_ended:
        store.end_run(engine.state.now_ns)
    return Rebuilt(
        run_id=run_key(run.run_id),
        events=replay.events,
        commands=replay.commands,
        notices=replay.notices,
        notices_new=max(0, replay.notices - before),
        is_ended=is_ended,
        cut_off=journal.cut_off,
    )
