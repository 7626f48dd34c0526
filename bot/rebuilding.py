"""`hat ledger rebuild`: the SQL ledger made again from a journal, by the engine itself.

Why it exists: SQL is a projection. What a killed process had journaled but not yet stored is not lost; the same engine
over the same facts gives the same notices, and those the ledger holds already are passed over.

Laws: every wish the engine has now must be, byte for byte, the one the journal holds; at the first that is not, nothing
more is stored. A torn tail (the process died inside its last append) is left out and said.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from bot.config import HatConfig, engine_settings, hash_of, strategy
from bot.projection import Projection
from domain.errors import ConfigInvalid, DataInvalid, JournalCorrupt, JournalTorn
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
            self.cut_off = str(error)
        except JournalCorrupt as error:
            raise DataInvalid(str(self.path), f"is damaged or no journal: {error}") from None


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
    events = commands = notices = 0
    due: list[bytes] = []
    held: tuple[Notice, ...] = ()
    for record in records:
        if record.kind is Kind.COMMAND:
            if not due or due.pop(0) != record.payload:
                raise DataInvalid(str(path), _otherwise(record.sequence))
            commands += 1
            continue
        if due:
            raise DataInvalid(str(path), _otherwise(record.sequence))
        projection.put(held)
        notices += len(held)
        outcome = engine.step(record.event())
        held, due = outcome.notices, [encode_payload(command) for command in outcome.commands]
        events += 1
        if progress is not None and events % PROGRESS_EVENTS == 0:
            progress(events)
    if not due:
        # Wishes that are missing at the end were cut off with their record: they never left, so nothing came of them.
        projection.put(held)
        notices += len(held)
    projection.stop(0)
    if engine.state.is_done:
        store.end_run(engine.state.now_ns)
    return Rebuilt(
        run_id=run_key(run.run_id),
        events=events,
        commands=commands,
        notices=notices,
        notices_new=max(0, notices - before),
        is_ended=engine.state.is_done,
        cut_off=journal.cut_off,
    )


def _otherwise(sequence: int) -> str:
    return f"record {sequence}: this version of hat decides otherwise than the one that wrote it; nothing after it is stored"
