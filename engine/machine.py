"""The machine: one deterministic function from facts to wishes.

`step` never waits, never reads a clock, never logs, and never raises for something the world did. Live, paper and
backtest are this one class with different answerers.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from domain.commands import Command
from domain.errors import InvariantBroken
from domain.events import (
    AccountReported,
    BookChanged,
    CancelRefused,
    Event,
    FeedLost,
    FeedRestored,
    FundingPaid,
    LedgerCaughtUp,
    LedgerFellBehind,
    MarkChanged,
    MarketDataRefused,
    OperatorAcknowledged,
    OperatorHalted,
    OperatorPaused,
    OperatorResumed,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderStatusReported,
    ReplaceRefused,
    RunStarted,
    StopRequested,
    TimerFired,
    TopOfBookChanged,
    TradePrinted,
    TransferBooked,
)
from domain.notices import MarketDataSkipped, Notice
from domain.reasons import Reason
from engine import agreement, reactions, supervision
from engine.market import Market
from engine.quoting import cancel_all, look
from engine.settings import EngineSettings
from engine.state import Around, EngineState, untimed
from engine.strategy import Strategy
from engine.timers import PULSE


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What one fact led to: wishes for the venue and the clock, and what happened inside."""

    commands: tuple[Command, ...]
    notices: tuple[Notice, ...]


NOTHING = Outcome((), ())


class Engine:
    """The trading machine."""

    def __init__(self, settings: EngineSettings, strategy: Strategy, around: Around = untimed) -> None:
        """Build the engine; nothing happens before RunStarted.

        around(stage, function) may return a function that times the stages risk_calculation and api_validation.
        Raises: ConfigInvalid.
        """
        self.state = EngineState(settings.validated(), strategy, around)

    def step(self, event: Event) -> Outcome:
        """Take one fact and return what follows from it.

        Raises: InvariantBroken when our own books or tables contradict themselves; the caller stops the house.
        """
        state = self.state
        if event.ts_recv_ns >= state.now_ns:
            state.now_ns = event.ts_recv_ns
        else:
            self._note_time(event)
        if state.now_ns >= state.markouts.due_ns:
            state.notices.extend(
                state.markouts.take(state.markets, state.now_ns, state.settings.limits.market_data_age_ns_max)
            )
        react = REACTIONS.get(type(event))
        if react is None:
            raise InvariantBroken(f"no reaction to {type(event).__name__}")
        react(state, event)
        if not state.commands and not state.notices:
            return NOTHING
        outcome = Outcome(tuple(state.commands), tuple(state.notices))
        state.commands.clear()
        state.notices.clear()
        return outcome

    def _note_time(self, event: Event) -> None:
        state = self.state
        detail = f"{type(event).__name__} at {event.ts_recv_ns}, engine time is {state.now_ns}"
        state.notices.append(
            MarketDataSkipped(getattr(event, "symbol", ""), Reason.CLOCK_WENT_BACK, detail, ts_ns=state.now_ns)
        )


def _market_of(state: EngineState, symbol: str) -> Market | None:
    market = state.markets.get(symbol)
    if market is None:
        _skip(state, symbol, Reason.UNKNOWN_INSTRUMENT)
    return market


def _skip(state: EngineState, symbol: str, reason: Reason, detail: str = "") -> None:
    state.notices.append(MarketDataSkipped(symbol, reason, detail, ts_ns=state.now_ns))


def _top_changed(state: EngineState, fact: TopOfBookChanged) -> None:
    market = _market_of(state, fact.symbol)
    if market is not None:
        _market_moved(state, market, market.take_top(fact, state.now_ns))


def _book_changed(state: EngineState, fact: BookChanged) -> None:
    market = _market_of(state, fact.symbol)
    if market is not None:
        _market_moved(state, market, market.take_book(fact, state.now_ns))


def _market_moved(state: EngineState, market: Market, refused: Reason) -> None:
    """Mark, rouse and look at a market whose prices were taken; tell when they were not."""
    symbol = market.instrument.symbol
    if refused is not Reason.NONE:
        _skip(state, symbol, refused)
        return
    state.mark(symbol, market.reference_price)
    if state.pulse_interval_ns != state.settings.pulse_interval_ns:
        supervision.rouse(state)
    look(state, market)


def _trade_printed(state: EngineState, fact: TradePrinted) -> None:
    if fact.symbol in state.markets:
        state.strategy.saw_trade(fact)
    else:
        _skip(state, fact.symbol, Reason.UNKNOWN_INSTRUMENT)


def _mark_changed(state: EngineState, fact: MarkChanged) -> None:
    market = _market_of(state, fact.symbol)
    if market is None:
        return
    if fact.mark_price <= 0:
        _skip(state, fact.symbol, Reason.BOOK_INVALID_LEVEL, f"mark price {fact.mark_price}")
        return
    market.take_mark(fact, state.now_ns)
    state.mark(fact.symbol, market.reference_price)
    if state.pulse_interval_ns != state.settings.pulse_interval_ns:
        supervision.rouse(state)


def _feed_lost(state: EngineState, fact: FeedLost) -> None:
    """Without prices no quote may stand."""
    for symbol, market in state.markets.items():
        if fact.symbol in {"", symbol}:
            market.is_fed = False
            _skip(state, symbol, Reason.FEED_LOST, fact.detail)
            cancel_all(state, Reason.CANCELED_STALE_DATA, symbol)


def _feed_restored(state: EngineState, fact: FeedRestored) -> None:
    """Prices count again from the next book on, not before."""
    del state, fact


def _data_refused(state: EngineState, fact: MarketDataRefused) -> None:
    _skip(state, fact.symbol, fact.reason, fact.detail)


def _timer_fired(state: EngineState, fact: TimerFired) -> None:
    if fact.timer_id == PULSE:
        supervision.pulse(state)


REACTIONS: Mapping[type, Callable[[EngineState, Any], None]] = {
    TopOfBookChanged: _top_changed,
    BookChanged: _book_changed,
    TradePrinted: _trade_printed,
    MarkChanged: _mark_changed,
    FeedLost: _feed_lost,
    FeedRestored: _feed_restored,
    MarketDataRefused: _data_refused,
    OrderAccepted: reactions.accepted,
    OrderRejected: reactions.rejected,
    OrderFilled: reactions.filled,
    OrderCanceled: reactions.canceled,
    CancelRefused: reactions.cancel_refused,
    OrderReplaced: reactions.replaced,
    ReplaceRefused: reactions.replace_refused,
    OrderExpired: reactions.expired,
    OrderStatusReported: reactions.status_reported,
    FundingPaid: reactions.funding_paid,
    TransferBooked: reactions.transfer_booked,
    AccountReported: reactions.account_reported,
    RunStarted: supervision.run_started,
    OperatorHalted: supervision.operator_halted,
    OperatorPaused: supervision.operator_paused,
    OperatorAcknowledged: agreement.operator_acknowledged,
    OperatorResumed: supervision.operator_resumed,
    StopRequested: supervision.stop_requested,
    LedgerFellBehind: supervision.ledger_fell_behind,
    LedgerCaughtUp: supervision.ledger_caught_up,
    TimerFired: _timer_fired,
}
"""One reaction per member of Event; a test proves that none is missing."""
