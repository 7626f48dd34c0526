"""Hash chains, corrections, markouts: every table is made anew and filled from the old one, hashes and all.

Theory of operation. The old tables move out of the way, the new ones are created, rows are carried over in the order of
their chains so that each gets its link and hash, and the old tables go. What an old ledger did not know is derived:
the account of a run is the run itself (there were only simulated ones), what a fill started from is what it left less
its lots, transfers are equity less net profit. The primitives of ledger/chain.py do the hashing, so that `hat ledger
verify` finds an old ledger sound.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.script import ScriptDirectory

from domain.errors import DataInvalid
from ledger.chain import (
    POSITIONS,
    Head,
    empty_heads,
    ended_hash,
    genesis_hash,
    next_hash,
    positions_head,
    row_bytes,
    seal_of,
    transaction_content,
)
from ledger.migrations import schema_0002 as schema
from ledger.store_schema import migration_settings

revision = "0002"
down_revision = "0001"

BATCH = 2_000
OLD_TABLES = (
    *("runs", "instruments", "cursors", "orders", "transitions", "transactions", "postings", "fills", "funding"),
    *("marks", "positions", "incidents"),
)
"""What 0001 made, referred tables first."""

ORDER_NAMES = tuple(schema.orders.c.keys())
FILL_NAMES = tuple(schema.fills.c.keys())
LOTS = "CASE side WHEN 'buy' THEN lots ELSE -lots END"

Row = tuple[Any, ...]


def _ask(connection: sa.Connection, question: str, **asked: object) -> Iterator[Row]:
    """Yield the rows of a question without holding all of them at once."""
    found = connection.execute(sa.text(question), asked, execution_options={"stream_results": True, "yield_per": BATCH})
    for row in found:
        yield tuple(row)


def _one(connection: sa.Connection, question: str, **asked: object) -> Row:
    """Return the only row of a question."""
    return tuple(connection.execute(sa.text(question), asked).one())


def _select(columns: Sequence[str], *rest: str) -> str:
    """Return a question, from names of ours alone."""
    return " ".join(("SELECT", ", ".join(columns), "FROM", *rest))


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    names = table.c.keys()
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        connection.execute(sa.insert(table), [dict(zip(names, row, strict=True)) for row in part])


def _move_away(connection: sa.Connection, names: Sequence[str]) -> None:
    """Rename tables to old_*, and free the names of their indexes and keys for new ones."""
    inspector = sa.inspect(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    for name in reversed(names):
        for index in inspector.get_indexes(name):
            if not index.get("duplicates_constraint") and index["name"] is not None:
                connection.execute(sa.text(f"DROP INDEX {index['name']}"))
        if not is_sqlite:
            keys = [key["name"] for key in inspector.get_foreign_keys(name)]
            keys += [key["name"] for key in inspector.get_unique_constraints(name)]
            for key in keys:
                connection.execute(sa.text(f"ALTER TABLE {name} DROP CONSTRAINT {key}"))
    for name in names:
        if not is_sqlite:
            key = inspector.get_pk_constraint(name)["name"]
            connection.execute(sa.text(f"ALTER TABLE {name} DROP CONSTRAINT {key}"))
        connection.execute(sa.text(f"ALTER TABLE {name} RENAME TO old_{name}"))


def _drop_old(connection: sa.Connection, names: Sequence[str]) -> None:
    for name in reversed(names):
        connection.execute(sa.text(f"DROP TABLE old_{name}"))


class _Carrier:
    """Carries one run over, table by table, and remembers where its chains stand."""

    def __init__(self, connection: sa.Connection, run: str) -> None:
        self.connection = connection
        self.run = run
        self.heads: dict[str, Head] = {}

    def carry(self) -> None:
        """Carry everything of the run."""
        own = _one(
            self.connection,
            "SELECT run_id, run_id, command, strategy, seed, config_hash, code_revision, started_ns, ended_ns"
            " FROM old_runs WHERE run_id = :run",
            run=self.run,
        )
        self._insert("runs", [own])
        instruments = self._as_it_was("instruments")
        genesis = genesis_hash(own[:-1], instruments)
        self.heads = empty_heads(genesis)
        if own[-1] is not None:
            self.heads["runs"] = (2, ended_hash(genesis, own[-1]))
        self._orders()
        self._chained(
            "transitions",
            "SELECT t.run_id, notice, t.client_order_id, ts_ns, from_state, to_state, trigger, t.reason,"
            " time_in_state_ns, t.price, t.lots, t.filled_lots, o.venue_order_id, detail FROM old_transitions t"
            " JOIN old_orders o ON o.run_id = t.run_id AND o.client_order_id = t.client_order_id"
            " WHERE t.run_id = :run ORDER BY notice",
        )
        self._transactions()
        self._chained(
            "marks",
            "SELECT run_id, minute_ns, ts_ns, equity, cash, realized, unrealized, funding, fees, rebates, slippage, net,"
            " equity - net, 0, drawdown, drawdown_max, exposure, margin_used, margin_ratio, value_at_risk,"
            " position_count, open_orders FROM old_marks WHERE run_id = :run ORDER BY minute_ns",
        )
        self._chained(
            "incidents",
            "SELECT run_id, notice, ts_ns, kind, reason, client_order_id, detail FROM old_incidents"
            " WHERE run_id = :run ORDER BY notice",
        )
        self.heads[POSITIONS] = positions_head(genesis, self._as_it_was("positions"))
        for (notices,) in _ask(self.connection, "SELECT notices FROM old_cursors WHERE run_id = :run", run=self.run):
            self._insert("cursors", [(self.run, notices, seal_of(notices, self.heads))])
        self._insert("chains", [(self.run, name, *head) for name, head in self.heads.items()])

    def _insert(self, name: str, rows: Sequence[Row]) -> None:
        _insert(self.connection, schema.metadata.tables[name], rows)

    def _as_it_was(self, name: str) -> list[Row]:
        question = _select(schema.metadata.tables[name].c.keys(), f"old_{name} WHERE run_id = :run ORDER BY symbol")
        rows = list(_ask(self.connection, question, run=self.run))
        self._insert(name, rows)
        return rows

    def _link(self, name: str, content: bytes) -> Head:
        links, head = self.heads[name]
        self.heads[name] = links + 1, next_hash(head, content)
        return self.heads[name]

    def _chained(self, name: str, question: str) -> None:
        made: list[Row] = []
        for row in _ask(self.connection, question, run=self.run):
            content = (*row, self.heads[name][0] + 1)
            made.append((*content, self._link(name, row_bytes(content))[1]))
            if len(made) == BATCH:
                self._insert(name, made)
                made = []
        self._insert(name, made)

    def _orders(self) -> None:
        names = [name for name in ORDER_NAMES if name not in {"link", "hash"}]
        places = [names.index(name) for name in ORDER_CONTENT]
        made: list[Row] = []
        question = _select(names, "old_orders WHERE run_id = :run ORDER BY client_order_id")
        for row in _ask(self.connection, question, run=self.run):
            typed = tuple(bool(value) if name in FLAGS else value for name, value in zip(names, row, strict=True))
            content = (*(typed[place] for place in places), self.heads["orders"][0] + 1)
            made.append((*typed, *self._link("orders", row_bytes(content))))
            if len(made) == BATCH:
                self._insert("orders", made)
                made = []
        self._insert("orders", made)

    def _transactions(self) -> None:
        opened = self._opening_lots()
        asked = "SELECT MIN(sequence), MAX(sequence) FROM old_transactions WHERE run_id = :run"
        first_of_all, last = _one(self.connection, asked, run=self.run)
        if first_of_all is not None and first_of_all < 1:
            raise DataInvalid(f"run {self.run}", f"holds a transaction {first_of_all}, expected 1 and later ones")
        for first in range(1, (last or 0) + 1, BATCH):
            self._transactions_between(first, first + BATCH - 1, opened)

    def _transactions_between(self, first: int, last: int, opened: tuple[int, list[Row]]) -> None:
        within = "WHERE run_id = :run AND sequence BETWEEN :first AND :last ORDER BY sequence"

        def ask(columns: Sequence[str], *rest: str) -> Iterator[Row]:
            return _ask(self.connection, _select(columns, *rest), run=self.run, first=first, last=last)

        postings = list(ask(("run_id", "sequence", "line", "account", "amount"), "old_postings", within, ", line"))
        lines: dict[int, list[Row]] = {}
        for posting in postings:
            lines.setdefault(posting[1], []).append(posting[2:])
        derived = {
            "start_position": f"position_after - {LOTS}",
            "fill_mid_x2": "0",
            "cause": "CASE WHEN is_liquidation THEN 'liquidation' ELSE 'order' END",
        }
        fills = {row[1]: row for row in ask([derived.get(name, name) for name in FILL_NAMES], "old_fills", within)}
        funding = {row[3]: row for row in ask(schema.funding.c.keys(), "old_funding", within)}
        made, adjustments = [], []
        known = ("kind", "fact_id", "ts_event_ns", "ts_ns", "symbol", "client_order_id", "trace_id")
        for own in ask(("run_id", "sequence", "run_id", *known, "'none'", "''"), "old_transactions", within):
            sequence = own[1]
            lots = opened[1] if sequence == opened[0] else []
            adjustments += [(self.run, sequence, *one) for one in lots]
            content = transaction_content(
                own, lines.get(sequence, []), fills.get(sequence), funding.get(sequence), lots
            )
            made.append((*own, self._link("transactions", content)[1]))
        self._insert("transactions", made)
        self._insert("postings", postings)
        self._insert("fills", list(fills.values()))
        self._insert("funding", list(funding.values()))
        self._insert("adjustments", adjustments)

    def _opening_lots(self) -> tuple[int, list[Row]]:
        """Return which transaction opened positions, and (symbol, lots) of each: what the first fill of it started from."""
        opening = _one(
            self.connection,
            "SELECT MIN(t.sequence) FROM old_transactions t JOIN old_postings p ON p.run_id = t.run_id"
            " AND p.sequence = t.sequence WHERE t.run_id = :run AND t.kind = 'transfer'"
            " AND p.account LIKE 'position:%'",
            run=self.run,
        )[0]
        if opening is None:
            return 0, []
        question = _select(
            ("f.symbol", f"f.position_after - {LOTS}"),
            "old_fills f JOIN (SELECT symbol, MIN(sequence) AS first FROM old_fills WHERE run_id = :run GROUP BY symbol)",
            "AS one ON one.first = f.sequence WHERE f.run_id = :run ORDER BY f.symbol",
        )
        lots = _ask(self.connection, question, run=self.run)
        return opening, [one for one in lots if one[1]]


ORDER_CONTENT = (
    *("run_id", "client_order_id", "trace_id", "symbol", "side", "time_in_force", "post_only", "reduce_only"),
    *("decision_mid_x2", "created_ns"),
)
FLAGS = {"post_only", "reduce_only"}


def upgrade() -> None:
    """Make every table anew, with hashes for what is there already."""
    connection = op.get_bind()
    _move_away(connection, OLD_TABLES)
    schema.metadata.create_all(connection, checkfirst=False)
    for (run,) in list(_ask(connection, "SELECT run_id FROM old_runs ORDER BY run_id")):
        _Carrier(connection, run).carry()
    _drop_old(connection, OLD_TABLES)


def downgrade() -> None:
    """Make the tables of 0001 again and take back what they can hold; what they cannot, they refuse."""
    connection = op.get_bind()
    names = [table.name for table in schema.metadata.sorted_tables]
    _move_away(connection, names)
    script = ScriptDirectory.from_config(migration_settings())
    script.get_revision("0001").module.upgrade()
    inspector = sa.inspect(connection)
    for name in OLD_TABLES:
        kept = [column["name"] for column in inspector.get_columns(name)]
        asked = ["cause = 'liquidation'" if column == "is_liquidation" else column for column in kept]
        taken = _select(asked, f"old_{name}")
        connection.execute(sa.text(" ".join(("INSERT INTO", name, f"({', '.join(kept)})", taken))))
    _drop_old(connection, names)
