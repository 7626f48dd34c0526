"""Rows for an audit: read as they lie in the database, in streams, fit to be hashed and fit to be reckoned with.

Laws: never more than a chunk of rows in memory; what is hashed is what is stored, untouched; what is reckoned with has
the types of its columns, and a value that has not is a finding and counts as nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

from sqlalchemy import Boolean, Connection, Integer, Select, select, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from ledger import tables
from ledger.audit_findings import Findings

CHUNK_ROWS = 2_000
SHOWN_LENGTH_MAX = 80
"""How much of a value that no column of ours holds is told."""
Found = TypeVar("Found")
Stored = tuple[Any, ...]
"""A row's values as they are stored; booleans are booleans on every database."""
Shaped = Any
"""The same row by column name, every value of its column's type."""

_EMPTY: Mapping[type, Any] = {int: 0, str: "", bool: False}


def _type_of(column: Any) -> type:
    if isinstance(column.type, Boolean):
        return bool
    if isinstance(column.type, Integer):
        return int
    return str


def as_stored(connection: Connection, read: Callable[[], Found]) -> Found:
    """Return what read returns; where SQLite holds text that is none, read again and get it as bytes.

    Reading is done twice only then: to look at every text costs more than the rest of the reading.
    """
    try:
        return read()
    except DBAPIError as error:
        if connection.dialect.name != "sqlite" or "decode" not in str(error.orig):
            raise
    driver: Any = connection.connection.driver_connection
    usual, driver.text_factory = driver.text_factory, _text_or_bytes
    try:
        return read()
    finally:
        driver.text_factory = usual


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


class TableReader:
    """Reads one table of one run. keys are the columns that name a row."""

    def __init__(self, connection: Connection, findings: Findings, name: str) -> None:
        """Know the table's columns and their types."""
        self.table = tables.metadata.tables[name]
        self.name = name
        self._connection = connection
        self._findings = findings
        self._types = tuple(_type_of(column) for column in self.table.c)
        self._booleans = tuple(place for place, kind in enumerate(self._types) if kind is bool)
        self._keys = tuple(column.name for column in self.table.primary_key if column.name != "run_id")
        # Raw: a result processor would make two of a boolean that somebody set to 2.
        self._columns = [
            type_coerce(column, NullType()).label(column.name) if kind is bool else column
            for column, kind in zip(self.table.c, self._types, strict=True)
        ]

    def stream(
        self, *order_by: ColumnElement[Any], where: Sequence[ColumnElement[bool]] = (), limit: int = 0
    ) -> Iterator[tuple[Stored, Shaped]]:
        """Yield every row of the run, stored and shaped, in chunks of the database's own cursor; at most limit of them."""
        asked: Select[Any] = select(*self._columns).where(self.table.c.run_id == self._findings.run, *where)
        asked = asked.order_by(*order_by)
        if limit:
            asked = asked.limit(limit)
        found = self._connection.execute(asked, execution_options={"yield_per": CHUNK_ROWS, "stream_results": True})
        for rows in found.partitions():
            for row in rows:
                yield self._both(row)

    def subject(self, row: Shaped) -> str:
        """Return a row's key as a person would look it up."""
        return " ".join(str(getattr(row, key)) for key in self._keys)

    def _both(self, row: Any) -> tuple[Stored, Shaped]:
        stored: Stored = tuple(row)
        if self._booleans:
            stored = tuple(
                bool(value) if kind is bool and value in {0, 1} else value
                for value, kind in zip(stored, self._types, strict=True)
            )
        if tuple(map(type, stored)) == self._types:
            return stored, row
        shaped = SimpleNamespace()
        for column, value, kind in zip(self.table.c, stored, self._types, strict=True):
            setattr(shaped, column.name, value if type(value) is kind else _EMPTY[kind])
        for column, value, kind in zip(self.table.c, stored, self._types, strict=True):
            if type(value) is not kind and not (value is None and column.nullable):
                problem = f"{column.name} holds {value!r:.{SHOWN_LENGTH_MAX}}, no {kind.__name__}"
                self._findings.add(self.name, self.subject(shaped), problem)
        return stored, shaped
