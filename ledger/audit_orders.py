"""Questions of the audit that SQL answers by itself: what may change of a row, proven by rows that never change.

Law: each question returns no row while the ledger is sound, on SQLite and PostgreSQL alike; a row says which subject is
wrong and what was found there. `:run` is the run's key in all of them.
"""

from sqlalchemy import Connection, Table, and_, select, text

from ledger import tables
from ledger.audit_findings import FINDINGS_MAX, Findings

LAST_MOVE = (
    *(("price", "price"), ("lots", "lots"), ("filled_lots", "filled_lots"), ("state", "to_state")),
    *(("reason", "reason"), ("venue_order_id", "venue_order_id"), ("updated_ns", "ts_ns")),
)
"""Columns of an order that change, and the column of its last transition that proves each."""

ORDERS_AND_LAST_MOVES = f"""
SELECT o.client_order_id, t.notice, {", ".join(f"o.{ours}, t.{theirs}" for ours, theirs in LAST_MOVE)}
FROM orders o
LEFT JOIN (SELECT client_order_id, MAX(notice) AS notice FROM transitions WHERE run_id = :run
           GROUP BY client_order_id) AS last ON last.client_order_id = o.client_order_id
LEFT JOIN transitions t ON t.run_id = o.run_id AND t.notice = last.notice
WHERE o.run_id = :run AND (t.notice IS NULL OR {" OR ".join(f"o.{ours} <> t.{theirs}" for ours, theirs in LAST_MOVE)})
ORDER BY o.client_order_id
"""  # noqa: S608  names of our own columns

QUESTIONS: dict[tuple[str, str], str] = {
    ("orders", "filled_lots is {}, its fills sum to {}"): """
SELECT client_order_id, filled_lots, filled FROM (
  SELECT o.client_order_id, o.filled_lots,
         COALESCE(SUM(f.lots / 1000000000), 0) * 1000000000 + COALESCE(SUM(f.lots % 1000000000), 0) AS filled
  FROM orders o LEFT JOIN fills f ON f.run_id = o.run_id AND f.client_order_id = o.client_order_id
  WHERE o.run_id = :run GROUP BY o.client_order_id, o.filled_lots) AS sums
WHERE filled_lots <> filled ORDER BY client_order_id
""",
    ("transitions", "leaves state {}, but its order was {}"): """
SELECT notice, from_state, was FROM (
  SELECT notice, from_state,
         COALESCE(LAG(to_state) OVER (PARTITION BY client_order_id ORDER BY notice), 'idle') AS was
  FROM transitions WHERE run_id = :run) AS moves
WHERE from_state <> was ORDER BY notice
""",
    ("markouts", "of horizon {} was taken {} ns after its fill"): """
SELECT m.sequence, m.horizon_ns, CAST(m.ts_ns AS NUMERIC) - f.ts_ns FROM markouts m
JOIN fills f ON f.run_id = m.run_id AND f.sequence = m.sequence
WHERE m.run_id = :run AND CAST(m.ts_ns AS NUMERIC) - f.ts_ns < m.horizon_ns ORDER BY m.sequence, m.horizon_ns
""",
}
"""By table and what is wrong: subject, then what the sentence names. No number somebody changed overflows in them."""


def check_orders(connection: Connection, findings: Findings) -> None:
    """Prove what changes of an order by its last move, and the filled lots by the fills."""
    for order, notice, *values in connection.execute(text(ORDERS_AND_LAST_MOVES), {"run": findings.run}):
        if notice is None:
            findings.add("orders", order, "has no move of its own in transitions")
        for (column, _), ours, theirs in zip(LAST_MOVE, values[::2], values[1::2], strict=True):
            if notice is not None and ours != theirs:
                findings.add("orders", order, f"{column} is {ours}, its last move {notice} says {theirs}")
    for (table, sentence), question in QUESTIONS.items():
        for subject, found, wanted in connection.execute(text(question), {"run": findings.run}):
            findings.add(table, subject, sentence.format(found, wanted))


def check_references(connection: Connection, findings: Findings) -> None:
    """Find rows whose row in another table is missing: constraints do not see what was done with them switched off."""
    for table in tables.metadata.sorted_tables:
        for constraint in table.foreign_key_constraints:
            other: Table = constraint.referred_table
            on = and_(*(element.parent == element.column for element in constraint.elements))
            keys = [column for column in table.primary_key if column.name != "run_id"]
            lonely = (
                select(table.c.run_id, *keys)
                .outerjoin(other, on)
                .where(next(iter(other.primary_key)).is_(None))
                .order_by(table.c.run_id, *keys)
                .limit(FINDINGS_MAX + 1)
            )
            for run, *key in connection.execute(lonely):
                subject = " ".join(str(part) for part in key)
                findings.add(table.name, subject, f"row without its {other.name}", run=str(run))


def check_file(connection: Connection, findings: Findings) -> None:
    """Ask SQLite whether its file is whole."""
    if connection.dialect.name != "sqlite":
        return
    for (line,) in connection.execute(text("PRAGMA integrity_check")):
        if line != "ok":
            findings.add("file", "", str(line))
