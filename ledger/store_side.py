"""The ledger's side of a reconciliation, read from SQL as of the moment of a venue statement.

Why it exists: the venue answers in its own time, and a ledger that goes on while it is compared would differ from every
answer. A row belongs to the side when its fact happened at the venue no later than the statement; of facts at that very
instant only those that the statement knows belong, for it may have been made in between.

Laws: rows are read inside one snapshot and nothing is written; a correction stands where its fact stands. An order's
moves carry our clock and not the venue's, so within FLIGHT_NS of the statement an order may be open or not.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam, text

from domain.errors import DataInvalid
from domain.events import FundingPaid, OrderFilled, TransferBooked
from domain.identifiers import ClientOrderId, TradeId, VenueOrderId
from domain.lifecycle import TERMINAL, WORKING
from domain.order import FillCause, Liquidity, Side
from domain.statement import OpenOrder, VenueStatement
from domain.transaction import FactKind
from domain.units import NS_PER_SECOND, Lots, Money, Price, Rate
from ledger.accounts import CASH, POSITION, kind_of, symbol_of
from ledger.bookkeeping import OPENING, fill_id, funding_id
from ledger.equity_bridge import LedgerSide

FLIGHT_NS = 10 * NS_PER_SECOND
"""How long an answer of the venue may be on its way before it counts as missing."""

SIDES = {side.label: side for side in Side}
LIQUIDITIES = {liquidity.label: liquidity for liquidity in Liquidity}
CAUSES = {cause.label: cause for cause in FillCause}
FILL_LABELS = frozenset(kind.label for kind in (FactKind.FILL, FactKind.LIQUIDATION, FactKind.DELEVERAGING))
OPEN_LABELS = frozenset(state.label for state in WORKING)
TERMINAL_LABELS = tuple(sorted(state.label for state in TERMINAL))


WITHIN = """
t.run_id = :run AND t.ts_event_ns <= :ts AND t.sequence NOT IN :excluded AND (t.cause <> 'explained' OR EXISTS (
  SELECT 1 FROM transactions s WHERE s.run_id = t.run_id AND s.cause = 'unexplained'
  AND s.ts_event_ns >= t.ts_event_ns AND s.ts_event_ns <= :ts))
"""
"""What a late fact explains was taken back from a statement: before that statement there was nothing to take."""


def _question(words: str) -> TextClause:
    return text(words.replace("[within]", WITHIN)).bindparams(bindparam("excluded", expanding=True))


RUN = text("SELECT run_id, account, ended_ns FROM runs WHERE run_id = :run")
NEWEST_RUN = text("SELECT run_id FROM runs WHERE account = :account ORDER BY started_ns DESC, run_id DESC LIMIT 1")
INSTRUMENTS = text("SELECT symbol, price_decimals, size_decimals FROM instruments WHERE run_id = :run")
OPENED = text(
    "SELECT ts_event_ns FROM transactions WHERE run_id = :run AND kind = 'transfer' AND fact_id LIKE :opening"
)
AT_THE_INSTANT = text(
    "SELECT sequence, cause, fact_id, evidence FROM transactions WHERE run_id = :run AND ts_event_ns = :ts ORDER BY sequence"
)
BALANCES = _question(
    "SELECT p.account, SUM(p.amount) FROM postings p "
    "JOIN transactions t ON t.run_id = p.run_id AND t.sequence = p.sequence "
    "WHERE [within] GROUP BY p.account"
)
SUSPENDED_CASH = _question(
    "SELECT SUM(p.amount) FROM postings p "
    "JOIN transactions t ON t.run_id = p.run_id AND t.sequence = p.sequence "
    "WHERE [within] AND t.cause IN ('unexplained', 'explained') AND p.account = :cash"
)
FILLED_LOTS = _question(
    "SELECT f.symbol, SUM(CASE f.side WHEN 'buy' THEN f.lots ELSE -f.lots END) FROM fills f "
    "JOIN transactions t ON t.run_id = f.run_id AND t.sequence = f.sequence "
    "WHERE [within] GROUP BY f.symbol"
)
ADJUSTED_LOTS = _question(
    "SELECT a.symbol, SUM(a.lots), SUM(CASE WHEN t.cause IN ('unexplained', 'explained') THEN a.lots ELSE 0 END) "
    "FROM adjustments a JOIN transactions t ON t.run_id = a.run_id AND t.sequence = a.sequence "
    "WHERE [within] GROUP BY a.symbol"
)
FILLS = _question(
    "SELECT f.client_order_id, f.venue_order_id, f.symbol, f.side, f.trade_id, f.price, f.lots, f.liquidity, f.fee, "
    "f.start_position, f.cause, t.evidence, f.ts_event_ns, f.ts_ns FROM fills f "
    "JOIN transactions t ON t.run_id = f.run_id AND t.sequence = f.sequence "
    "WHERE [within] AND t.ts_event_ns >= :since ORDER BY f.sequence"
)
FUNDINGS = _question(
    "SELECT f.symbol, f.hour_ns, f.position, f.rate, f.oracle_price, f.amount, t.ts_event_ns, f.ts_ns FROM funding f "
    "JOIN transactions t ON t.run_id = f.run_id AND t.sequence = f.sequence "
    "WHERE [within] AND t.ts_event_ns >= :since ORDER BY f.sequence"
)
TRANSFERS_OF = _question(
    "SELECT t.fact_id, p.amount, t.ts_event_ns, t.ts_ns FROM transactions t "
    "JOIN postings p ON p.run_id = t.run_id AND p.sequence = t.sequence AND p.account = :cash "
    "WHERE [within] AND t.kind = 'transfer' AND t.fact_id NOT LIKE :opening AND t.ts_event_ns >= :since ORDER BY t.sequence"
)
TOTALS = _question(
    "SELECT t.kind, COUNT(*) FROM transactions t "
    "WHERE [within] AND t.kind <> 'correction' AND t.fact_id NOT LIKE :opening GROUP BY t.kind"
)
NEWER = text(
    "SELECT COUNT(*), MAX(ts_event_ns) FROM transactions "
    "WHERE run_id = :run AND kind <> 'correction' AND (ts_event_ns > :ts OR sequence IN :excluded)"
).bindparams(bindparam("excluded", expanding=True))
MOVES = text(
    "SELECT o.client_order_id, o.symbol, o.side, m.venue_order_id, m.price, m.lots, m.filled_lots, m.to_state, m.ts_ns "
    "FROM orders o JOIN transitions m ON m.run_id = o.run_id AND m.client_order_id = o.client_order_id "
    "WHERE o.run_id = :run AND o.created_ns <= :ts AND (o.state NOT IN :ended OR o.updated_ns >= :recent) "
    "ORDER BY m.notice"
).bindparams(bindparam("ended", expanding=True))


def run_of(connection: Connection, run: str, account: str) -> str:
    """Return the run to compare: the one named, or the newest of the account.

    Raises: DataInvalid when there is none.
    """
    if run:
        return run
    found = connection.execute(NEWEST_RUN, {"account": account}).scalar_one_or_none()
    if found is None:
        raise DataInvalid("the ledger", f"holds no run of account {account[:80]!r}")
    return str(found)


def read_side(connection: Connection, run: str, venue: VenueStatement) -> LedgerSide:
    """Return a run of the ledger as of the moment of a statement.

    Raises: DataInvalid when the run is not there, belongs to another account than the statement, or its book was opened
    after the statement.
    """
    found = connection.execute(RUN, {"run": run}).one_or_none()
    if found is None:
        raise DataInvalid("the ledger", f"holds no run {run[:40]!r}")
    if venue.account and venue.account != found.account:
        problem = f"is of account {venue.account[:80]}; run {run} belongs to account {found.account}"
        raise DataInvalid("the venue statement", problem)
    opened_ns = connection.execute(OPENED, {"run": run, "opening": f"{OPENING}%"}).scalar_one_or_none()
    if opened_ns is None or opened_ns > venue.ts_ns:
        raise DataInvalid(f"run {run}", "has no opened book at the time of the statement: there is nothing to compare")
    asked: dict[str, Any] = {"run": run, "ts": venue.ts_ns, "excluded": _not_yet(connection, run, venue), "cash": CASH}
    asked |= {"since": venue.complete_since_ns, "opening": f"{OPENING}%"}

    def ask(question: TextClause) -> Sequence[Any]:
        return connection.execute(question, {name: asked[name] for name in question.compile().params}).all()

    kinds, costs = _balances(ask(BALANCES))
    ((newer, newest_ns),) = ask(NEWER)
    positions = {str(symbol): int(lots) for symbol, lots in ask(FILLED_LOTS)}
    suspended: dict[str, int] = {}
    for symbol, lots, unexplained in ask(ADJUSTED_LOTS):
        positions[symbol] = positions.get(symbol, 0) + int(lots)
        suspended[symbol] = int(unexplained)
    surely, possibly = _open_orders(
        connection.execute(
            MOVES, {"run": run, "ts": venue.ts_ns, "recent": venue.ts_ns - FLIGHT_NS, "ended": TERMINAL_LABELS}
        ).all(),
        venue.ts_ns,
    )
    return LedgerSide(
        run_id=run,
        account=str(found.account),
        is_ended=found.ended_ns is not None,
        ts_ns=venue.ts_ns,
        opened_ns=int(opened_ns),
        balances=kinds,
        positions={symbol: lots for symbol, lots in positions.items() if lots},
        costs=costs,
        decimals={str(row[0]): (int(row[1]), int(row[2])) for row in connection.execute(INSTRUMENTS, {"run": run})},
        suspended_cash=Money(int(ask(SUSPENDED_CASH)[0][0] or 0)),
        suspended_lots={symbol: lots for symbol, lots in suspended.items() if lots},
        open_orders=surely,
        orders_possible=possibly,
        fills=tuple(_fill(row) for row in ask(FILLS)),
        fundings=tuple(_funding(row) for row in ask(FUNDINGS)),
        transfers=tuple(
            TransferBooked(str(name), Money(amount), ts_event_ns=ts_event_ns, ts_recv_ns=ts_ns)
            for name, amount, ts_event_ns, ts_ns in ask(TRANSFERS_OF)
        ),
        totals=_totals(ask(TOTALS)),
        facts_newer=int(newer),
        newest_ns=int(newest_ns or 0),
    )


def _totals(rows: Iterable[Sequence[Any]]) -> dict[str, int]:
    """Return how many facts there are by what they are for a statement: to the venue a liquidation is a fill."""
    found: dict[str, int] = {}
    for kind, count in rows:
        name = "fill" if kind in FILL_LABELS else str(kind)
        found[name] = found.get(name, 0) + int(count)
    return found


def _not_yet(connection: Connection, run: str, venue: VenueStatement) -> list[int]:
    """Return the transactions of the statement's very instant that the statement does not hold yet.

    A correction belongs to the fact that is its evidence.
    """
    known = {
        *map(fill_id, venue.fills),
        *map(funding_id, venue.fundings),
        *(one.transfer_id for one in venue.transfers),
    }
    rows = connection.execute(AT_THE_INSTANT, {"run": run, "ts": venue.ts_ns}).all()
    return [
        int(sequence)
        for sequence, cause, fact_id, evidence in rows
        if cause != "unexplained"
        and not fact_id.startswith(OPENING)
        and (fact_id if cause == "none" else evidence) not in known
    ] or [0]


def _balances(rows: Iterable[Sequence[Any]]) -> tuple[dict[str, int], dict[str, int]]:
    """Return sums by kind of account, and the cost of every open position."""
    kinds: dict[str, int] = {}
    costs: dict[str, int] = {}
    for account, amount in rows:
        kind = kind_of(account)
        kinds[kind] = kinds.get(kind, 0) + int(amount)
        if kind == POSITION and amount:
            costs[symbol_of(account)] = int(amount)
    return kinds, costs


def _fill(row: Sequence[Any]) -> OrderFilled:
    name, number, symbol, side, trade_id, price, lots, liquidity, fee, start, cause, evidence, ts_event_ns, ts_ns = row
    return OrderFilled(
        client_order_id=ClientOrderId(name),
        venue_order_id=VenueOrderId(number),
        symbol=symbol,
        side=SIDES[side],
        trade_id=TradeId(trade_id),
        price=Price(price),
        lots=Lots(lots),
        liquidity=LIQUIDITIES[liquidity],
        fee=Money(fee),
        start_position=Lots(start),
        cause=CAUSES[cause],
        evidence=evidence,
        ts_event_ns=ts_event_ns,
        ts_recv_ns=ts_ns,
    )


def _funding(row: Sequence[Any]) -> FundingPaid:
    symbol, hour_ns, position, rate, oracle_price, amount, ts_event_ns, ts_ns = row
    return FundingPaid(
        symbol, hour_ns, Lots(position), Rate(rate), Price(oracle_price), Money(amount), ts_event_ns=ts_event_ns,
        ts_recv_ns=ts_ns,
    )  # fmt: skip


def _open_orders(moves: Iterable[Sequence[Any]], ts_ns: int) -> tuple[tuple[OpenOrder, ...], frozenset[ClientOrderId]]:
    """Return the orders that surely rested at ts_ns with their terms, and the names of all that may have."""
    last: dict[ClientOrderId, Sequence[Any]] = {}
    restless: set[ClientOrderId] = set()
    for move in moves:
        name = ClientOrderId(move[0])
        if abs(move[8] - ts_ns) <= FLIGHT_NS:
            restless.add(name)
        if move[8] <= ts_ns:
            last[name] = move
    surely = []
    for name, (_, symbol, side, number, price, lots, filled_lots, state, _) in last.items():
        if state in OPEN_LABELS and name not in restless:
            surely.append(
                OpenOrder(
                    client_order_id=name,
                    venue_order_id=VenueOrderId(number),
                    symbol=symbol,
                    side=SIDES[side],
                    price=Price(price),
                    leaves=Lots(lots - filled_lots),
                )
            )
    alive = {name for name, move in last.items() if move[7] not in TERMINAL_LABELS}
    return tuple(surely), frozenset(restless | alive)
