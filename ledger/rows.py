"""Notices become rows: plain dictionaries, one list per table, ready for one SQL transaction.

Laws: rows depend on the notices alone; whole outcomes are given at once, so a fill finds the transaction posted just
before it; an order that was created and changed in one batch becomes one row.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from domain.errors import InvariantBroken
from domain.identifiers import NO_ORDER, ClientOrderId, RunId, trace_id_text
from domain.instrument import Instrument
from domain.lifecycle import State, Trigger
from domain.notices import (
    AccountMarked,
    FactNoted,
    FillBooked,
    FundingBooked,
    KillSwitchEngaged,
    KillSwitchReset,
    LimitWarned,
    ModeChanged,
    Notice,
    OrderCreated,
    OrderTransitioned,
    TransactionPosted,
)
from domain.reasons import Reason
from domain.transaction import FactKind, Transaction
from domain.units import NS_PER_SECOND

Row = dict[str, Any]

_STATE = {state: state.label for state in State}
_TRIGGER = {trigger: trigger.label for trigger in Trigger}
_REASON = {reason: reason.label for reason in Reason}

NS_PER_MINUTE = 60 * NS_PER_SECOND


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is: who ran what, with which settings and which code."""

    run_id: RunId
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


class Rows:
    """Rows by table. orders_changed holds the new values of orders stored by an earlier batch."""

    def __init__(self, run: str) -> None:
        """Start empty, for one run."""
        self.run = run
        self.orders: dict[str, Row] = {}
        self.orders_changed: dict[str, Row] = {}
        self.transitions: list[Row] = []
        self.transactions: list[Row] = []
        self.postings: list[Row] = []
        self.fills: list[Row] = []
        self.funding: list[Row] = []
        self.marks: dict[int, Row] = {}
        self.positions: list[Row] | None = None
        self.incidents: list[Row] = []
        self._posted: Transaction | None = None

    def add(self, notice: Notice, place: int) -> None:
        """Add what one notice says; place is its number in the run, from 1.

        Raises: InvariantBroken when a fill or funding notice does not follow its own transaction.
        """
        match notice:
            case OrderTransitioned():
                self._add_transition(notice, place)
            case OrderCreated():
                self.orders[notice.client_order_id] = self._order(notice)
            case TransactionPosted():
                self._add_transaction(notice)
            case FillBooked():
                self._add_fill(notice)
            case FundingBooked():
                self._add_funding(notice)
            case AccountMarked():
                self._add_mark(notice)
            case ModeChanged():
                self._add_incident(place, notice.ts_ns, "mode", notice.reason, _mode_text(notice))
            case KillSwitchEngaged():
                self._add_incident(place, notice.ts_ns, "kill_switch_engaged", notice.reason, notice.detail)
            case KillSwitchReset():
                self._add_incident(place, notice.ts_ns, "kill_switch_reset", Reason.NONE, notice.detail)
            case LimitWarned():
                detail = f"limit {notice.limit}, observed {notice.observed}"
                self._add_incident(place, notice.ts_ns, "limit_warned", notice.reason, detail)
            case FactNoted():
                self._add_incident(
                    place, notice.ts_ns, "fact_noted", notice.reason, notice.detail, notice.client_order_id
                )
            case _:
                pass

    def _order(self, notice: OrderCreated) -> Row:
        return {
            "run_id": self.run,
            "client_order_id": notice.client_order_id,
            "trace_id": trace_id_text(notice.client_order_id),
            "symbol": notice.symbol,
            "side": notice.side.label,
            "price": notice.price,
            "lots": notice.lots,
            "filled_lots": 0,
            "time_in_force": notice.time_in_force.name,
            "post_only": notice.post_only,
            "reduce_only": notice.reduce_only,
            "decision_mid_x2": notice.decision_mid_x2,
            "state": "idle",
            "reason": Reason.NONE.label,
            "venue_order_id": 0,
            "created_ns": notice.ts_ns,
            "updated_ns": notice.ts_ns,
        }

    def _add_transition(self, notice: OrderTransitioned, place: int) -> None:
        order, to_state, reason = notice.client_order_id, _STATE[notice.to_state], _REASON[notice.reason]
        changed = {
            "price": notice.price,
            "lots": notice.lots,
            "filled_lots": notice.filled_lots,
            "state": to_state,
            "reason": reason,
            "venue_order_id": notice.venue_order_id,
            "updated_ns": notice.ts_ns,
        }
        created = self.orders.get(order)
        if created is not None:
            created.update(changed)
        else:
            self.orders_changed[order] = {"of_run": self.run, "of_order": order, **changed}
        self.transitions.append(
            {
                "run_id": self.run,
                "notice": place,
                "client_order_id": order,
                "ts_ns": notice.ts_ns,
                "from_state": _STATE[notice.from_state],
                "to_state": to_state,
                "trigger": _TRIGGER[notice.trigger],
                "reason": reason,
                "time_in_state_ns": notice.time_in_state_ns,
                "price": notice.price,
                "lots": notice.lots,
                "filled_lots": notice.filled_lots,
                "detail": notice.detail,
            }
        )

    def _add_transaction(self, notice: TransactionPosted) -> None:
        posted = notice.transaction
        self._posted = posted
        self.transactions.append(
            {
                "run_id": self.run,
                "sequence": posted.sequence,
                "kind": posted.kind.label,
                "fact_id": posted.fact_id,
                "ts_event_ns": posted.ts_event_ns,
                "ts_ns": notice.ts_ns,
                "symbol": posted.symbol,
                "client_order_id": posted.client_order_id,
                "trace_id": trace_id_text(posted.client_order_id),
            }
        )
        for line, posting in enumerate(posted.postings, 1):
            self.postings.append(
                {
                    "run_id": self.run,
                    "sequence": posted.sequence,
                    "line": line,
                    "account": posting.account,
                    "amount": posting.amount,
                }
            )

    def _posted_of(self, kinds: tuple[FactKind, ...], symbol: str, order: ClientOrderId) -> Transaction:
        posted = self._posted
        if posted is None or posted.kind not in kinds or (posted.symbol, posted.client_order_id) != (symbol, order):
            found = "none" if posted is None else f"{posted.kind.label} {posted.fact_id}"
            raise InvariantBroken(
                f"{kinds[0].label} of {symbol} {order}: expected right after its transaction, found {found}"
            )
        self._posted = None
        return posted

    def _add_fill(self, notice: FillBooked) -> None:
        kinds = (FactKind.FILL, FactKind.LIQUIDATION)
        posted = self._posted_of(kinds, notice.symbol, notice.client_order_id)
        self.fills.append(
            {
                "run_id": self.run,
                "sequence": posted.sequence,
                "client_order_id": notice.client_order_id,
                "trace_id": trace_id_text(notice.client_order_id),
                "venue_order_id": notice.venue_order_id,
                "trade_id": notice.trade_id,
                "symbol": notice.symbol,
                "side": notice.side.label,
                "price": notice.price,
                "lots": notice.lots,
                "liquidity": notice.liquidity.label,
                "notional": notice.notional,
                "fee": notice.fee,
                "realized": notice.realized,
                "slippage": notice.slippage,
                "position_after": notice.position_after,
                "decision_mid_x2": notice.decision_mid_x2,
                "arrival_mid_x2": notice.arrival_mid_x2,
                "is_liquidation": notice.is_liquidation,
                "ts_event_ns": posted.ts_event_ns,
                "ts_ns": notice.ts_ns,
            }
        )

    def _add_funding(self, notice: FundingBooked) -> None:
        posted = self._posted_of((FactKind.FUNDING,), notice.symbol, NO_ORDER)
        self.funding.append(
            {
                "run_id": self.run,
                "symbol": notice.symbol,
                "hour_ns": notice.hour_ns,
                "sequence": posted.sequence,
                "position": notice.position,
                "rate": notice.rate,
                "oracle_price": notice.oracle_price,
                "amount": notice.amount,
                "ts_ns": notice.ts_ns,
            }
        )

    def _add_mark(self, notice: AccountMarked) -> None:
        minute_ns = notice.ts_ns - notice.ts_ns % NS_PER_MINUTE
        row = {name: getattr(notice, name) for name in MARK_COLUMNS}
        self.marks[minute_ns] = {"run_id": self.run, "minute_ns": minute_ns, **row}
        self.positions = [
            {
                "run_id": self.run,
                "symbol": symbol,
                "lots": lots,
                "cost": cost,
                "unrealized": unrealized,
                "ts_ns": notice.ts_ns,
            }
            for symbol, lots, cost, unrealized in notice.positions
        ]

    def _add_incident(
        self, place: int, ts_ns: int, kind: str, reason: Reason, detail: str, order: ClientOrderId = NO_ORDER
    ) -> None:
        self.incidents.append(
            {
                "run_id": self.run,
                "notice": place,
                "ts_ns": ts_ns,
                "kind": kind,
                "reason": reason.label,
                "client_order_id": order,
                "detail": detail,
            }
        )


MARK_COLUMNS = tuple(name for name in AccountMarked.__struct_fields__ if name != "positions")


def _mode_text(notice: ModeChanged) -> str:
    moved = f"{notice.from_mode.label} to {notice.to_mode.label}"
    return f"{moved}: {notice.detail}" if notice.detail else moved


def rows_of(run: str, notices: Sequence[Notice], first_place: int) -> Rows:
    """Return the rows of consecutive notices of a run, the first of which is its first_place-th (from 1)."""
    rows = Rows(run)
    for place, notice in enumerate(notices, first_place):
        rows.add(notice, place)
    return rows
