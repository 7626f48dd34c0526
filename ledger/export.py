"""The ledger as tables for other programs: which columns, in which units, and each row as decimal text.

Why it exists: SQL holds integers of the house's units, which nobody else knows. An export says the same in decimals of
USDC and base units, so that a spreadsheet or a data frame needs no table of scales.

Laws: no digit is lost or rounded, so integers can be had back; a time is given in nanoseconds and, beside it, as UTC
text; an unknown mid (0 in SQL) is an empty cell. Text that a spreadsheet would take for a formula gets an apostrophe
before it.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from domain.units import MONEY_DECIMALS, NS_PER_DAY, NS_PER_SECOND, RATE_DECIMALS, format_scaled
from ledger.periods import date_text

Decimals = tuple[int, int]
"""Decimals of an instrument's prices and of its sizes."""

NO_DECIMALS: Decimals = (0, 0)
DECIMALS_MAX = MONEY_DECIMALS + 1
"""Prices and sizes have at most those of Money (domain/instrument.py), twice a mid one more."""

UTC_SUFFIX = "_utc"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Kind(Enum):
    """What a column holds in SQL, which says how an export writes it."""

    TEXT = "text"
    LABEL = "label"
    """Text of ours, or an instrument's name, which must stay as it is."""
    INTEGER = "integer"
    FLAG = "flag"
    TIME = "time"
    MONEY = "money"
    RATE = "rate"
    PRICE = "price"
    MID_X2 = "mid_x2"
    LOTS = "lots"


DECIMAL_KINDS = frozenset({Kind.MONEY, Kind.RATE, Kind.PRICE, Kind.MID_X2, Kind.LOTS})


class ExportColumn(msgspec.Struct, frozen=True):
    """A column: its name in the export, what it holds, and the SQL expression it is read by."""

    name: str
    kind: Kind
    sql: str


class ExportTable(msgspec.Struct, frozen=True):
    """One table of an export. The select takes `:run`; its first column is the symbol that owns the row, or empty."""

    name: str
    columns: tuple[ExportColumn, ...]
    select: str

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the exported columns; a time has two."""
        names: list[str] = []
        for column in self.columns:
            names.append(column.name)
            if column.kind is Kind.TIME:
                names.append(utc_name(column.name))
        return tuple(names)


def utc_name(name: str) -> str:
    """Return the name of the readable column beside a time in nanoseconds."""
    return name.removesuffix("_ns") + UTC_SUFFIX


def _table(name: str, source: str, order: str, symbol: str, *columns: tuple[Kind, str]) -> ExportTable:
    """Return a table; each group of columns is a kind and SQL expressions, `expression>name` to rename."""
    found = []
    for kind, expressions in columns:
        for expression in expressions.split():
            sql, _, renamed = expression.partition(">")
            found.append(ExportColumn(renamed or sql.rpartition(".")[2], kind, sql))
    listed = ", ".join((symbol, *(column.sql for column in found)))
    select = f"SELECT {listed} FROM {source} WHERE {source.split(maxsplit=1)[0]}.run_id = :run ORDER BY {order}"  # noqa: S608 - our own names only
    return ExportTable(name, tuple(found), select)


_NOTHING = "''"
RUNS = _table(
    *("runs", "runs", "runs.run_id", _NOTHING),
    (Kind.LABEL, "run_id account"),
    (Kind.TEXT, "command"),
    (Kind.LABEL, "strategy"),
    (Kind.INTEGER, "seed"),
    (Kind.LABEL, "config_hash code_revision"),
    (Kind.TIME, "started_ns ended_ns"),
)
ORDERS = _table(
    *("orders", "orders", "orders.link", "symbol"),
    (Kind.LABEL, "run_id client_order_id trace_id"),
    (Kind.INTEGER, "venue_order_id"),
    (Kind.LABEL, "symbol side"),
    (Kind.PRICE, "price"),
    (Kind.LOTS, "lots>quantity filled_lots>filled_quantity"),
    (Kind.LABEL, "time_in_force"),
    (Kind.FLAG, "post_only reduce_only"),
    (Kind.MID_X2, "decision_mid_x2>decision_mid"),
    (Kind.LABEL, "state reason"),
    (Kind.TIME, "created_ns updated_ns"),
)
TRANSACTIONS = _table(
    *("transactions", "transactions", "sequence", "symbol"),
    (Kind.LABEL, "run_id"),
    (Kind.INTEGER, "sequence"),
    (Kind.LABEL, "account kind"),
    (Kind.TEXT, "fact_id"),
    (Kind.LABEL, "symbol client_order_id trace_id cause"),
    (Kind.TEXT, "evidence"),
    (Kind.TIME, "ts_event_ns ts_ns"),
    (Kind.LABEL, "hash"),
)
POSTINGS = _table(
    *("postings", "postings", "sequence, line", _NOTHING),
    (Kind.LABEL, "run_id"),
    (Kind.INTEGER, "sequence line"),
    (Kind.LABEL, "account"),
    (Kind.MONEY, "amount"),
)
ADJUSTMENTS = _table(
    *("adjustments", "adjustments", "sequence, symbol", "symbol"),
    (Kind.LABEL, "run_id"),
    (Kind.INTEGER, "sequence"),
    (Kind.LABEL, "symbol"),
    (Kind.LOTS, "lots>quantity"),
)
FILLS = _table(
    *("fills", "fills", "sequence", "symbol"),
    (Kind.LABEL, "run_id"),
    (Kind.INTEGER, "sequence trade_id venue_order_id"),
    (Kind.LABEL, "client_order_id trace_id symbol side liquidity cause"),
    (Kind.PRICE, "price"),
    (Kind.LOTS, "lots>quantity"),
    (Kind.MONEY, "notional fee realized slippage"),
    (Kind.LOTS, "start_position position_after"),
    (Kind.MID_X2, "decision_mid_x2>decision_mid arrival_mid_x2>arrival_mid fill_mid_x2>fill_mid"),
    (Kind.TIME, "ts_event_ns ts_ns"),
)
MARKOUTS = _table(
    "markouts",
    "markouts JOIN fills ON fills.run_id = markouts.run_id AND fills.sequence = markouts.sequence",
    *("markouts.sequence, markouts.horizon_ns", "fills.symbol"),
    (Kind.LABEL, "markouts.run_id"),
    (Kind.INTEGER, "markouts.sequence"),
    (Kind.LABEL, "fills.symbol"),
    (Kind.INTEGER, "markouts.horizon_ns"),
    (Kind.MID_X2, "markouts.mid_x2>mid"),
    (Kind.TIME, "markouts.ts_ns"),
)
FUNDING = _table(
    *("funding", "funding", "sequence", "symbol"),
    (Kind.LABEL, "run_id symbol"),
    (Kind.TIME, "hour_ns"),
    (Kind.INTEGER, "sequence"),
    (Kind.LOTS, "position"),
    (Kind.RATE, "rate"),
    (Kind.PRICE, "oracle_price"),
    (Kind.MONEY, "amount"),
    (Kind.TIME, "ts_ns"),
)
MARKS = _table(
    *("marks", "marks", "minute_ns", _NOTHING),
    (Kind.LABEL, "run_id"),
    (Kind.TIME, "minute_ns ts_ns"),
    (Kind.MONEY, "equity cash realized unrealized funding fees rebates slippage net transfers unexplained"),
    (Kind.RATE, "drawdown drawdown_max"),
    (Kind.MONEY, "exposure margin_used"),
    (Kind.RATE, "margin_ratio"),
    (Kind.MONEY, "value_at_risk"),
    (Kind.INTEGER, "position_count open_orders"),
)
EXPORTED = (RUNS, ORDERS, TRANSACTIONS, POSTINGS, ADJUSTMENTS, FILLS, MARKOUTS, FUNDING, MARKS)
"""Every table of an export, in the order in which they refer to each other."""

FIXED_DECIMALS = {Kind.MONEY: MONEY_DECIMALS, Kind.RATE: RATE_DECIMALS}


def decimals_of(kind: Kind, decimals: Decimals) -> int:
    """Return how many decimals the integers of a column have, for rows of an instrument with these decimals."""
    if kind is Kind.PRICE:
        return decimals[0]
    if kind is Kind.LOTS:
        return decimals[1]
    return decimals[0] if kind is Kind.MID_X2 else FIXED_DECIMALS[kind]


@lru_cache(maxsize=4096)
def _date_text(day: int) -> str:
    return date_text(day * NS_PER_DAY)


def utc_text(ts_ns: int) -> str:
    """Return a time as "2025-09-04T00:00:00.000000000Z"; all nine digits, so that text sorts as time does."""
    day, rest = divmod(ts_ns, NS_PER_DAY)
    seconds, fraction = divmod(rest, NS_PER_SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_date_text(day)}T{hour:02d}:{minute:02d}:{second:02d}.{fraction:09d}Z"


def plain_text(value: str) -> str:
    """Return text that no spreadsheet takes for a formula: what begins like one gets an apostrophe before it."""
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value


def mid_text(mid_x2: int, price_decimals: int) -> str:
    """Return half of twice a mid as exact decimal text; empty when the mid is unknown (0)."""
    return format_scaled(5 * mid_x2, price_decimals + 1) if mid_x2 else ""


def _times(value: int | None) -> tuple[str, str]:
    return ("", "") if value is None else (str(value), utc_text(value))


def row_texts(table: ExportTable, row: Sequence[Any], decimals: Decimals) -> list[str]:
    """Return a selected row (its symbol first) as the texts under the table's header."""
    texts: list[str] = []
    for column, value in zip(table.columns, row[1:], strict=True):
        match column.kind:
            case Kind.TIME:
                texts.extend(_times(value))
            case Kind.MID_X2:
                texts.append(mid_text(value, decimals[0]))
            case Kind.LABEL | Kind.INTEGER:
                texts.append(str(value))
            case Kind.TEXT:
                texts.append(plain_text(value))
            case Kind.FLAG:
                texts.append("true" if value else "false")
            case _:
                texts.append(format_scaled(value, decimals_of(column.kind, decimals)))
    return texts


Ask = Callable[[str, dict[str, Any]], Iterable[Sequence[Any]]]
"""Runs one select with its parameters and gives the rows one after another."""

INSTRUMENTS = "SELECT symbol, price_decimals, size_decimals FROM instruments WHERE run_id = :run"


def decimals_by_symbol(ask: Ask, run: str) -> dict[str, Decimals]:
    """Return the decimals of every instrument of a run; rows of no instrument have none."""
    found = {str(symbol): (int(price), int(size)) for symbol, price, size in ask(INSTRUMENTS, {"run": run})}
    return {"": NO_DECIMALS, **found}


def table_texts(ask: Ask, table: ExportTable, runs: Iterable[str]) -> Iterable[list[str]]:
    """Yield every row of these runs as texts, run after run, never more than one row at a time."""
    for run in runs:
        decimals = decimals_by_symbol(ask, run)
        for row in ask(table.select, {"run": run}):
            yield row_texts(table, row, decimals[row[0]])
