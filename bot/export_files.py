"""Exports of the ledger on disk: CSV and Parquet, one file per table, and one beancount file.

Rows stream from the database into the file, a few thousand at a time, so that the size of a ledger does not matter. All
of it is one consistent snapshot, also while a bot writes. A file appears under its name when it is whole.

Parquet keeps every digit as decimal128: Money and sizes and prices with eight decimals, mids and rates with nine; a time
is there twice, as int64 nanoseconds and as timestamp.
"""

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from domain.units import MONEY_DECIMALS, RATE_DECIMALS
from ledger.export import (
    DECIMALS_MAX,
    EXPORTED,
    Ask,
    Decimals,
    ExportTable,
    Kind,
    decimals_by_symbol,
    decimals_of,
    table_texts,
    utc_name,
)
from ledger.export_beancount import beancount_lines
from ledger.store_files import absent, whole_file

ROWS_PER_FETCH = 5_000
ROWS_PER_GROUP = 50_000
"""Rows of one Parquet row group; all of them are in memory once."""

DECIMAL_DIGITS = 38
SCALES = {
    Kind.MONEY: MONEY_DECIMALS,
    Kind.RATE: RATE_DECIMALS,
    Kind.PRICE: MONEY_DECIMALS,
    Kind.LOTS: MONEY_DECIMALS,
    Kind.MID_X2: DECIMALS_MAX,
}


class Format(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    PARQUET = "parquet"
    BEANCOUNT = "beancount"


class Written(msgspec.Struct, frozen=True):
    """One file of an export; rows are lines for beancount."""

    path: str
    rows: int


def asker(connection: Connection) -> Ask:
    """Return how exports ask this connection: rows come in small portions, never all at once."""

    def ask(question: str, asked: dict[str, Any]) -> Iterator[Sequence[Any]]:
        portions = {"yield_per": ROWS_PER_FETCH}
        with connection.execute(text(question), asked, execution_options=portions) as found:
            yield from found

    return ask


def export(connection: Connection, runs: Sequence[str], form: Format, out: Path, *, force: bool) -> list[Written]:
    """Write these runs: csv and parquet into the folder `out`, beancount into the file `out`.

    Raises: ConfigInvalid when a file of that name is there and force is not given, or the place cannot be written.
    """
    ask = asker(connection)
    if form is Format.BEANCOUNT:
        return [_write_beancount(ask, runs, out, force=force)]
    places = {table.name: out / f"{table.name}.{form.value}" for table in EXPORTED}
    for place in places.values():
        absent("--out", place, force=force)
    write = _write_csv if form is Format.CSV else _write_parquet
    return [write(ask, table, runs, places[table.name], force=force) for table in EXPORTED]


def _write_beancount(ask: Ask, runs: Sequence[str], out: Path, *, force: bool) -> Written:
    count = 0
    with whole_file("--out", out, force=force) as place, place.open("w", encoding="utf-8", newline="\n") as file:
        for line in beancount_lines(ask, runs):
            count += file.write(f"{line}\n") > 0
    return Written(str(out), count)


def _write_csv(ask: Ask, table: ExportTable, runs: Sequence[str], out: Path, *, force: bool) -> Written:
    count = 0
    with whole_file("--out", out, force=force) as place, place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.header)
        for row in table_texts(ask, table, runs):
            count += writer.writerow(row) > 0
    return Written(str(out), count)


def _write_parquet(ask: Ask, table: ExportTable, runs: Sequence[str], out: Path, *, force: bool) -> Written:
    import pyarrow as pa  # noqa: PLC0415 - half a second that only Parquet costs
    from pyarrow import parquet  # noqa: PLC0415 - as above

    schema, count = _schema(table), 0
    with (
        whole_file("--out", out, force=force) as place,
        parquet.ParquetWriter(place, schema, compression="zstd") as file,
    ):
        for run in runs:
            decimals = decimals_by_symbol(ask, run)
            rows = iter(ask(table.select, {"run": run}))
            while group := list(islice(rows, ROWS_PER_GROUP)):
                count += len(group)
                columns = _columns(table, group, decimals)
                arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
                file.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return Written(str(out), count)


def _schema(table: ExportTable) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - as in _write_parquet

    plain = {
        Kind.TEXT: pa.string(),
        Kind.LABEL: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.TIME: pa.int64(),
        Kind.FLAG: pa.bool_(),
    }
    fields = []
    for column in table.columns:
        scale = SCALES.get(column.kind)
        kind = plain[column.kind] if scale is None else pa.decimal128(DECIMAL_DIGITS, scale)
        fields.append(pa.field(column.name, kind))
        if column.kind is Kind.TIME:
            fields.append(pa.field(utc_name(column.name), pa.timestamp("ns", "UTC")))
    return pa.schema(fields)


def _columns(table: ExportTable, rows: Sequence[Sequence[Any]], decimals: dict[str, Decimals]) -> list[Sequence[Any]]:
    """Return selected rows as columns of Python values, the symbols in front taken off."""
    symbols, *selected = zip(*rows, strict=True)
    columns: list[Sequence[Any]] = []
    for column, values in zip(table.columns, selected, strict=True):
        if column.kind is Kind.FLAG:
            columns.append([bool(value) for value in values])
        elif column.kind in SCALES:
            columns.append(
                [_decimal(column.kind, value, decimals[symbol]) for symbol, value in zip(symbols, values, strict=True)]
            )
        else:
            columns += [values] * (2 if column.kind is Kind.TIME else 1)
    return columns


def _decimal(kind: Kind, value: int, decimals: Decimals) -> Decimal | None:
    """Return an integer of the ledger as the decimal it stands for; None for an unknown mid."""
    places = decimals_of(kind, decimals)
    if kind is Kind.MID_X2:
        return Decimal(5 * value).scaleb(-places - 1) if value else None
    return Decimal(value).scaleb(-places)
