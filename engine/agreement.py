"""Whether the venue's statements and our book agree, and what holds while they do not.

The first statement that differs blocks new risk and is asked for again, for a fact may be on its way. A second one with
the same difference is booked as unexplained, with the numbers as evidence; another difference starts over. The block
ends when a statement agrees before anything was booked, when late facts explain all that was, or when a person
acknowledges it.

A position in an instrument this bot does not trade cannot be booked: it blocks for as long as it is there.

Laws: a statement from before a fact that is booked already is never compared; nothing unexplained is booked on one
statement alone; while blocked nothing but what reduces a position rests or leaves; unexplained money is neither profit
nor loss.
"""

from typing import Final

from msgspec import structs

from domain.commands import QueryAccount
from domain.events import AccountReported, OperatorAcknowledged
from domain.identifiers import NO_ORDER
from domain.modes import MODE_RULES, Mode, ModeTrigger
from domain.notices import DiscrepancyClosed, DiscrepancyFound, FactNoted, TransactionPosted
from domain.reasons import Reason
from domain.units import NS_PER_SECOND, Money, format_money, format_scaled
from engine.quoting import cancel_risk
from engine.state import EngineState

ACCOUNT_PATIENCE_NS: Final = 30 * NS_PER_SECOND
"""After so long without an answer the account is asked for again."""


def ask_account(state: EngineState) -> None:
    """Ask for the account now, and again later should nobody answer."""
    state.account_due_ns = state.now_ns + ACCOUNT_PATIENCE_NS
    state.commands.append(QueryAccount(ts_ns=state.now_ns))


def _ask_later(state: EngineState) -> None:
    """Ask again when at least one pulse has passed: what explains a difference may be on its way."""
    state.account_due_ns = state.now_ns + state.settings.pulse_interval_ns


def ask_when_due(state: EngineState) -> None:
    """Ask when an answer is overdue or wanted again, and while trading every account_interval_ns."""
    due_ns, interval_ns = state.account_due_ns, state.settings.account_interval_ns
    if not due_ns and interval_ns and (state.mode is Mode.TRADING or state.mode is Mode.REDUCING):
        due_ns = state.account_next_ns
    if 0 < due_ns <= state.now_ns and state.mode is not Mode.STOPPING:
        ask_account(state)


def account_reported(state: EngineState, fact: AccountReported) -> None:
    """Compare the venue's statement with the book; an empty book opens with it."""
    state.account_due_ns, state.account_next_ns = 0, state.now_ns + state.settings.account_interval_ns
    agreement, book = state.agreement, state.book
    opening = book.book_opening(fact)
    if opening is not None:
        state.notices.append(TransactionPosted(opening, ts_ns=state.now_ns))
    if fact.ts_event_ns < agreement.newest_ns:
        _outdated(state, fact)
        return
    agreement.newest_ns = fact.ts_event_ns
    strange = tuple(one for one in fact.positions if one[0] not in state.instruments)
    if strange:
        fact = structs.replace(fact, positions=tuple(one for one in fact.positions if one not in strange))
    cash, positions = book.difference(fact)
    positions += tuple((symbol, lots) for symbol, lots, _ in strange)
    if not cash and not positions:
        _agreed(state, fact)
    elif not agreement.is_pending or (agreement.cash, agreement.positions) != (cash, positions):
        _wait_for_another(state, cash, positions)
    elif strange:
        state.account_due_ns = state.now_ns + ACCOUNT_PATIENCE_NS
    else:
        _book(state, fact)


def _outdated(state: EngineState, fact: AccountReported) -> None:
    """Say that a statement proves nothing, and ask for another."""
    detail = f"of {fact.ts_event_ns}, the newest fact is of {state.agreement.newest_ns}"
    state.notices.append(FactNoted(NO_ORDER, Reason.STATEMENT_OUTDATED, detail, ts_ns=state.now_ns))
    _ask_later(state)


def _agreed(state: EngineState, fact: AccountReported) -> None:
    agreement = state.agreement
    state.fill_chain.begin_anew(fact.ts_event_ns)
    was_pending, agreement.is_pending = agreement.is_pending, False
    if was_pending and not agreement.is_booked:
        _settle(state, Reason.STATEMENT_AGREES)
    elif state.mode is Mode.RECONCILING and not agreement.is_blocking:
        state.move_mode(ModeTrigger.RECONCILE)


def _wait_for_another(state: EngineState, cash: Money, positions: tuple[tuple[str, int], ...]) -> None:
    """Block new risk and ask for a second statement."""
    agreement = state.agreement
    agreement.is_blocking = agreement.is_pending = True
    agreement.cash, agreement.positions = cash, positions
    detail = _in_words(state)
    _tell(state, detail, is_booked=False)
    if state.mode in MODE_RULES[ModeTrigger.REDUCE]:
        state.move_mode(ModeTrigger.REDUCE, Reason.UNEXPLAINED, detail)
        cancel_risk(state, Reason.UNEXPLAINED)
    _ask_later(state)


def _book(state: EngineState, fact: AccountReported) -> None:
    """Take a confirmed difference into the book, as unexplained."""
    outside = state.book.transfers + state.book.unexplained
    transaction = state.book.book_discrepancy(fact)
    if transaction is None:
        _outdated(state, fact)
        return
    state.notices.append(TransactionPosted(transaction, ts_ns=state.now_ns))
    _tell(state, _in_words(state), is_booked=True)
    state.agreement.is_pending, state.agreement.is_booked = False, True
    state.fill_chain.begin_anew(fact.ts_event_ns)
    booked(state, fact.ts_event_ns, outside)


def booked(state: EngineState, ts_event_ns: int, outside_before: int) -> None:
    """Take note that a fact of the venue was booked, and see whether it explains what nobody could.

    Units: outside_before is transfers plus unexplained, in Money, before the booking.
    """
    agreement, book = state.agreement, state.book
    agreement.newest_ns = max(agreement.newest_ns, ts_event_ns)
    brought = book.transfers + book.unexplained - outside_before
    if brought:
        state.drawdown.transfer(Money(brought))
        if state.equity_marked:
            state.equity_marked += brought
    if agreement.is_booked and not book.unexplained and not book.unexplained_lots:
        agreement.is_booked = False
        if not agreement.is_pending:
            _settle(state, Reason.EXPLAINED)


def operator_acknowledged(state: EngineState, fact: OperatorAcknowledged) -> None:
    """A person takes on what nobody can explain; only what a second statement confirmed can be taken on."""
    agreement = state.agreement
    if agreement.is_booked and not agreement.is_pending:
        _settle(state, Reason.ACKNOWLEDGED, fact.detail)
        return
    detail = (
        "a second statement that confirms the difference is still awaited"
        if agreement.is_blocking
        else "there is nothing unexplained to acknowledge"
    )
    state.notices.append(FactNoted(NO_ORDER, Reason.NOTHING_TO_ACKNOWLEDGE, detail, ts_ns=state.now_ns))


def _settle(state: EngineState, reason: Reason, detail: str = "") -> None:
    """End the block and go on where nothing else stands in the way."""
    agreement = state.agreement
    agreement.is_blocking = agreement.is_booked = agreement.is_pending = False
    agreement.cash, agreement.positions = Money(0), ()
    state.notices.append(DiscrepancyClosed(reason, detail, ts_ns=state.now_ns))
    if state.mode is Mode.REDUCING and not state.is_blocked:
        state.move_mode(ModeTrigger.RECOVER, reason, detail)
    elif state.mode is Mode.RECONCILING and not state.account_due_ns:
        state.move_mode(ModeTrigger.RECONCILE, reason, detail)


def _tell(state: EngineState, detail: str, *, is_booked: bool) -> None:
    agreement = state.agreement
    state.notices.append(
        DiscrepancyFound(
            cash=agreement.cash,
            positions=agreement.positions,
            is_booked=is_booked,
            detail=detail,
            ts_ns=state.now_ns,
        )
    )


def _in_words(state: EngineState) -> str:
    """Return the difference, the venue less our book, as a person reads it."""
    agreement, instruments = state.agreement, state.instruments
    parts = [f"cash {format_money(agreement.cash)}"]
    for symbol, lots in agreement.positions:
        decimals = instruments[symbol].size_decimals if symbol in instruments else 0
        parts.append(f"{symbol} {format_scaled(lots, decimals)}")
    return f"venue less book: {', '.join(parts)}"
