"""Hash chains recomputed: which row was changed, which is missing, whether the run's own row and seal still fit.

How a changed row is told from its changed neighbor: a row is checked against the hash stored before it and against the
hash that should have been stored there. A row whose content or hash was touched fits neither; the row after it fits
one of the two.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from ledger import chain, tables
from ledger.audit_findings import Findings
from ledger.audit_reading import CHUNK_ROWS, TableReader

NOT_AS_WRITTEN = "these are not the rows that were written: they do not fit their hash"
CHANGED = "was changed: its content does not fit its hash"


class ChainCheck:
    """One chain, fed row by row in the order of its links."""

    def __init__(self, findings: Findings, table: str, genesis: str) -> None:
        """Begin at the run's own hash."""
        self.links = 0
        self.is_first_sound = False
        self.first_unfit = ""
        self._findings = findings
        self._table = table
        self._stored = self._computed = genesis

    def take(self, subject: str, link: int, stored: str, content: bytes) -> None:
        """Prove one row against the one before it."""
        is_next = link == self.links + 1
        if link > self.links + 1:
            self._findings.add(
                self._table, subject, f"rows are missing before it: links {self.links + 1} to {link - 1}"
            )
        elif not is_next:
            self._findings.add(self._table, subject, f"its link {link} is not the next one after {self.links}")
            if link < 1:
                return  # no row hangs on it
        computed = chain.next_hash(self._stored, content)
        if computed == stored or (
            self._computed != self._stored and chain.next_hash(self._computed, content) == stored
        ):
            self.is_first_sound = self.is_first_sound or link == 1
            computed = stored
        elif link == 1:
            self.first_unfit = subject
        elif is_next:
            self._findings.add(self._table, subject, CHANGED)
        self._stored, self._computed = stored, computed
        self.links = link
        if link % CHUNK_ROWS == 0:
            self._findings.proven(CHUNK_ROWS)

    def tell_first(self) -> None:
        """Report the first row when it does not hang on the run's own hash, now that this one is proven."""
        if self.first_unfit:
            self._findings.add(self._table, self.first_unfit, CHANGED)

    def end(self, head: chain.Head | None) -> None:
        """Compare the last row with the head that `chains` keeps."""
        self._findings.proven(max(self.links, 0) % CHUNK_ROWS)
        if head is None:
            self._findings.add("chains", self._table, "the chain's head is missing")
        elif head[0] > self.links:
            self._findings.add(self._table, "", f"rows are missing at the end: links {self.links + 1} to {head[0]}")
        elif head[0] < self.links:
            self._findings.add("chains", self._table, f"counts {head[0]} links, the rows go to {self.links}")
        elif head[1] not in {self._stored, self._computed}:
            self._findings.add("chains", self._table, "the head is not the hash of the last row")


def chain_heads(connection: Connection, run: str) -> dict[str, chain.Head]:
    """Return the links and the last hash of every chain of a run, as `chains` keeps them."""
    kept = tables.chains.c
    found = connection.execute(select(kept.name, kept.links, kept.head).where(kept.run_id == run))
    return {str(name): (links if type(links) is int else 0, str(head)) for name, links, head in found}


def stored_seal(connection: Connection, run: str) -> str:
    """Return the seal a run carries; empty when it has none."""
    kept = tables.cursors.c
    return str(connection.execute(select(kept.seal).where(kept.run_id == run)).scalar_one_or_none() or "")


def genesis_of(connection: Connection, run: str) -> str:
    """Return what the run's row and its instruments hash to, as they are stored now."""
    own = connection.execute(
        select(*(tables.runs.c[name] for name in chain.RUN_COLUMNS)).where(tables.runs.c.run_id == run)
    ).one()
    listed = connection.execute(select(tables.instruments).where(tables.instruments.c.run_id == run))
    rows = [tuple(row) for row in listed]
    if any(type(row[1]) is not str for row in rows):
        # A symbol of another type cannot be sorted with the rest; it fits no hash anyway.
        return ""
    return chain.genesis_hash(tuple(own), rows)


def check_table(
    connection: Connection, findings: Findings, name: str, genesis: str, head: chain.Head | None
) -> ChainCheck:
    """Prove the chain of a table whose rows stand for themselves (all but transactions)."""
    reader = TableReader(connection, findings, name)
    check = ChainCheck(findings, name, genesis)
    columns = chain.COLUMNS[name]
    places = tuple(columns.index(column) for column in chain.CONTENT_COLUMNS[name])
    for stored, row in reader.stream(reader.table.c.link):
        content = chain.row_bytes([stored[place] for place in places])
        check.take(reader.subject(row), row.link, row.hash, content)
    check.end(head)
    return check


def check_run(
    connection: Connection, findings: Findings, genesis: str, checks: list[ChainCheck], heads: Mapping[str, chain.Head]
) -> None:
    """Prove the run's own row, its end and its seal, once every chain that hangs on it was looked at."""
    run = findings.run
    ended_ns: Any = connection.execute(select(tables.runs.c.ended_ns).where(tables.runs.c.run_id == run)).scalar_one()
    fitting = (1, genesis) if ended_ns is None else (2, chain.ended_hash(genesis, ended_ns))
    has_head = chain.RUNS in heads
    is_head_sound = heads.get(chain.RUNS) == fitting
    if not has_head:
        findings.add("chains", chain.RUNS, "the chain's head is missing")
    positions = _positions_head(connection, findings, genesis)
    are_positions_sound = heads.get(chain.POSITIONS) == positions
    if is_head_sound or any(check.is_first_sound for check in checks):
        for check in checks:
            check.tell_first()
        if chain.POSITIONS in heads and not are_positions_sound:
            findings.add("positions", "", NOT_AS_WRITTEN)
        if has_head and not is_head_sound:
            findings.add("runs", run, "its end does not fit the chain: ended_ns or the chain's head was changed")
    elif has_head or any(check.first_unfit for check in checks):
        findings.add("runs", run, "this row or one of its instruments was changed: no chain hangs on what it says now")
    _check_names(findings, heads)
    kept = tables.cursors.c
    cursor = connection.execute(select(kept.notices, kept.seal).where(kept.run_id == run)).one_or_none()
    if cursor is None:
        findings.add("cursors", run, "the run's cursor and seal are missing")
    elif chain.seal_of(cursor[0], heads) != cursor[1]:
        findings.add("cursors", run, "the seal does not fit the cursor and the heads of the chains")
    _find_beyond_cursor(connection, findings)


def _positions_head(connection: Connection, findings: Findings, genesis: str) -> chain.Head:
    """Return what the chain of the positions is, as they are stored now."""
    reader = TableReader(connection, Findings(findings.run), "positions")  # types are told with the marks
    rows = [stored for stored, _ in reader.stream()]
    findings.proven(len(rows))
    return chain.positions_head(genesis, rows)


def _check_names(findings: Findings, heads: Mapping[str, chain.Head]) -> None:
    """Hold the names of the chains against those there are."""
    if chain.POSITIONS not in heads:
        findings.add("chains", chain.POSITIONS, "the chain's head is missing")
    for name in sorted(heads.keys() - {chain.RUNS, chain.POSITIONS, *chain.CHAINED}):
        findings.add("chains", name, "nothing is chained under this name")


def _find_beyond_cursor(connection: Connection, findings: Findings) -> None:
    """Find rows of notices that the cursor says were never stored, and of none at all."""
    for table in (tables.transitions, tables.incidents):
        before = select(table.c.notice).where(table.c.run_id == findings.run, table.c.notice < 1)
        for (notice,) in connection.execute(before.order_by(table.c.notice)):
            findings.add(table.name, notice, "lies before the first notice of its run")
        beyond = connection.execute(
            select(table.c.notice)
            .join(tables.cursors, tables.cursors.c.run_id == table.c.run_id)
            .where(table.c.run_id == findings.run, table.c.notice > tables.cursors.c.notices)
            .order_by(table.c.notice)
        )
        for (notice,) in beyond:
            findings.add(table.name, notice, "lies beyond the cursor of its run")
