"""Whether the venue's statements and our book agree, and what holds while they do not.

The first statement that differs blocks new risk and is asked for again, for a fact may be on its way. A second one with
the same difference is booked as unexplained, with the numbers as evidence; another difference starts over. The block
ends when a statement agrees before anything was booked, when late facts explain all that was, or when a person
acknowledges it. What was acknowledged is the base that later differences are measured from.

A position in an instrument this bot does not trade cannot be booked: it blocks for as long as it is there.

Laws: a statement from before a fact that is booked already is never compared; nothing unexplained is booked on one
statement alone, nor on two answers to overlapping questions; while blocked nothing but what reduces a position rests or
leaves; so it is when no statement could be compared for too long; unexplained money is neither profit nor loss.
"""

from typing import Final, NamedTuple

from msgspec import structs

from domain.commands import QueryAccount
from domain.events import AccountReported, OperatorAcknowledged
from domain.identifiers import NO_ORDER
from domain.modes import MODE_RULES, Mode, ModeTrigger
from domain.notices import DiscrepancyClosed, DiscrepancyFound, FactNoted, TransactionPosted
from domain.reasons import Reason
from domain.units import NS_PER_SECOND, Money, format_money, format_scaled
from engine.quoting import cancel_risk
from engine.state import EngineState, MoneyFact

ACCOUNT_PATIENCE_NS: Final = 30 * NS_PER_SECOND
"""After so long without an answer the account is asked for again."""

OVERDUE_INTERVALS: Final = 3
"""So many times account_interval_ns without a comparison, and no new risk is taken."""

Changes = tuple[tuple[str, int], ...]
"""(symbol, signed lots), sorted, zeros left out."""


# Asking.


def ask_account(state: EngineState) -> None:
    """Ask for the account now, and again later should nobody answer."""
    agreement, now_ns = state.agreement, state.now_ns
    agreement.is_asked, agreement.asked_ns = True, now_ns
    agreement.doubted_ns = agreement.doubted_ns or now_ns
    state.account_due_ns = now_ns + ACCOUNT_PATIENCE_NS
    state.commands.append(QueryAccount(ts_ns=now_ns))


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


def watch_overdue(state: EngineState) -> None:
    """Block new risk when no statement could be compared for too long, although one was asked for or came."""
    agreement, interval_ns, now_ns = state.agreement, state.settings.account_interval_ns, state.now_ns
    if agreement.is_overdue or not interval_ns or not agreement.doubted_ns:
        return
    age_ns = now_ns - agreement.compared_ns
    if age_ns < OVERDUE_INTERVALS * interval_ns or now_ns - agreement.doubted_ns < interval_ns:
        return
    if state.mode in MODE_RULES[ModeTrigger.REDUCE]:
        agreement.is_overdue = True
        detail = f"the last comparison was {age_ns // NS_PER_SECOND} s ago"
        state.move_mode(ModeTrigger.REDUCE, Reason.STATEMENT_OVERDUE, detail)
        cancel_risk(state, state.block_reason)


# Comparing.


def compare(state: EngineState, fact: AccountReported) -> None:
    """Compare the venue's statement with the book; an empty book opens with it."""
    agreement = state.agreement
    agreement.is_asked = False
    state.account_due_ns, state.account_next_ns = 0, state.now_ns + state.settings.account_interval_ns
    strange = tuple((symbol, lots) for symbol, lots, _ in fact.positions if lots and symbol not in state.instruments)
    ours = tuple(one for one in fact.positions if one[1] and one[0] in state.instruments)
    fact = structs.replace(fact, positions=ours)
    opening = state.book.book_opening(fact)
    if opening is not None:
        state.notices.append(TransactionPosted(opening, ts_ns=state.now_ns))
    if fact.ts_event_ns < agreement.newest_ns:
        _outdated(state, f"of {fact.ts_event_ns}, the newest fact is of {agreement.newest_ns}")
        agreement.doubted_ns = agreement.doubted_ns or state.now_ns
        watch_overdue(state)
    else:
        _compare(state, fact, strange)
    if state.mode is Mode.RECONCILING and not state.account_due_ns:
        state.account_due_ns = state.now_ns + ACCOUNT_PATIENCE_NS


def _compare(state: EngineState, fact: AccountReported, strange: Changes) -> None:
    agreement = state.agreement
    agreement.newest_ns = max(agreement.newest_ns, min(fact.ts_event_ns, fact.ts_recv_ns))
    agreement.compared_ns, agreement.doubted_ns, agreement.is_overdue = state.now_ns, 0, False
    cash, positions = state.book.difference(fact)
    positions = tuple(sorted(positions + strange))
    if not cash and not positions:
        _agreed(state, fact)
    elif not agreement.is_pending or (agreement.cash, agreement.positions) != (cash, positions):
        _wait_for_another(state, fact, cash, positions)
    elif strange:
        state.account_due_ns = state.now_ns + ACCOUNT_PATIENCE_NS
    elif _is_second(state, fact):
        _book(state, fact)
    else:
        _ask_later(state)


def _outdated(state: EngineState, detail: str) -> None:
    """Say that a statement proves nothing, and ask for another."""
    state.notices.append(FactNoted(NO_ORDER, Reason.STATEMENT_OUTDATED, detail, ts_ns=state.now_ns))
    _ask_later(state)


def _is_second(state: EngineState, fact: AccountReported) -> bool:
    """Say whether a statement is another than the one that waits: a pulse younger, at the venue and here.

    Where the venue's time stands still, one that was asked for after the first had come.
    """
    agreement, pulse_ns = state.agreement, state.settings.pulse_interval_ns
    younger_ns = fact.ts_event_ns - agreement.told_ns
    is_other = younger_ns >= pulse_ns or (younger_ns == 0 and agreement.asked_ns > agreement.told_recv_ns)
    return is_other and state.now_ns - agreement.told_recv_ns >= pulse_ns


def _agreed(state: EngineState, fact: AccountReported) -> None:
    agreement = state.agreement
    state.fill_chain.begin_anew(fact.ts_event_ns)
    was_pending = agreement.is_pending
    _forget_pending(state)
    reason = Reason.NONE
    if was_pending and not agreement.is_booked:
        reason = Reason.STATEMENT_AGREES
        _settle(state, reason)
    if state.mode is Mode.REDUCING and not state.is_blocked:
        state.move_mode(ModeTrigger.RECOVER, Reason.STATEMENT_AGREES)
    elif state.mode is Mode.RECONCILING and not agreement.is_blocking:
        if _is_fresh(state, fact):
            state.move_mode(ModeTrigger.RECONCILE, reason)
        else:
            _outdated(state, f"of {fact.ts_event_ns}, the bot was resumed at {agreement.resumed_ns}")


def _is_fresh(state: EngineState, fact: AccountReported) -> bool:
    """Say whether a statement was asked for after the last resume.

    Its own time says so; or, as the venue's clock may be behind ours, the question did after another answer had come.
    """
    agreement = state.agreement
    if fact.ts_event_ns >= agreement.resumed_ns or 0 < agreement.unfresh_ns < agreement.asked_ns:
        agreement.resumed_ns = agreement.unfresh_ns = 0
        return True
    agreement.unfresh_ns = agreement.unfresh_ns or state.now_ns
    return False


def _wait_for_another(state: EngineState, fact: AccountReported, cash: Money, positions: Changes) -> None:
    """Block new risk and ask for a second statement."""
    agreement = state.agreement
    agreement.is_blocking = agreement.is_pending = True
    agreement.cash, agreement.positions = cash, positions
    agreement.told_ns, agreement.told_recv_ns = fact.ts_event_ns, state.now_ns
    detail = _in_words(state)
    _tell(state, detail, is_booked=False)
    if state.mode in MODE_RULES[ModeTrigger.REDUCE]:
        state.move_mode(ModeTrigger.REDUCE, Reason.UNEXPLAINED, detail)
        cancel_risk(state, Reason.UNEXPLAINED)
    _ask_later(state)


def _book(state: EngineState, fact: AccountReported) -> None:
    """Take a confirmed difference into the book, as unexplained."""
    agreement, before = state.agreement, before_booking(state)
    transaction = state.book.book_discrepancy(fact)
    if transaction is None:
        _outdated(state, f"of {fact.ts_event_ns}, the newest fact is of {state.book.latest_ns}")
        return
    state.notices.append(TransactionPosted(transaction, ts_ns=state.now_ns))
    _tell(state, _in_words(state), is_booked=True)
    _forget_pending(state)
    agreement.is_booked, agreement.booked_ns = True, fact.ts_event_ns
    state.fill_chain.begin_anew(fact.ts_event_ns)
    _count_as_brought(state, before)
    _close_if_explained(state)


# Explaining.


class Before(NamedTuple):
    """The book before a booking. Units: Money; lots are the signed position of the symbol.

    outside is transfers plus unexplained; unexplained_lots are only looked at while a difference stands as unexplained.
    """

    symbol: str
    lots: int
    cash: int
    outside: int
    unexplained: int
    unexplained_lots: dict[str, int]


def before_booking(state: EngineState, symbol: str = "") -> Before:
    """Return what `booked` needs to know of the book before a fact, of this instrument, is booked."""
    book = state.book
    unexplained = book.unexplained
    lots = book.unexplained_lots if state.agreement.is_booked else {}
    return Before(symbol, book.position_lots(symbol), book.cash, book.transfers + unexplained, unexplained, lots)


def booked(state: EngineState, fact: MoneyFact, before: Before) -> None:
    """Take note that a fact of the venue was booked, and see whether it explains what nobody could.

    A fact that bears a time ahead of ours outdates no statement.
    """
    agreement = state.agreement
    agreement.newest_ns = max(agreement.newest_ns, min(fact.ts_event_ns, fact.ts_recv_ns))
    _count_as_brought(state, before)
    if fact.ts_event_ns <= agreement.booked_ns:
        _explain_booked(state, fact.ts_event_ns, before)
    if agreement.is_pending and fact.ts_event_ns <= agreement.told_ns:
        _explain_pending(state, before)


def _count_as_brought(state: EngineState, before: Before) -> None:
    """Let money that came or left, known or unexplained, be neither profit nor loss."""
    brought = state.book.transfers + state.book.unexplained - before.outside
    if brought:
        state.drawdown.transfer(Money(brought))
        if state.equity_marked:
            state.equity_marked += brought


def _explain_booked(state: EngineState, ts_event_ns: int, before: Before) -> None:
    """Let a late fact explain what was booked: what is settled already moves the base, the rest comes nearer to it."""
    agreement, book = state.agreement, state.book
    if not agreement.is_booked:
        _take_as_base(state)
        return
    if ts_event_ns <= agreement.settled_ns:
        agreement.taken_cash = Money(agreement.taken_cash + book.unexplained - before.unexplained)
        change = _less(book.unexplained_lots, before.unexplained_lots)
        agreement.taken_lots = _less(agreement.taken_lots, {symbol: -lots for symbol, lots in change.items()})
    _close_if_explained(state)


def _close_if_explained(state: EngineState) -> None:
    """End what was booked when nothing is unexplained but what was before."""
    agreement, book = state.agreement, state.book
    if (agreement.taken_cash, agreement.taken_lots) != (book.unexplained, book.unexplained_lots):
        return
    agreement.is_booked, agreement.settled_ns = False, agreement.booked_ns
    if not agreement.is_pending:
        _settle(state, Reason.EXPLAINED)


def _explain_pending(state: EngineState, before: Before) -> None:
    """Take a fact which the statement that waits holds already out of its difference; without one it is settled."""
    agreement, book = state.agreement, state.book
    agreement.cash = Money(agreement.cash - (book.cash - before.cash))
    change = book.position_lots(before.symbol) - before.lots
    agreement.positions = tuple(sorted(_less(dict(agreement.positions), {before.symbol: change}).items()))
    if agreement.cash or agreement.positions:
        return
    _forget_pending(state)
    if not agreement.is_booked:
        _settle(state, Reason.EXPLAINED)


def _less(lots: dict[str, int], others: dict[str, int]) -> dict[str, int]:
    """Return lots less others by symbol, zeros left out."""
    left = {symbol: lots.get(symbol, 0) - others.get(symbol, 0) for symbol in lots.keys() | others.keys()}
    return {symbol: left[symbol] for symbol in sorted(left) if left[symbol]}


# Settling.


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
    """End the block and go on where nothing else stands in the way.

    While reconciling only a statement opens trading: without one just compared, the account is asked for.
    """
    agreement = state.agreement
    agreement.is_blocking = agreement.is_booked = False
    agreement.settled_ns = agreement.booked_ns
    _take_as_base(state)
    state.notices.append(DiscrepancyClosed(reason, detail, ts_ns=state.now_ns))
    if state.mode is Mode.REDUCING and not state.is_blocked:
        state.move_mode(ModeTrigger.RECOVER, reason, detail)
    elif state.mode is Mode.RECONCILING and reason is not Reason.STATEMENT_AGREES and not agreement.is_asked:
        ask_account(state)


def _take_as_base(state: EngineState) -> None:
    """Measure from what is unexplained now on."""
    state.agreement.taken_cash, state.agreement.taken_lots = state.book.unexplained, state.book.unexplained_lots


def _forget_pending(state: EngineState) -> None:
    agreement = state.agreement
    agreement.is_pending, agreement.cash, agreement.positions = False, Money(0), ()


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
