"""What each fact of the venue does to our orders and our book.

Laws: money first (a fill is booked before anything is thought about its order); nothing of the venue is illegal
because it is late, repeated, about an order we forgot or about an instrument we do not trade; an order ends only by a
fact, never by our impatience. The venue's first statement opens the book: what is told before it waits for it, and what
it holds already is not booked again.
"""

from typing import Final

from domain.commands import QueryOrder
from domain.events import (
    AccountReported,
    CancelRefused,
    FundingPaid,
    OrderAccepted,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderStatus,
    OrderStatusReported,
    ReplaceRefused,
    TransferBooked,
)
from domain.identifiers import NO_ORDER
from domain.lifecycle import WORKING, State, Trigger
from domain.notices import FactNoted, FillBooked, FundingBooked, TransactionPosted
from domain.reasons import Reason
from domain.transaction import Transaction
from domain.units import Lots, Money, Price
from engine.agreement import ask_account, before_booking, booked, compare
from engine.quoting import cancel, quote
from engine.state import EngineState, MoneyFact
from ledger.bookkeeping import BookedFill
from ledger.pnl import fill_slippage
from router.working_orders import Order

ACCOUNT_REFUSALS: Final = frozenset({Reason.VENUE_MARGIN, Reason.VENUE_OPEN_ORDERS})
"""Refusals of the venue that are about the account and not about the terms of the order."""


def note(state: EngineState, fact: OrderEvent, reason: Reason, detail: str = "") -> None:
    """Tell about a fact that was repeated, late or about nothing we know."""
    state.notices.append(FactNoted(fact.client_order_id, reason, detail, ts_ns=state.now_ns))


def _order_of(state: EngineState, fact: OrderEvent) -> Order | None:
    order = state.orders.find(fact.client_order_id)
    if order is None:
        note(state, fact, Reason.UNKNOWN_ORDER, type(fact).__name__)
    elif order.is_ended:
        note(state, fact, Reason.LATE_ANSWER, type(fact).__name__)
    return order


def _move(state: EngineState, order: Order, trigger: Trigger, reason: Reason = Reason.NONE, detail: str = "") -> None:
    state.notices.append(state.orders.move(order, trigger, state.now_ns, reason, detail))


def _forget_replace(order: Order) -> None:
    order.pending_price, order.pending_lots = Price(0), Lots(0)


def accepted(state: EngineState, fact: OrderAccepted) -> None:
    """The venue has the order."""
    order = _order_of(state, fact)
    if order is None:
        return
    order.venue_order_id = fact.venue_order_id
    order.arrival_mid_x2 = state.markets[order.symbol].mid_x2
    _move(state, order, Trigger.ACCEPT)


def rejected(state: EngineState, fact: OrderRejected) -> None:
    """The venue refused the order.

    After a post-only refusal the next quote of that side stands further out; after any other the wish has to wait,
    and every wish of that side when another price would be refused as well.
    """
    order = _order_of(state, fact)
    if order is None:
        return
    _move(state, order, Trigger.REJECT, fact.reason, fact.venue_text)
    if fact.reason is Reason.VENUE_POST_ONLY:
        state.stand_back(order)
    elif fact.reason in ACCOUNT_REFUSALS:
        state.pause_wish(order.symbol, order.side, 0, 0)
    else:
        state.pause_wish(order.symbol, order.side, order.price, order.asked_lots)
    quote(state, state.markets[order.symbol])


def filled(state: EngineState, fact: OrderFilled) -> None:
    """Book an execution, then let its order know, then look at the market again with the new position."""
    if not _may_book(state, fact):
        return
    book, before = state.book, before_booking(state, fact.symbol)
    done = book.book_fill(fact)
    if done is None:
        _say_known(state, fact)
        return
    order = state.orders.find(fact.client_order_id)
    market = state.markets[fact.symbol]
    decision_mid_x2 = order.decision_mid_x2 if order else 0
    slippage = 0
    if decision_mid_x2:
        slippage = fill_slippage(fact.side, fact.price, fact.lots, decision_mid_x2, market.instrument.money_per_unit)
        book.add_slippage(fact.symbol, Money(slippage))
        state.slippage += slippage
    state.notices.append(TransactionPosted(done.transaction, ts_ns=state.now_ns))
    state.notices.append(
        FillBooked(
            client_order_id=fact.client_order_id,
            venue_order_id=fact.venue_order_id,
            trade_id=fact.trade_id,
            symbol=fact.symbol,
            side=fact.side,
            price=fact.price,
            lots=fact.lots,
            liquidity=fact.liquidity,
            notional=done.notional,
            fee=fact.fee,
            realized=done.realized,
            slippage=Money(slippage),
            position_after=done.position_after,
            start_position=fact.start_position,
            decision_mid_x2=decision_mid_x2,
            arrival_mid_x2=order.arrival_mid_x2 if order else 0,
            fill_mid_x2=market.mid_x2,
            cause=fact.cause,
            ts_ns=state.now_ns,
        )
    )
    _post(state, done.corrections)
    state.markouts.remember(done.transaction.sequence, fact.client_order_id, fact.symbol, state.now_ns)
    state.budget.traded(done.notional)
    _check_chain(state, fact, done, before.lots)
    booked(state, fact, before)
    if order is None:
        note(state, fact, Reason.FILL_WITHOUT_ORDER if fact.client_order_id == NO_ORDER else Reason.UNKNOWN_ORDER)
    else:
        _fill_order(state, order, fact)
    quote(state, market)


def _may_book(state: EngineState, fact: MoneyFact) -> bool:
    """Say whether the book can take a fact now; one that comes before the opening waits for it.

    Money that moves in an instrument we do not trade shows in the next statement.
    """
    if not isinstance(fact, TransferBooked) and fact.symbol not in state.instruments:
        _note_money(state, fact, Reason.UNKNOWN_INSTRUMENT)
        return False
    if not state.book.transaction_count:
        state.waiting.append(fact)
        return False
    return True


def _say_known(state: EngineState, fact: MoneyFact) -> None:
    """Tell why a fact was not booked: it was before, or the opening statement holds it."""
    is_held = state.book.is_held_by_opening(fact.ts_event_ns)
    if is_held or not isinstance(fact, TransferBooked):
        _note_money(state, fact, Reason.FACT_BEFORE_OPENING if is_held else Reason.DUPLICATE_FILL)


def _note_money(state: EngineState, fact: MoneyFact, reason: Reason) -> None:
    order, detail = NO_ORDER, ""
    match fact:
        case OrderFilled():
            order, detail = fact.client_order_id, f"fill of {fact.symbol}, trade {fact.trade_id}"
        case FundingPaid():
            detail = f"funding of {fact.symbol}"
        case TransferBooked():
            detail = f"transfer {fact.transfer_id}"
    state.notices.append(FactNoted(order, reason, detail, ts_ns=state.now_ns))


def _post(state: EngineState, corrections: tuple[Transaction, ...]) -> None:
    for correction in corrections:
        state.notices.append(TransactionPosted(correction, ts_ns=state.now_ns))


def _check_chain(state: EngineState, fact: OrderFilled, done: BookedFill, before: int) -> None:
    """Tell about a fill that came out of all order, and ask for the account when one shows that another is missing."""
    if done.is_unordered:
        note(state, fact, Reason.FILL_UNORDERED, f"trade {fact.trade_id} of {fact.ts_event_ns}")
    if not state.fill_chain.take(fact, before, state.book.position_lots(fact.symbol)):
        return
    note(state, fact, Reason.FILL_CHAIN_BROKEN, f"starts at {fact.start_position} lots, the book was at {before}")
    if not state.account_due_ns:
        ask_account(state)


def _fill_order(state: EngineState, order: Order, fact: OrderFilled) -> None:
    if order.is_ended:
        note(state, fact, Reason.LATE_FILL, order.state.label)
    order.filled_lots = Lots(order.filled_lots + fact.lots)
    size = max(order.lots, order.pending_lots)
    if order.filled_lots > size:
        note(state, fact, Reason.OVERFILL, f"{order.filled_lots} of {size} lots")
    complete = order.filled_lots >= size
    _move(state, order, Trigger.FILL_COMPLETE if complete else Trigger.FILL_PARTIAL)
    if order.is_ended:
        _forget_replace(order)


def canceled(state: EngineState, fact: OrderCanceled) -> None:
    """The order ended before it was filled."""
    order = _order_of(state, fact)
    if order is None:
        return
    reason = order.cancel_reason if fact.reason is Reason.NONE else fact.reason
    _forget_replace(order)
    _move(state, order, Trigger.CONFIRM_CANCEL, reason, fact.venue_text)
    quote(state, state.markets[order.symbol])


def cancel_refused(state: EngineState, fact: CancelRefused) -> None:
    """A refused cancel proves nothing about the order: ask what became of it."""
    order = _order_of(state, fact)
    if order is None:
        return
    order.cancel_reason = Reason.NONE
    _move(state, order, Trigger.REFUSE_CANCEL, fact.reason, fact.venue_text)
    ask_fate(state, order)


def replaced(state: EngineState, fact: OrderReplaced) -> None:
    """The order has its new terms and a new number."""
    order = _order_of(state, fact)
    if order is None:
        return
    order.venue_order_id = fact.venue_order_id
    order.price, order.lots = fact.price, fact.lots
    order.arrival_mid_x2 = state.markets[order.symbol].mid_x2
    _forget_replace(order)
    _move(state, order, Trigger.CONFIRM_REPLACE)
    _end_if_filled(state, order)


def replace_refused(state: EngineState, fact: ReplaceRefused) -> None:
    """The venue refused the new terms; the old order may be gone with them."""
    order = _order_of(state, fact)
    if order is None:
        return
    _forget_replace(order)
    if fact.reason is Reason.VENUE_POST_ONLY:
        state.stand_back(order)
    if _end_if_filled(state, order):
        return
    if fact.is_gone:
        _move(state, order, Trigger.CONFIRM_CANCEL, fact.reason, fact.venue_text)
        quote(state, state.markets[order.symbol])
        return
    _move(state, order, Trigger.REFUSE_REPLACE, fact.reason, fact.venue_text)
    ask_fate(state, order)


def _end_if_filled(state: EngineState, order: Order) -> bool:
    """End an order that turns out to be filled once its replace is settled; say whether it did."""
    if order.is_ended or order.filled_lots < order.lots:
        return order.is_ended
    _move(state, order, Trigger.FILL_COMPLETE)
    return True


def expired(state: EngineState, fact: OrderExpired) -> None:
    """The order ended by its own terms."""
    order = _order_of(state, fact)
    if order is not None:
        _move(state, order, Trigger.EXPIRE)


def status_reported(state: EngineState, fact: OrderStatusReported) -> None:
    """The venue said what became of an order in doubt. Missing fills come as facts of their own.

    An order found open while the answer to its replace is missing is canceled: nobody knows which terms it has.
    """
    order = _order_of(state, fact)
    if order is None or order.is_ended:
        return
    order.queries = 0
    match fact.status:
        case OrderStatus.OPEN:
            _move(state, order, Trigger.FIND_OPEN)
            if order.state is not State.PENDING_CANCEL:
                order.cancel_reason = Reason.NONE
            if order.pending_lots and order.state in WORKING:
                cancel(state, order, Reason.ANSWER_TIMED_OUT)
        case OrderStatus.CANCELED:
            _move(state, order, Trigger.CONFIRM_CANCEL, order.cancel_reason)
        case OrderStatus.REJECTED:
            _move(state, order, Trigger.REJECT, Reason.VENUE_OTHER)
        case OrderStatus.FILLED if fact.filled_lots <= order.filled_lots:
            order.lots = order.filled_lots
            _move(state, order, Trigger.FILL_COMPLETE)
        case OrderStatus.FILLED:
            note(state, fact, Reason.LATE_ANSWER, "filled at the venue, fills still to come")
        case OrderStatus.NEVER_SEEN:
            doubt(state, order)
            _move(state, order, Trigger.PROVE_NOT_PLACED)
    quote(state, state.markets[order.symbol])


def doubt(state: EngineState, order: Order) -> None:
    """Bring an unanswered order to state unknown, so that a proof can end it."""
    _move(state, order, Trigger.LOSE, Reason.ANSWER_TIMED_OUT)


def ask_fate(state: EngineState, order: Order, attempt: int = 1) -> None:
    """Ask the venue what became of an order."""
    if not order.is_live:
        return
    order.queries, order.ts_query_ns = attempt, state.now_ns
    state.commands.append(QueryOrder(order.client_order_id, order.symbol, ts_ns=state.now_ns))


def funding_paid(state: EngineState, fact: FundingPaid) -> None:
    """Book one hourly settlement."""
    if not _may_book(state, fact):
        return
    before = before_booking(state)
    done = state.book.book_funding(fact)
    if done is None:
        _say_known(state, fact)
        return
    state.notices.append(TransactionPosted(done.transaction, ts_ns=state.now_ns))
    state.notices.append(
        FundingBooked(
            fact.symbol, fact.hour_ns, fact.position, fact.rate, fact.oracle_price, fact.amount, ts_ns=state.now_ns
        )
    )
    _post(state, done.corrections)
    booked(state, fact, before)


def transfer_booked(state: EngineState, fact: TransferBooked) -> None:
    """Book money that came or left."""
    if not _may_book(state, fact):
        return
    before = before_booking(state)
    done = state.book.book_transfer(fact)
    if done is None:
        _say_known(state, fact)
        return
    state.notices.append(TransactionPosted(done.transaction, ts_ns=state.now_ns))
    _post(state, done.corrections)
    booked(state, fact, before)


def account_reported(state: EngineState, fact: AccountReported) -> None:
    """Open the book with the venue's statement, or compare; then take what waited for the opening, in its order."""
    compare(state, fact)
    if state.waiting and state.book.transaction_count:
        waiting, state.waiting = state.waiting, []
        for one in waiting:
            match one:
                case OrderFilled():
                    filled(state, one)
                case FundingPaid():
                    funding_paid(state, one)
                case TransferBooked():
                    transfer_booked(state, one)
