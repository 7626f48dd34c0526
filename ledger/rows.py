"""Notices become rows: plain tuples in the column order of their tables, ready for one SQL transaction.

Laws: rows depend on the notices alone; whole outcomes are given at once, so a fill finds the transaction posted just
before it; an order that was created and changed in one batch becomes one row. Link and hash of a row are the chain's
business (ledger/chain.py): the rows of chained tables end before them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from domain.errors import InvariantBroken
from domain.identifiers import NO_ORDER, ClientOrderId, RunId
from domain.instrument import Instrument
from domain.lifecycle import State, Trigger
from domain.notices import (
    AccountMarked,
    DiscrepancyClosed,
    DiscrepancyFound,
    FactNoted,
    FillBooked,
    FundingBooked,
    KillSwitchEngaged,
    KillSwitchReset,
    LimitWarned,
    MarkoutTaken,
    ModeChanged,
    Notice,
    OrderCreated,
    OrderTransitioned,
    TransactionPosted,
)
from domain.order import FillCause, Liquidity, Side, TimeInForce
from domain.reasons import Reason
from domain.transaction import CorrectionCause, FactKind, Transaction
from domain.units import NS_PER_SECOND, format_money

Row = tuple[Any, ...]

_STATE = {state: state.label for state in State}
_TRIGGER = {trigger: trigger.label for trigger in Trigger}
_REASON = {reason: reason.label for reason in Reason}
_SIDE = {side: side.label for side in Side}
_LIQUIDITY = {liquidity: liquidity.label for liquidity in Liquidity}
_TIME_IN_FORCE = {time_in_force: time_in_force.name for time_in_force in TimeInForce}
_FILL_CAUSE = {cause: cause.label for cause in FillCause}
_KIND = {kind: kind.label for kind in FactKind}
_CORRECTION_CAUSE = {cause: cause.label for cause in CorrectionCause}

NS_PER_MINUTE = 60 * NS_PER_SECOND
FILL_KINDS = (FactKind.FILL, FactKind.LIQUIDATION, FactKind.DELEVERAGING)


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is: who ran what, with which settings and which code.

    account is the venue's name for us; a simulated venue opens one for each run, so there it is the run's key.
    """

    run_id: RunId
    account: str
    command: str
    strategy: str
    seed: int
    config_hash: str
    code_revision: str
    started_ns: int
    instruments: tuple[Instrument, ...]


def run_key(run_id: RunId) -> str:
    """Return a run id as SQL stores it: 16 hex digits (64 unsigned bits do not fit a BIGINT)."""
    return f"{run_id:016x}"


def run_rows(record: RunRecord) -> tuple[Row, list[Row]]:
    """Return the row of a run, which has not ended yet, and those of its instruments."""
    run = run_key(record.run_id)
    own = (
        run,
        record.account,
        record.command,
        record.strategy,
        record.seed,
        record.config_hash,
        record.code_revision,
        record.started_ns,
        None,
    )
    return own, [(run, one.symbol, one.asset_id, one.price_decimals, one.size_decimals) for one in record.instruments]


class Booking(msgspec.Struct):
    """One transaction with everything its hash covers. own lacks the hash; postings are (line, account, amount)."""

    own: Row
    postings: list[Row]
    lots: tuple[tuple[str, int], ...]
    fill: Row | None = None
    funding: Row | None = None


class Rows:
    """Rows by table. orders_changed holds the new values of orders stored by an earlier batch, their key last."""

    def __init__(self, run: str, account: str) -> None:
        """Start empty, for one run of an account."""
        self.run = run
        self.account = account
        self.orders: dict[str, Row] = {}
        self.orders_changed: dict[str, Row] = {}
        self.transitions: list[Row] = []
        self.bookings: list[Booking] = []
        self.postings: list[Row] = []
        self.adjustments: list[Row] = []
        self.fills: list[Row] = []
        self.markouts: list[Row] = []
        self.funding: list[Row] = []
        self.marks: dict[int, Row] = {}
        self.positions: list[Row] | None = None
        self.incidents: list[Row] = []
        self._posted: Transaction | None = None

    def add_order(self, notice: OrderCreated, _place: int) -> None:
        """Add an order as it was wanted; `idle` until it moves."""
        order = notice.client_order_id
        self.orders[order] = (
            self.run,
            order,
            order[2:],
            notice.symbol,
            _SIDE[notice.side],
            notice.price,
            notice.lots,
            0,
            _TIME_IN_FORCE[notice.time_in_force],
            notice.post_only,
            notice.reduce_only,
            notice.decision_mid_x2,
            _STATE[State.IDLE],
            _REASON[Reason.NONE],
            0,
            notice.ts_ns,
            notice.ts_ns,
        )

    def add_transition(self, notice: OrderTransitioned, place: int) -> None:
        """Add a move, and what the order is after it."""
        order, ts_ns, venue_order_id = notice.client_order_id, notice.ts_ns, notice.venue_order_id
        price, lots, filled_lots = notice.price, notice.lots, notice.filled_lots
        to_state, reason = _STATE[notice.to_state], _REASON[notice.reason]
        created = self.orders.get(order)
        if created is not None:
            self.orders[order] = (
                *created[:5],
                price,
                lots,
                filled_lots,
                *created[8:12],
                to_state,
                reason,
                venue_order_id,
                created[15],
                ts_ns,
            )
        else:
            self.orders_changed[order] = (
                price,
                lots,
                filled_lots,
                to_state,
                reason,
                venue_order_id,
                ts_ns,
                self.run,
                order,
            )
        self.transitions.append(
            (
                self.run,
                place,
                order,
                ts_ns,
                _STATE[notice.from_state],
                to_state,
                _TRIGGER[notice.trigger],
                reason,
                notice.time_in_state_ns,
                price,
                lots,
                filled_lots,
                venue_order_id,
                storable(notice.detail),
            )
        )

    def add_transaction(self, notice: TransactionPosted, _place: int) -> None:
        """Add a transaction, its postings and the lots it moves without a fill."""
        posted = self._posted = notice.transaction
        run, sequence, order = self.run, posted.sequence, posted.client_order_id
        own = (
            run,
            sequence,
            self.account,
            _KIND[posted.kind],
            storable(posted.fact_id),
            posted.ts_event_ns,
            notice.ts_ns,
            posted.symbol,
            order,
            order[2:],
            _CORRECTION_CAUSE[posted.cause],
            storable(posted.evidence),
        )
        lines: list[Row] = []
        for posting in posted.postings:
            line = (len(lines) + 1, posting.account, posting.amount)
            lines.append(line)
            self.postings.append((run, sequence, *line))
        lots = tuple(sorted(posted.lots)) if posted.lots else ()
        for symbol, size in lots:
            self.adjustments.append((run, sequence, symbol, size))
        self.bookings.append(Booking(own, lines, lots))

    def add_fill(self, notice: FillBooked, _place: int) -> None:
        """Add an execution under the number of its transaction. Raises: InvariantBroken when that is not just before."""
        posted = self._posted_of(FILL_KINDS, notice.symbol, notice.client_order_id)
        order = notice.client_order_id
        row = (
            self.run,
            posted.sequence,
            order,
            order[2:],
            notice.venue_order_id,
            notice.trade_id,
            notice.symbol,
            _SIDE[notice.side],
            notice.price,
            notice.lots,
            _LIQUIDITY[notice.liquidity],
            notice.notional,
            notice.fee,
            notice.realized,
            notice.slippage,
            notice.start_position,
            notice.position_after,
            notice.decision_mid_x2,
            notice.arrival_mid_x2,
            notice.fill_mid_x2,
            _FILL_CAUSE[notice.cause],
            posted.ts_event_ns,
            notice.ts_ns,
        )
        self.fills.append(row)
        self.bookings[-1].fill = row

    def add_markout(self, notice: MarkoutTaken, _place: int) -> None:
        """Add where the mid stood some time after a fill."""
        self.markouts.append((self.run, notice.sequence, notice.horizon_ns, notice.mid_x2, notice.ts_ns))

    def add_funding(self, notice: FundingBooked, _place: int) -> None:
        """Add a settlement under the number of its transaction. Raises: InvariantBroken when that is not just before."""
        posted = self._posted_of((FactKind.FUNDING,), notice.symbol, NO_ORDER)
        row = (
            self.run,
            notice.symbol,
            notice.hour_ns,
            posted.sequence,
            notice.position,
            notice.rate,
            notice.oracle_price,
            notice.amount,
            notice.ts_ns,
        )
        self.funding.append(row)
        self.bookings[-1].funding = row

    def add_mark(self, notice: AccountMarked, _place: int) -> None:
        """Keep the last mark of each minute and the last positions."""
        run, ts_ns = self.run, notice.ts_ns
        minute_ns = ts_ns - ts_ns % NS_PER_MINUTE
        self.marks[minute_ns] = (run, minute_ns, *[getattr(notice, name) for name in MARK_COLUMNS])
        self.positions = [(run, *position, ts_ns) for position in notice.positions]

    def add_mode(self, notice: ModeChanged, place: int) -> None:
        """Add a change of mode."""
        moved = f"{notice.from_mode.label} to {notice.to_mode.label}"
        detail = f"{moved}: {notice.detail}" if notice.detail else moved
        self._add_incident(place, notice.ts_ns, "mode", notice.reason, detail)

    def add_engaged(self, notice: KillSwitchEngaged, place: int) -> None:
        """Add the kill switch going on."""
        self._add_incident(place, notice.ts_ns, "kill_switch_engaged", notice.reason, notice.detail)

    def add_reset(self, notice: KillSwitchReset, place: int) -> None:
        """Add the kill switch going off."""
        self._add_incident(place, notice.ts_ns, "kill_switch_reset", Reason.NONE, notice.detail)

    def add_warning(self, notice: LimitWarned, place: int) -> None:
        """Add a limit that came close."""
        detail = f"limit {notice.limit}, observed {notice.observed}"
        self._add_incident(place, notice.ts_ns, "limit_warned", notice.reason, detail)

    def add_fact_noted(self, notice: FactNoted, place: int) -> None:
        """Add a fact that contradicted what we knew."""
        self._add_incident(place, notice.ts_ns, "fact_noted", notice.reason, notice.detail, notice.client_order_id)

    def add_discrepancy(self, notice: DiscrepancyFound, place: int) -> None:
        """Add what the venue's statement holds beyond the book."""
        parts = [f"venue less book: cash {format_money(notice.cash)}"]
        parts += [f"{symbol} {lots:+} lots" for symbol, lots in notice.positions]
        if notice.is_booked:
            parts.append("booked as unexplained")
        detail = ", ".join(parts)
        kind = "discrepancy_booked" if notice.is_booked else "discrepancy_found"
        self._add_incident(
            place, notice.ts_ns, kind, Reason.NONE, f"{detail}: {notice.detail}" if notice.detail else detail
        )

    def add_discrepancy_end(self, notice: DiscrepancyClosed, place: int) -> None:
        """Add that nothing unexplained stands in the way any more."""
        self._add_incident(place, notice.ts_ns, "discrepancy_closed", notice.reason, notice.detail)

    def _posted_of(self, kinds: tuple[FactKind, ...], symbol: str, order: ClientOrderId) -> Transaction:
        posted = self._posted
        if posted is None or posted.kind not in kinds or (posted.symbol, posted.client_order_id) != (symbol, order):
            found = "none" if posted is None else f"{posted.kind.label} {posted.fact_id}"
            raise InvariantBroken(
                f"{kinds[0].label} of {symbol} {order}: expected right after its transaction, found {found}"
            )
        self._posted = None
        return posted

    def _add_incident(
        self, place: int, ts_ns: int, kind: str, reason: Reason, detail: str, order: ClientOrderId = NO_ORDER
    ) -> None:
        self.incidents.append((self.run, place, ts_ns, kind, _REASON[reason], order, storable(detail)))


MARK_COLUMNS = (
    *("ts_ns", "equity", "cash", "realized", "unrealized", "funding", "fees", "rebates", "slippage", "net"),
    *("transfers", "unexplained", "drawdown", "drawdown_max", "exposure", "margin_used", "margin_ratio"),
    *("value_at_risk", "position_count", "open_orders"),
)
"""What a mark keeps of AccountMarked, in the order of the table."""

_ADD: dict[type, Callable[[Rows, Any, int], None]] = {
    OrderTransitioned: Rows.add_transition,
    OrderCreated: Rows.add_order,
    TransactionPosted: Rows.add_transaction,
    FillBooked: Rows.add_fill,
    MarkoutTaken: Rows.add_markout,
    FundingBooked: Rows.add_funding,
    AccountMarked: Rows.add_mark,
    ModeChanged: Rows.add_mode,
    KillSwitchEngaged: Rows.add_engaged,
    KillSwitchReset: Rows.add_reset,
    LimitWarned: Rows.add_warning,
    FactNoted: Rows.add_fact_noted,
    DiscrepancyFound: Rows.add_discrepancy,
    DiscrepancyClosed: Rows.add_discrepancy_end,
}
"""Notices that are not named here leave no row: they are in the journal, the log and the metrics."""


def storable(text: str) -> str:
    """Return text both databases can hold: NUL and half surrogates (a venue may send anything) become `?`."""
    if text.isascii():
        return text.replace("\x00", "?")
    return text.replace("\x00", "?").encode("utf-8", "replace").decode("utf-8")


def rows_of(run: str, account: str, notices: Sequence[Notice], first_place: int) -> Rows:
    """Return the rows of consecutive notices of a run, the first of which is its first_place-th (from 1).

    Raises: InvariantBroken when a fill or funding notice does not follow its own transaction.
    """
    rows = Rows(run, account)
    for place, notice in enumerate(notices, first_place):
        add = _ADD.get(type(notice))
        if add is not None:
            add(rows, notice, place)
    return rows
