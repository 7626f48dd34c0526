"""Hash chains: what a stored row proves about itself and about every row before it.

Why it exists: "nothing was changed" can be shown this way. The writer and the audit share these few functions, so that a
row hashes the same when it is made, when it is read back, and on either database.

Laws: a row's content is its values as JSON, in the order of CONTENT_COLUMNS; its hash is the SHA-256 of the hash before
it and its content, so that changing, removing or exchanging any row breaks its chain from there on; the first link of
every table hangs on the run's own row. Nothing that may change later is covered by a row's hash. Positions change with every
mark, so their rows carry no hash: their chain is made anew, over all of them, whenever they are written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from operator import itemgetter
from typing import Any

import msgspec

from ledger import tables

Row = tuple[Any, ...]
Head = tuple[int, str]
"""How many rows of a table are chained, and the hash of the last one."""

RUNS = "runs"
POSITIONS = "positions"
CHAINED = ("incidents", "markouts", "marks", "orders", "transactions", "transitions")
"""The chained tables. `chains` holds one row for each of them, one for RUNS and one for POSITIONS."""

COLUMNS = {name: tuple(table.c.keys()) for name, table in tables.metadata.tables.items()}
"""The columns of every table; rows are tuples in this order everywhere."""

RUN_COLUMNS = tuple(name for name in COLUMNS["runs"] if name != "ended_ns")
INSTRUMENT_COLUMNS = COLUMNS["instruments"]
ORDER_COLUMNS = (
    *("run_id", "client_order_id", "trace_id", "symbol", "side", "time_in_force", "post_only", "reduce_only"),
    *("decision_mid_x2", "created_ns", "link"),
)
"""What never changes of an order; the rest is proven by its last transition."""

CONTENT_COLUMNS = {name: tuple(column for column in COLUMNS[name] if column != "hash") for name in CHAINED} | {
    "orders": ORDER_COLUMNS
}
"""The columns a row's hash covers, in order (a transaction's also covers its lines: see transaction_content)."""

_order_content = itemgetter(*(COLUMNS["orders"].index(name) for name in ORDER_COLUMNS))
_encode = msgspec.json.Encoder().encode
_SYMBOL_AT = COLUMNS[POSITIONS].index("symbol")


def _symbol_of(row: Sequence[Any]) -> str:
    return str(row[_SYMBOL_AT])


def row_bytes(values: Sequence[Any]) -> bytes:
    """Return the canonical content of a row: its values as one JSON array without spaces, booleans as true and false."""
    return _encode(values)


def next_hash(previous: str, content: bytes) -> str:
    """Return the hash of a row: SHA-256 of the hash before it, as text, and its content."""
    return sha256(previous.encode() + content).hexdigest()


def genesis_hash(run: Sequence[Any], instruments: Iterable[Sequence[Any]]) -> str:
    """Return what every chain of a run starts from: its row by RUN_COLUMNS and its instruments, by symbol."""
    return next_hash("", row_bytes([run, sorted(tuple(row) for row in instruments)]))


def ended_hash(genesis: str, ended_ns: int) -> str:
    """Return the second link of the chain of RUNS: when the run ended in good order."""
    return next_hash(genesis, row_bytes([ended_ns]))


def transaction_content(
    own: Sequence[Any],
    postings: Sequence[Sequence[Any]],
    fill: Sequence[Any] | None,
    funding: Sequence[Any] | None,
    lots: Sequence[Sequence[Any]],
) -> bytes:
    """Return the content of a transaction: its row without hash and everything that belongs to it.

    Shape: postings (line, account, amount) by line; fill and funding as whole rows, or null; lots the adjustments
    (symbol, lots) by symbol.
    """
    return row_bytes((*own, postings, fill, funding, lots))


def seal_of(notices: int, heads: Mapping[str, Head]) -> str:
    """Return the one hash that stands for everything stored of a run."""
    return next_hash("", row_bytes([notices, sorted((name, links, head) for name, (links, head) in heads.items())]))


def empty_heads(genesis: str) -> dict[str, Head]:
    """Return the chains of a run that holds nothing yet."""
    return {RUNS: (1, genesis), **dict.fromkeys((*CHAINED, POSITIONS), (0, genesis))}


def positions_head(genesis: str, rows: Iterable[Sequence[Any]]) -> Head:
    """Return the chain of whole rows of positions, by symbol, from the run's own hash on."""
    links, head = 0, genesis
    for row in sorted(rows, key=_symbol_of):
        links, head = links + 1, next_hash(head, row_bytes(row))
    return links, head


def linked(
    rows: Iterable[Row], head: Head, covered: Callable[[Row], Sequence[Any]] | None = None
) -> tuple[list[Row], Head]:
    """Return rows that lack link and hash with both, and the head they leave behind.

    covered picks what the hash of a row covers, out of the row with its link; without it, all of that.
    """
    links, previous = head
    made: list[Row] = []
    for row in rows:
        links += 1
        whole = (*row, links)
        content = whole if covered is None else covered(whole)
        previous = sha256(previous.encode() + _encode(content)).hexdigest()
        made.append((*whole, previous))
    return made, (links, previous)


def linked_orders(rows: Iterable[Row], head: Head) -> tuple[list[Row], Head]:
    """Do as linked does, for orders, whose hash covers only ORDER_COLUMNS."""
    return linked(rows, head, _order_content)
