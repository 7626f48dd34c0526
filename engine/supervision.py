"""The pulse and the operators: staleness, timeouts, marks, breakers, kill switch, pause, stop.

The pulse is a timer like any other, so it comes at the same moments live and in a backtest.
"""

from typing import Final

from domain.commands import WakeAt
from domain.errors import IllegalTransition
from domain.events import (
    LedgerCaughtUp,
    LedgerFellBehind,
    OperatorHalted,
    OperatorPaused,
    OperatorResumed,
    RunStarted,
    StopRequested,
)
from domain.identifiers import NO_ORDER
from domain.lifecycle import WORKING
from domain.modes import MODE_RULES, Mode, ModeTrigger
from domain.notices import AccountMarked, FactNoted, KillSwitchEngaged, KillSwitchReset, LimitWarned
from domain.reasons import Reason
from domain.units import NS_PER_SECOND, Money, Rate
from engine.agreement import ask_account, ask_when_due, watch_overdue
from engine.quoting import cancel, cancel_all, cancel_risk, flatten, quote
from engine.reactions import ask_fate, doubt
from engine.state import EngineState
from engine.timers import PULSE
from risk.breakers import evaluate
from router.recovery import inquiries

NOTHING_RESTS: Final = {
    Mode.HALTED: Reason.CANCELED_HALT,
    Mode.PAUSED: Reason.NOT_WANTED,
    Mode.STOPPING: Reason.CANCELED_SHUTDOWN,
}
"""Modes in which no quote may rest, and why it is canceled there."""


SILENT_PULSE_NS_MAX = 900 * NS_PER_SECOND


def run_started(state: EngineState, fact: RunStarted) -> None:
    """Ask for the account and start the pulse."""
    del fact
    state.move_mode(ModeTrigger.START)
    ask_account(state)
    _ask_pulse(state)


def _ask_pulse(state: EngineState) -> None:
    state.commands.append(WakeAt(state.now_ns + state.pulse_interval_ns, PULSE, ts_ns=state.now_ns))


def _slow_down(state: EngineState) -> None:
    """While every market is silent, nothing of ours is live and no statement differs, look ever more rarely."""
    age_ns_max = state.settings.limits.market_data_age_ns_max
    is_silent = all(market.is_stale(state.now_ns, age_ns_max) for market in state.markets.values())
    is_waiting = state.orders.open_count > 0 or state.agreement.is_pending
    if is_silent and not is_waiting and not state.kill_switch.flatten:
        state.pulse_interval_ns = max(
            min(2 * state.pulse_interval_ns, SILENT_PULSE_NS_MAX), state.settings.pulse_interval_ns
        )


def rouse(state: EngineState) -> None:
    """A market speaks again, or only its mark: pulse at the usual interval from here on."""
    state.pulse_interval_ns = state.settings.pulse_interval_ns
    _ask_pulse(state)


def pulse(state: EngineState) -> None:
    """Look at everything that changes by time alone."""
    _slow_down(state)
    _ask_pulse(state)
    _pull_stale_quotes(state)
    _pull_leftovers(state)
    _doubt_the_unanswered(state)
    watch_overdue(state)
    ask_when_due(state)
    if state.book.transaction_count:
        mark_account(state)
    if state.kill_switch.is_engaged and state.kill_switch.flatten and state.mode is not Mode.STOPPING:
        flatten(state)
    for market in state.markets.values():
        quote(state, market)


def _pull_stale_quotes(state: EngineState) -> None:
    age_ns_max = state.settings.limits.market_data_age_ns_max
    for symbol, market in state.markets.items():
        if state.orders.live(symbol) and market.is_stale(state.now_ns, age_ns_max):
            cancel_all(state, Reason.CANCELED_STALE_DATA, symbol)


def _pull_leftovers(state: EngineState) -> None:
    """Cancel again what rests although it should not: the first cancel was refused, lost, or met a doubt."""
    if state.mode is Mode.REDUCING:
        cancel_risk(state, state.block_reason)
        return
    reason = NOTHING_RESTS.get(state.mode)
    if reason is None:
        return
    for order in state.orders.every_live():
        if order.state in WORKING and not order.reduce_only:
            cancel(state, order, reason)


def _doubt_the_unanswered(state: EngineState) -> None:
    for inquiry in inquiries(state.orders.every_live(), state.now_ns, state.settings.recovery):
        order = state.orders.find(inquiry.client_order_id)
        if order is not None:
            if inquiry.is_overdue:
                doubt(state, order)
            ask_fate(state, order, inquiry.attempt)


def mark_account(state: EngineState) -> None:
    """Mark the account, watch the breakers, tell."""
    book, now_ns = state.book, state.now_ns
    totals = book.totals(state.marks)
    if state.equity_marked:
        state.value_at_risk.add(Money(totals.equity - state.equity_marked))
        state.var_marked = state.value_at_risk.estimate()
    state.equity_marked = totals.equity
    state.drawdown.update(totals.equity, now_ns)
    account = state.account()
    positions = tuple(
        (symbol, lots, book.position_cost(symbol), book.totals_of(symbol, state.marks).unrealized)
        for symbol, lots in sorted(book.open_positions().items())
        if lots
    )
    ratio = state.exposures.margin_ratio(totals.equity)
    state.notices.append(
        AccountMarked(
            equity=totals.equity,
            cash=book.cash,
            realized=totals.realized,
            unrealized=totals.unrealized,
            funding=totals.funding,
            fees=totals.fees,
            rebates=totals.rebates,
            slippage=totals.slippage,
            net=totals.net,
            transfers=book.transfers,
            unexplained=book.unexplained,
            drawdown=state.drawdown.drawdown,
            drawdown_max=state.drawdown.drawdown_max,
            exposure=account.exposure,
            margin_used=account.margin_used,
            margin_ratio=ratio,
            value_at_risk=state.var_marked,
            position_count=len(positions),
            open_orders=state.orders.open_count,
            positions=positions,
            liquidation=totals.liquidation,
            ts_ns=now_ns,
        )
    )
    _watch_breakers(state, ratio)


def _watch_breakers(state: EngineState, ratio: Rate) -> None:
    if state.mode in {Mode.STARTING, Mode.RECONCILING}:
        return
    breaches = evaluate(state.settings.limits, state.account(), margin_ratio=ratio, value_at_risk=state.var_marked)
    for breach in breaches:
        if breach.is_stop:
            engage(state, breach.reason, breach.detail, breach.limit, breach.observed)
        elif breach.reason not in state.warned:
            state.warned.add(breach.reason)
            state.notices.append(LimitWarned(breach.reason, breach.limit, breach.observed, ts_ns=state.now_ns))
    state.warned &= {breach.reason for breach in breaches}


def engage(state: EngineState, reason: Reason, detail: str, limit: int = 0, observed: int = 0) -> None:
    """Latch the kill switch: no new orders, everything canceled, flat if so configured."""
    if state.mode is Mode.STOPPING:
        return
    flat = state.settings.flatten_on_halt or state.kill_switch.flatten
    if state.kill_switch.engage(reason, detail, flatten=flat):
        state.notices.append(KillSwitchEngaged(reason, detail, limit, observed, ts_ns=state.now_ns))
        state.move_mode(ModeTrigger.HALT, reason, detail)
        cancel_all(state, Reason.CANCELED_HALT)


def operator_halted(state: EngineState, fact: OperatorHalted) -> None:
    """A person pulled the kill switch."""
    if state.kill_switch.engage(Reason.HALTED_BY_OPERATOR, fact.detail, flatten=fact.flatten):
        state.notices.append(KillSwitchEngaged(Reason.HALTED_BY_OPERATOR, fact.detail, ts_ns=state.now_ns))
    state.move_mode(ModeTrigger.HALT, Reason.HALTED_BY_OPERATOR, fact.detail)
    cancel_all(state, Reason.CANCELED_HALT)
    if fact.flatten and state.mode is not Mode.STOPPING:
        flatten(state)


def operator_paused(state: EngineState, fact: OperatorPaused) -> None:
    """Maintenance: cancel everything and wait. Only from trading or reducing; otherwise noted and ignored."""
    if state.mode not in MODE_RULES[ModeTrigger.PAUSE]:
        _decline(state, ModeTrigger.PAUSE)
        return
    state.move_mode(ModeTrigger.PAUSE, detail=fact.detail)
    cancel_all(state, Reason.NOT_WANTED)


def operator_resumed(state: EngineState, fact: OperatorResumed) -> None:
    """A person ends a pause or resets the kill switch."""
    if state.mode not in MODE_RULES[ModeTrigger.RESUME]:
        _decline(state, ModeTrigger.RESUME)
        return
    if state.kill_switch.is_engaged:
        state.kill_switch.reset(fact.detail)
        state.drawdown.rebase()
        state.notices.append(KillSwitchReset(fact.detail, ts_ns=state.now_ns))
    state.move_mode(ModeTrigger.RESUME, detail=fact.detail)
    if state.mode is Mode.RECONCILING:
        state.agreement.resumed_ns, state.agreement.unfresh_ns = state.now_ns, 0
        ask_account(state)


def _decline(state: EngineState, trigger: ModeTrigger) -> None:
    detail = str(IllegalTransition("mode", state.mode.label, trigger.label))
    state.notices.append(FactNoted(NO_ORDER, Reason.MODE_FORBIDS, detail, ts_ns=state.now_ns))


def ledger_fell_behind(state: EngineState, fact: LedgerFellBehind) -> None:
    """What is traded must be booked: add no risk until the SQL ledger keeps up, in whatever mode we hear of it."""
    state.is_ledger_behind = True
    if state.mode in MODE_RULES[ModeTrigger.REDUCE]:
        state.move_mode(ModeTrigger.REDUCE, Reason.LEDGER_BEHIND, f"{fact.backlog} notices are not stored yet")
        cancel_all(state, Reason.LEDGER_BEHIND)


def ledger_caught_up(state: EngineState, fact: LedgerCaughtUp) -> None:
    """Trade as before, unless something else is in the way."""
    del fact
    state.is_ledger_behind = False
    if state.mode in MODE_RULES[ModeTrigger.RECOVER] and not state.is_blocked:
        state.move_mode(ModeTrigger.RECOVER)


def stop_requested(state: EngineState, fact: StopRequested) -> None:
    """Stop quoting and cancel everything; the driver ends when nothing is live any more."""
    state.move_mode(ModeTrigger.STOP, detail=fact.detail)
    cancel_all(state, Reason.CANCELED_SHUTDOWN)
