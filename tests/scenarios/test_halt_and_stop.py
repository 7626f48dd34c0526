"""Halts, stops and ledger trouble that meet each other: what was promised by one is not forgotten by the other."""

from domain.commands import CancelOrder, PlaceOrder, QueryAccount, WakeAt
from domain.events import (
    LedgerCaughtUp,
    LedgerFellBehind,
    MarkChanged,
    OperatorHalted,
    OperatorPaused,
    OperatorResumed,
    OrderFilled,
    StopRequested,
    TimerFired,
)
from domain.modes import Mode
from domain.order import Side
from domain.reasons import Reason
from engine.machine import Engine
from engine.timers import PULSE
from tests.builders import (
    Scripted,
    accepted,
    at,
    canceled,
    fill,
    lots,
    price,
    quotes,
    rejected,
    reported,
    settings,
    started,
    top,
    trading_engine,
    usd,
    want,
)
from tests.playbook import Playbook

BID = quotes(("99999", "0.002"), None)
BOTH = quotes(("99999", "0.002"), ("100002", "0.002"))


def pulse(seconds: float) -> TimerFired:
    """Return the pulse at a time."""
    return TimerFired(PULSE, ts_event_ns=at(seconds), ts_recv_ns=at(seconds))


def holding() -> Playbook:
    """Return an engine that bought 0.002 BTC and wants nothing more."""
    play = Playbook(trading_engine(BID)) >> top("100000", "100001", at(1)) << [PlaceOrder] >> accepted(1, at(1.1)) << []
    want(play.engine, None)
    return play >> fill(1, Side.BUY, "99999", "0.002", at(2)) << []


def closing(ts_ns: int) -> OrderFilled:
    """Return the fill of order 3 that closes what `holding` holds."""
    return fill(3, Side.SELL, "100000", "0.002", ts_ns, trade_id=2, start="0.002")


def test_flatten_is_tried_again_at_every_pulse_until_the_position_is_closed() -> None:
    play = holding() >> OperatorHalted("out", True, ts_event_ns=at(3), ts_recv_ns=at(3)) << [PlaceOrder]

    play >> rejected(2, at(3.1), Reason.VENUE_IOC) << [] >> top("100000", "100001", at(3.5)) << []
    play >> pulse(4) << [PlaceOrder] >> pulse(4.5) << []
    play >> accepted(3, at(4.6)) << [] >> closing(at(4.6)) << []

    play >> pulse(5) << []
    assert play.engine.state.book.position_lots("BTC") == 0


def test_no_order_leaves_after_the_stop_even_when_the_kill_switch_wanted_to_flatten() -> None:
    play = holding() >> OperatorHalted("out", True, ts_event_ns=at(3), ts_recv_ns=at(3)) << [PlaceOrder]
    play >> rejected(2, at(3.1), Reason.VENUE_IOC) << []

    play >> StopRequested("end of data", ts_event_ns=at(3.2), ts_recv_ns=at(3.2)) << [] >> pulse(3.2) << []
    play >> OperatorHalted("again", True, ts_event_ns=at(3.3), ts_recv_ns=at(3.3)) << []

    assert play.engine.state.is_done
    assert play.engine.state.book.position_lots("BTC") == lots("0.002")


def test_flatten_may_use_the_requests_kept_back_from_quotes() -> None:
    play = Playbook(trading_engine(None, requests_initial=100))
    play >> top("100000", "100001", at(1)) << [] >> fill(0, Side.BUY, "100000", "0.002", at(2)) << []
    play.engine.state.budget.spend(play.engine.state.budget.left_for_orders)

    play >> OperatorHalted("out", True, ts_event_ns=at(3), ts_recv_ns=at(3)) << [PlaceOrder]


def test_ledger_that_fell_behind_during_a_pause_still_counts_after_it() -> None:
    play = Playbook(trading_engine(BOTH)) >> top("100000", "100001", at(1)) << [PlaceOrder, PlaceOrder]
    play >> accepted(1, at(1.1)) << [] >> accepted(2, at(1.1)) << []
    play >> OperatorPaused("maintenance", ts_event_ns=at(2), ts_recv_ns=at(2)) << [CancelOrder, CancelOrder]
    play >> canceled(1, at(2.1)) << [] >> canceled(2, at(2.1)) << []

    play >> LedgerFellBehind(9, ts_event_ns=at(3), ts_recv_ns=at(3)) << []
    play >> OperatorResumed("done", ts_event_ns=at(4), ts_recv_ns=at(4)) << []

    assert play.engine.state.mode is Mode.REDUCING
    play >> top("100000", "100001", at(5)) << []
    play >> LedgerCaughtUp(ts_event_ns=at(6), ts_recv_ns=at(6)) << []
    assert play.engine.state.mode is Mode.TRADING
    play >> top("100000", "100001", at(7)) << [PlaceOrder, PlaceOrder]


def test_ledger_that_fell_behind_before_the_account_was_known_still_counts_after_it() -> None:
    engine = Engine(settings(), Scripted(BOTH))
    play = Playbook(engine) >> started() << [QueryAccount]
    play >> LedgerFellBehind(9, ts_event_ns=at(0.1), ts_recv_ns=at(0.1)) << [] >> reported(ts_ns=at(0.2)) << []

    assert engine.state.mode is Mode.REDUCING
    assert Engine(settings(), Scripted(BOTH)).state.is_ledger_behind is False


def test_account_is_asked_for_again_when_nobody_answers() -> None:
    play = Playbook(Engine(settings(), Scripted(BOTH))) >> started() << [QueryAccount] >> pulse(29) << []

    play >> pulse(30) << [QueryAccount] >> pulse(31) << []


def test_mark_that_falls_while_the_book_is_silent_still_stops_the_bot() -> None:
    play = holding()
    engine = play.engine
    play >> fill(0, Side.BUY, "100000", "0.1", at(2.1), trade_id=2, start="0.002") << []
    due = play_pulses(play, at(3), at(4_000))
    fallen = MarkChanged("BTC", price("80000"), price("80000"), ts_event_ns=at(4_001), ts_recv_ns=at(4_001))
    wakes = [command.ts_wake_ns for command in engine.step(fallen).commands if isinstance(command, WakeAt)]

    play_pulses(play, min([due, *wakes]), at(4_010))

    assert engine.state.mode is Mode.HALTED


def play_pulses(play: Playbook, due_ns: int, until_ns: int) -> int:
    """Let the pulse come whenever it asked for, until a time; return when the next is due."""
    while due_ns <= until_ns:
        outcome = play.engine.step(TimerFired(PULSE, ts_event_ns=due_ns, ts_recv_ns=due_ns))
        (due_ns,) = [command.ts_wake_ns for command in outcome.commands if isinstance(command, WakeAt)]
    return due_ns


def test_pulse_before_the_account_is_known_does_not_blind_the_daily_loss() -> None:
    engine = Engine(settings(), Scripted())
    play = Playbook(engine) >> started() << [QueryAccount] >> top("100000", "100001", at(0.5)) << [] >> pulse(1) << []
    play >> reported("10000", at(1.5)) << [] >> pulse(2) << []
    play >> fill(0, Side.BUY, "100000", "0.1", at(2.1)) << []

    play >> top("95000", "95001", at(3)) << [] >> pulse(3.1) << []

    assert engine.state.drawdown.loss_today > usd("400")
    assert engine.state.mode is Mode.HALTED
