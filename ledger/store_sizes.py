"""How large a stored ledger is, asked so cheaply that a running bot may ask every few seconds.

Nothing is scanned. Chained tables are counted by their chains, exactly. The others are counted by the span of their
row numbers in SQLite and by the statistics PostgreSQL keeps, which may lag: good for a graph, not for a proof.
"""

from pathlib import Path

import msgspec
from sqlalchemy import Connection, text

from ledger import tables
from ledger.chain import CHAINED

CHAIN_LINKS = "SELECT name, SUM(links) FROM chains WHERE name <> 'runs' GROUP BY name"
LIVE_ROWS = "SELECT relname, n_live_tup FROM pg_stat_user_tables WHERE schemaname = current_schema()"
TABLE_BYTES = "SELECT pg_total_relation_size(to_regclass(:name))"
FILE = "SELECT file FROM pragma_database_list WHERE name = 'main'"
FILE_BYTES = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
WAL_SUFFIX = "-wal"


class LedgerSize(msgspec.Struct, frozen=True):
    """Rows by table, and all bytes on the disk, indexes and write-ahead log included."""

    rows: dict[str, int]
    size: int


def sizes(connection: Connection) -> LedgerSize:
    """Return how much the ledger behind this connection holds."""
    counted = {str(name): int(links) for name, links in connection.execute(text(CHAIN_LINKS))}
    others = [name for name in tables.metadata.tables if name not in CHAINED]
    if connection.dialect.name == "sqlite":
        rows, size = _row_spans(connection, others), _file_bytes(connection)
    else:
        live = {str(name): int(count) for name, count in connection.execute(text(LIVE_ROWS))}
        rows = {name: live.get(name, 0) for name in others}
        size = sum(
            int(connection.execute(text(TABLE_BYTES), {"name": name}).scalar_one() or 0)
            for name in tables.metadata.tables
        )
    found = {**rows, **{name: counted.get(name, 0) for name in CHAINED}}
    return LedgerSize(dict(sorted(found.items())), size)


def _row_spans(connection: Connection, names: list[str]) -> dict[str, int]:
    # A span counts rows too many where a run was removed from the middle, until the next vacuum numbers them anew.
    spans = ", ".join(f"(SELECT MAX(rowid) FROM {name}) - (SELECT MIN(rowid) FROM {name}) + 1" for name in names)  # noqa: S608 - our own names only
    found = connection.execute(text(f"SELECT {spans}")).one()
    return {name: int(span or 0) for name, span in zip(names, found, strict=True)}


def _file_bytes(connection: Connection) -> int:
    size = int(connection.execute(text(FILE_BYTES)).scalar_one())
    file = str(connection.execute(text(FILE)).scalar_one() or "")
    log = Path(file + WAL_SUFFIX)
    try:
        return size + log.stat().st_size if file else size
    except FileNotFoundError:
        return size
