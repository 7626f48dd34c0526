"""Supervision: staleness, kill switch, pause, stop, clocks, and what a snapshot keeps."""

import pytest

from domain.commands import CancelOrder, Command, PlaceOrder, QueryAccount, WakeAt
from domain.errors import ConfigInvalid, InvariantBroken
from domain.events import (
    AccountReported,
    BookChanged,
    FeedLost,
    FeedRestored,
    LedgerCaughtUp,
    LedgerFellBehind,
    MarkChanged,
    MarketDataRefused,
    OperatorHalted,
    OperatorPaused,
    OperatorResumed,
    StopRequested,
    TimerFired,
    TopOfBookChanged,
    TransferBooked,
)
from domain.modes import Mode
from domain.notices import AccountMarked, FactNoted, KillSwitchEngaged, KillSwitchReset, LimitWarned, MarketDataSkipped
from domain.order import Side, TimeInForce
from domain.reasons import Reason
from domain.units import Lots, Price, Rate
from engine.machine import Engine
from engine.strategies import make_strategy
from engine.timers import PULSE
from risk.limits import RiskLimits
from tests.builders import (
    Scripted,
    accepted,
    at,
    book,
    canceled,
    fill,
    funding,
    lots,
    order_id,
    price,
    quotes,
    reported,
    settings,
    started,
    top,
    trade,
    trading_engine,
    usd,
    want,
)
from tests.playbook import Playbook

BID = quotes(("99999", "0.002"), None)


def pulse(seconds: float) -> TimerFired:
    """Return the pulse at a time."""
    return TimerFired(PULSE, ts_event_ns=at(seconds), ts_recv_ns=at(seconds))


def resting() -> Playbook:
    """Return an engine with one open bid."""
    return Playbook(trading_engine(BID)) >> top("100000", "100001", at(1)) << [PlaceOrder] >> accepted(1, at(1.1)) << []


def reasons(play: Playbook, kind: type) -> list[Reason]:
    """Return the reasons of the notices of one type."""
    return [notice.reason for notice in play.seen(kind)]  # type: ignore[attr-defined]


def test_stale_market_pulls_the_quotes_and_shows_none() -> None:
    play = resting()

    play >> pulse(5) << [] >> pulse(7) << [CancelOrder] >> canceled(1, at(7.1)) << [] >> pulse(8) << []

    order = play.engine.state.orders.find(order_id(1))
    assert order is not None
    assert order.cancel_reason is Reason.CANCELED_STALE_DATA


def test_lost_feed_pulls_the_quotes_until_the_next_book() -> None:
    play = resting()

    play >> FeedLost("BTC", "cable", ts_event_ns=at(2), ts_recv_ns=at(2)) << [CancelOrder]
    play >> canceled(1, at(2.1)) << []
    play >> FeedRestored("BTC", ts_event_ns=at(3), ts_recv_ns=at(3)) << []
    play >> pulse(3.5) << []
    play >> top("100000", "100001", at(4)) << [PlaceOrder]


def test_operator_halts_and_only_an_operator_resumes() -> None:
    play = resting()

    play >> OperatorHalted("drill", ts_event_ns=at(2), ts_recv_ns=at(2)) << [CancelOrder]
    play >> canceled(1, at(2.1)) << [] >> top("100000", "100001", at(2.2)) << [] >> pulse(3) << []
    assert play.engine.state.mode is Mode.HALTED
    assert reasons(play, KillSwitchEngaged) == [Reason.HALTED_BY_OPERATOR]

    play >> OperatorResumed("drill over", ts_event_ns=at(4), ts_recv_ns=at(4)) << [QueryAccount]
    assert len(play.seen(KillSwitchReset)) == 1
    assert play.engine.state.mode is Mode.RECONCILING
    play >> top("100000", "100001", at(4.1)) << [] >> reported("10000", at(4.2)) << []
    play >> top("100000", "100001", at(5)) << [PlaceOrder]


def test_halt_with_flatten_closes_the_position_reduce_only() -> None:
    play = resting()
    want(play.engine, None)
    play >> fill(1, Side.BUY, "99999", "0.002", at(2)) << []

    play >> OperatorHalted("out", True, ts_event_ns=at(3), ts_recv_ns=at(3))

    (order,) = play.pending
    assert isinstance(order, PlaceOrder)
    assert (order.side, order.lots, order.reduce_only, order.post_only) == (Side.SELL, lots("0.002"), True, False)
    assert order.time_in_force is TimeInForce.IOC
    assert order.price == price("99000")


def test_drawdown_warns_then_stops() -> None:
    limits = RiskLimits(daily_loss_max=usd("5000"))
    play = Playbook(trading_engine(None, limits=limits)) >> top("100000", "100001", at(1)) << []
    play >> fill(0, Side.BUY, "100000", "0.1", at(2)) << [] >> pulse(2.5) << []

    play >> top("97000", "97001", at(3)) << [] >> pulse(3.5) << []
    assert reasons(play, LimitWarned) == [Reason.DRAWDOWN]
    assert play.engine.state.mode is Mode.TRADING

    play >> pulse(3.6) << []
    assert len(play.seen(LimitWarned)) == 1
    play >> top("94000", "94001", at(4)) << [] >> pulse(4.5) << []
    assert reasons(play, KillSwitchEngaged) == [Reason.HALTED_BY_DRAWDOWN]
    assert play.engine.state.mode is Mode.HALTED


def test_daily_loss_stops_and_flattens_when_so_configured() -> None:
    play = Playbook(trading_engine(None, flatten_on_halt=True)) >> top("100000", "100001", at(1)) << []
    play >> pulse(1.1) << [] >> fill(0, Side.BUY, "100000", "0.1", at(2)) << []

    play >> top("95900", "95901", at(3)) << [] >> pulse(3.5)

    assert reasons(play, KillSwitchEngaged) == [Reason.HALTED_BY_DAILY_LOSS]
    (order,) = play.pending
    assert isinstance(order, PlaceOrder)
    assert order.reduce_only


def test_pause_cancels_and_resume_quotes_again() -> None:
    play = resting()

    play >> OperatorPaused("maintenance", ts_event_ns=at(2), ts_recv_ns=at(2)) << [CancelOrder]
    play >> canceled(1, at(2.1)) << [] >> top("100000", "100001", at(3)) << []
    play >> OperatorResumed("done", ts_event_ns=at(4), ts_recv_ns=at(4)) << []
    play >> top("100000", "100001", at(5)) << [PlaceOrder]


def test_operator_act_without_an_edge_is_declined() -> None:
    play = Playbook(trading_engine()) >> OperatorResumed("?", ts_event_ns=at(1), ts_recv_ns=at(1)) << []

    assert reasons(play, FactNoted) == [Reason.MODE_FORBIDS]
    play >> OperatorHalted("x", ts_event_ns=at(2), ts_recv_ns=at(2)) << []
    play >> OperatorPaused("y", ts_event_ns=at(3), ts_recv_ns=at(3)) << []
    assert reasons(play, FactNoted) == [Reason.MODE_FORBIDS] * 2


def test_stop_cancels_everything_and_is_done_when_nothing_is_live() -> None:
    play = resting()

    play >> StopRequested("signal", ts_event_ns=at(2), ts_recv_ns=at(2)) << [CancelOrder]
    assert not play.engine.state.is_done
    play >> top("100000", "100001", at(2.1)) << [] >> canceled(1, at(2.2)) << []

    assert play.engine.state.is_done
    play >> OperatorHalted("late", ts_event_ns=at(3), ts_recv_ns=at(3)) << []
    assert play.engine.state.mode is Mode.STOPPING


def test_stop_before_the_account_is_known_ends_quietly() -> None:
    engine = Engine(settings(), Scripted(BID))
    play = Playbook(engine) >> started() << [QueryAccount]

    play >> StopRequested("signal", ts_event_ns=at(0.01), ts_recv_ns=at(0.01)) << [] >> reported() << []

    assert engine.state.is_done


def test_ledger_behind_reduces_only_until_it_caught_up() -> None:
    play = resting()

    play >> LedgerFellBehind(9, ts_event_ns=at(2), ts_recv_ns=at(2)) << [CancelOrder]
    play >> canceled(1, at(2.1)) << [] >> top("100000", "100001", at(3)) << []
    assert play.engine.state.mode is Mode.REDUCING
    play >> LedgerCaughtUp(ts_event_ns=at(4), ts_recv_ns=at(4)) << []
    play >> top("100000", "100001", at(5)) << [PlaceOrder]


def test_pulse_slows_down_while_every_market_is_silent_and_comes_back_with_it() -> None:
    engine = trading_engine()
    engine.step(top("100000", "100001", at(1)))

    def waits(seconds: float) -> float:
        (wake,) = (one for one in engine.step(pulse(seconds)).commands if isinstance(one, WakeAt))
        return (wake.ts_wake_ns - at(seconds)) / 1e9

    assert waits(2) == 1
    assert [waits(10), waits(12), waits(16), waits(24), waits(40)] == [2, 4, 8, 16, 32]
    assert [waits(1000 * number) for number in range(1, 7)] == [64, 128, 256, 512, 900, 900]
    (roused,) = engine.step(top("100000", "100001", at(6500))).commands
    assert roused == WakeAt(at(6501), PULSE, ts_ns=at(6500))
    assert engine.step(top("100000", "100001", at(6500.1))).commands == ()
    assert waits(6501) == 1


def test_mark_of_long_ago_gives_way_to_the_mid() -> None:
    engine = trading_engine()
    engine.step(MarkChanged("BTC", price("28000"), price("28000"), ts_event_ns=at(1), ts_recv_ns=at(1)))
    engine.step(top("60000", "60002", at(3600)))
    assert engine.state.marks["BTC"] == price("28000")

    engine.step(top("60000", "60002", at(3602)))

    assert engine.state.marks["BTC"] == price("60001")


def test_opening_statement_with_positions_is_adopted() -> None:
    engine = Engine(settings(), Scripted())
    engine.step(started())

    engine.step(AccountReported(usd("9000"), (("BTC", 10_000, usd("1000")),), ts_event_ns=at(0), ts_recv_ns=at(0)))

    assert engine.state.mode is Mode.TRADING
    assert engine.state.book.position_lots("BTC") == lots("0.1")


def test_clock_that_goes_back_does_not_move_the_engine() -> None:
    play = Playbook(trading_engine()) >> top("100000", "100001", at(5)) << [] >> top("100000", "100002", at(4)) << []

    assert play.engine.state.now_ns == at(5)
    assert reasons(play, MarketDataSkipped) == [Reason.CLOCK_WENT_BACK]


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (top("100001", "100000", at(2)), Reason.BOOK_CROSSED),
        (top("100000", "100000", at(2)), Reason.BOOK_CROSSED),
        (top("0", "100000", at(2)), Reason.BOOK_EMPTY),
        (top("100000", "100001", at(2), bid_size="0"), Reason.BOOK_EMPTY),
        (book([], [("100001", "1")], at(2)), Reason.BOOK_EMPTY),
        (book([("100002", "1")], [("100001", "1")], at(2)), Reason.BOOK_CROSSED),
        (book([("-1", "1")], [("100001", "1")], at(2)), Reason.BOOK_INVALID_LEVEL),
        (book([("100000", "-1")], [("100001", "1")], at(2)), Reason.BOOK_INVALID_LEVEL),
        (MarkChanged("BTC", Price(-5), Price(1), Rate(0), ts_event_ns=at(2), ts_recv_ns=at(2)), Reason.BOOK_INVALID_LEVEL),
        (MarketDataRefused("BTC", Reason.DUPLICATE_TRADE, ts_event_ns=at(2), ts_recv_ns=at(2)), Reason.DUPLICATE_TRADE),
    ],
)  # fmt: skip
def test_wrong_market_data_is_skipped_and_the_view_stays(fact: BookChanged, reason: Reason) -> None:
    play = Playbook(trading_engine()) >> top("100000", "100001", at(1)) << []

    play >> fact << []

    assert reasons(play, MarketDataSkipped) == [reason]
    market = play.engine.state.markets["BTC"]
    assert (market.bid_price, market.ask_price, market.ts_ns) == (price("100000"), price("100001"), at(1))


def test_unknown_instrument_is_skipped() -> None:
    stamp = {"ts_event_ns": at(2), "ts_recv_ns": at(2)}
    strange = TopOfBookChanged("PEPE", Price(1), Lots(1), Price(2), Lots(1), **stamp)
    play = Playbook(trading_engine()) >> strange << []
    play >> BookChanged("PEPE", ((1, 1),), ((2, 1),), **stamp) << []
    play >> MarkChanged("PEPE", Price(1), Price(1), **stamp) << []

    assert reasons(play, MarketDataSkipped) == [Reason.UNKNOWN_INSTRUMENT] * 3


def test_mark_price_values_positions_and_funding_and_transfers_are_booked_once() -> None:
    play = Playbook(trading_engine()) >> top("100000", "100001", at(1)) << []
    play >> fill(0, Side.BUY, "100000", "0.1", at(2)) << []
    (
        play
        >> MarkChanged("BTC", price("101000"), price("101000"), Rate(12_500), ts_event_ns=at(3), ts_recv_ns=at(3))
        << []
    )
    play >> funding("-0.12", at(3)) << [] >> funding("-0.12", at(3)) << []
    moved = TransferBooked("t1", usd("500"), ts_event_ns=at(3.1), ts_recv_ns=at(3.1))
    play >> moved << [] >> moved << [] >> pulse(3.5) << []

    marked = play.seen(AccountMarked)[-1]
    assert isinstance(marked, AccountMarked)
    assert (marked.unrealized, marked.funding) == (usd("100"), -usd("0.12"))
    assert marked.equity == usd("10599.88")
    assert marked.drawdown < 10_000
    assert marked.net == usd("99.88")


def drive(engine: Engine, seconds: list[float]) -> list[Command]:
    """Feed a small deterministic market and return every command."""
    commands: list[Command] = []
    for number, second in enumerate(seconds):
        shift = number * 7 % 23
        commands += engine.step(top(f"{100000 + shift}", f"{100002 + shift}", at(second))).commands
        commands += engine.step(trade(f"{100000 + shift}", "0.1", Side.SELL, at(second), number)).commands
        commands += engine.step(pulse(second)).commands
        for command in tuple(commands[-6:]):
            if isinstance(command, PlaceOrder) and command.ts_ns == at(second):
                sequence = int(command.client_order_id[-16:], 16)
                commands += engine.step(accepted(sequence, at(second))).commands
    return commands


def test_restored_engine_goes_on_exactly_like_the_one_it_was_taken_from() -> None:
    first = Engine(settings(), make_strategy("two_sided", {"requote_interval_ms": 0}))
    first.step(started())
    first.step(reported())
    drive(first, [1.0 + number / 10 for number in range(30)])
    first.step(fill(1, Side.BUY, "100000", "0.0005", at(4.1)))
    second = Engine(settings(), make_strategy("two_sided", {"requote_interval_ms": 0}))

    second.state.restore(first.state.snapshot())

    assert second.state.digest() == first.state.digest()
    later = [5.0 + number / 10 for number in range(30)]
    expected = drive(first, later)
    assert drive(second, later) == expected
    assert any(not isinstance(command, WakeAt) for command in expected)
    assert second.state.digest() == first.state.digest()


def test_snapshot_of_another_strategy_is_refused() -> None:
    kept = Engine(settings(), Scripted()).state.snapshot()

    with pytest.raises(InvariantBroken, match="strategy scripted"):
        Engine(settings(), make_strategy("null", {})).state.restore(kept)


@pytest.mark.parametrize(
    "changes",
    [{"instruments": ()}, {"run_id": 0}, {"run_id": 2**64}, {"leverage": 0}, {"pulse_interval_ns": 10},
     {"instruments": (settings().instruments[0],) * 2}],
)  # fmt: skip
def test_absurd_settings_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigInvalid, match="expected"):
        Engine(settings(**changes), Scripted())
