"""Exports of the ledger on disk: CSV and Parquet, one file per table, and one beancount file.

Rows stream from the database into the file, a few thousand at a time, so that the size of a ledger does not matter. All
of it is one consistent snapshot, also while a bot writes. Files appear under their names when all of them are whole.

Parquet keeps every digit as decimal128: Money and sizes and prices with eight decimals, mids and rates with nine; a time
is there twice, as int64 nanoseconds and as timestamp.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from bot.output_file import KEY, check_output, output_place
from domain.errors import ConfigInvalid
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


def export(
    connection: Connection,
    runs: Sequence[str],
    form: Format,
    out: Path,
    *,
    force: bool,
    ledger_file: Path | None = None,
) -> list[Written]:
    """Write these runs: csv and parquet into the folder `out`, beancount into the file `out`.

    The files get their names when all of them are whole. ledger_file is the ledger that is read, when it is a file.
    Raises: ConfigInvalid when a file of that name is there and force is not given, or the place cannot be written.
    """
    ask = asker(connection)
    if form is Format.BEANCOUNT:
        with output_place(out, ledger_file, force=force) as place:
            return [Written(str(out), _write_beancount(ask, runs, place))]
    write: Callable[[Ask, ExportTable, Sequence[str], Path], int]
    write = _write_csv if form is Format.CSV else _write_parquet
    found = []
    with _made(out), ExitStack() as stack:
        targets = [(table, out / f"{table.name}.{form.value}") for table in EXPORTED]
        for _, target in targets:
            check_output(target, ledger_file, force=force)
        for table, target in targets:
            place = stack.enter_context(output_place(target, ledger_file, force=force))
            found.append(Written(str(target), write(ask, table, runs, place)))
    return found


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it again when what was to lie in it failed. Raises: ConfigInvalid."""
    is_new = not folder.exists()
    try:
        if is_new:
            folder.mkdir()
        elif not folder.is_dir():
            raise ConfigInvalid(KEY, str(folder), "a folder; this is a file")
    except OSError as error:
        expected = f"a folder in one that exists and can be written ({error.strerror})"
        raise ConfigInvalid(KEY, str(folder), expected) from None
    is_done = False
    try:
        yield
        is_done = True
    finally:
        if is_new and not is_done:
            folder.rmdir()


def _write_beancount(ask: Ask, runs: Sequence[str], place: Path) -> int:
    count = 0
    with place.open("w", encoding="utf-8", newline="\n") as file:
        for line in beancount_lines(ask, runs):
            count += file.write(f"{line}\n") > 0
    return count


def _write_csv(ask: Ask, table: ExportTable, runs: Sequence[str], place: Path) -> int:
    count = 0
    with place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.header)
        for row in table_texts(ask, table, runs):
            count += writer.writerow(row) > 0
    return count


def _write_parquet(ask: Ask, table: ExportTable, runs: Sequence[str], place: Path) -> int:
    import pyarrow as pa  # noqa: PLC0415 - half a second that only Parquet costs
    from pyarrow import parquet  # noqa: PLC0415 - as above

    schema, count = _schema(table), 0
    with parquet.ParquetWriter(place, schema, compression="zstd") as file:
        for run in runs:
            decimals = decimals_by_symbol(ask, run)
            rows = iter(ask(table.select, {"run": run}))
            while group := list(islice(rows, ROWS_PER_GROUP)):
                count += len(group)
                columns = _columns(table, group, decimals)
                arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
                file.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return count


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
