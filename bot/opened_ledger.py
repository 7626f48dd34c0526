"""A ledger as the commands that read it open it: closed at the end, and every refusal one sentence.

Why it exists: a ledger that is not there, is empty or was edited by hand is met by every reading command, and must be
told alike by each of them.

Laws: nothing is written; a value that a column cannot hold is named with its table, row and column, and what breaks
for any other reason stays the bug that it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

from sqlalchemy import Boolean, Connection, Integer, Table, text

from bot.config import HatConfig, ledger_url
from domain.errors import ConfigInvalid, DataInvalid, InvariantBroken
from ledger import tables
from ledger.store import LedgerStore

BACKTESTS = "backtests"
LEDGER_NAME = "ledger.db"
NAMED_MAX = 3
SHOWN_CHARS_MAX = 40
BROKEN = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, InvariantBroken)
"""What reading a row may end in when its values are not what their columns promise."""


@contextmanager
def opened_ledger(url: str, config: HatConfig) -> Iterator[LedgerStore]:
    """Give the ledger of a URL, or the configured one, to be read.

    Raises: ConfigInvalid when there is none, naming those of backtests; DataInvalid for rows that were edited by hand.
    """
    store = LedgerStore(url, read_only=True) if url else _configured(config)
    try:
        yield store
    except BROKEN as error:
        found = _misfit(store)
        if not found:
            raise
        raise DataInvalid(store.place, f"{found}; `hat ledger verify` tells all") from error
    finally:
        store.close()


def needs_runs(store: LedgerStore) -> list[str]:
    """Return the keys of all runs, oldest first. Raises: DataInvalid when there are none."""
    known = store.run_ids()
    if not known:
        raise DataInvalid(
            store.place,
            "holds no run: `hat run` makes one, and archived ones are read with --url sqlite:///ARCHIVE",
        )
    return known


def _configured(config: HatConfig) -> LedgerStore:
    try:
        return LedgerStore(ledger_url(config), read_only=True)
    except ConfigInvalid as error:
        below = [] if config.ledger.url else backtests_below(config.bot.state_dir)
        if not below or Path(str(error.value)).exists():
            raise
        places = " or ".join(f"--state-dir {quote(str(place))}" for place in below)
        raise ConfigInvalid(error.key, error.value, f"{error.expected}; of backtests there are: {places}") from None


def backtests_below(state_dir: Path) -> list[Path]:
    """Return the folders below a state directory in which backtests left their ledgers, the newest few first."""
    found = [(file.stat().st_mtime_ns, file.parent) for file in (state_dir / BACKTESTS).glob(f"*/{LEDGER_NAME}")]
    return [place for _, place in sorted(found, reverse=True)[:NAMED_MAX]]


def _misfit(store: LedgerStore) -> str:
    """Return the first value that is not of its column's type; empty when every one is. Servers refuse such values."""
    if not store.is_sqlite:
        return ""
    with store.reading() as connection:
        for table in tables.metadata.sorted_tables:
            found = _misfit_of(connection, table)
            if found:
                return found
    return ""


def _misfit_of(connection: Connection, table: Table) -> str:
    wrong: dict[str, str] = {}
    for column in table.columns:
        kinds = ["integer" if isinstance(column.type, Integer | Boolean) else "text"]
        kinds += ["null"] * bool(column.nullable)
        wrong[column.name] = f"typeof({column.name}) NOT IN ({', '.join(map(repr, kinds))})"
    listed = ", ".join((*wrong, *wrong.values()))
    question = f"SELECT {listed} FROM {table.name} WHERE {' OR '.join(wrong.values())} LIMIT 1"  # noqa: S608 - our own names only
    row: Any = connection.execute(text(question)).first()
    if row is None:
        return ""
    values = dict(zip(wrong, row, strict=False))
    keys = [column.name for column in table.primary_key]
    shown = " ".join(str(values[key]) for key in keys if key != "run_id" or len(keys) == 1)
    name = next(name for name, is_wrong in zip(wrong, row[len(wrong) :], strict=True) if is_wrong)
    return f"{table.name} {shown}: {name} holds {values[name]!r:.{SHOWN_CHARS_MAX}}"
