"""How the book opens whatever the venue says first, and what it tells of instruments this bot does not trade."""

from msgspec.structs import replace

from domain.commands import CancelOrder, PlaceOrder, QueryAccount
from domain.events import AccountReported, Event, FundingPaid, OrderFilled, TransferBooked
from domain.lifecycle import State
from domain.modes import Mode
from domain.notices import FactNoted, FillBooked, TransactionPosted
from domain.order import Side
from domain.reasons import Reason
from domain.transaction import FactKind
from domain.units import Lots, Rate
from engine.machine import Engine
from tests.builders import (
    START_NS,
    Scripted,
    accepted,
    at,
    canceled,
    fill,
    funding,
    lots,
    order_id,
    price,
    settings,
    started,
    top,
    trading_engine,
    usd,
)
from tests.engine.statements import BID, closed, corrections, found, noted, pulse, resting, told
from tests.playbook import Playbook

STRANGER = ("PEPE", 7, usd("1"))
MOMENT = {"ts_event_ns": at(2), "ts_recv_ns": at(2)}


def new() -> Playbook:
    """Return an engine that has just asked for its account."""
    return Playbook(Engine(settings(), Scripted())) >> started() << [QueryAccount]


def late(fact: OrderFilled | FundingPaid | TransferBooked, seconds: float) -> Event:
    """Return a fact that reaches us only at that time."""
    return replace(fact, ts_recv_ns=at(seconds))


def test_strange_position_in_the_first_statement_opens_with_the_rest_and_blocks() -> None:
    play = new()
    held = (("BTC", lots("0.01"), usd("1000")), STRANGER)

    play >> AccountReported(usd("9000"), held, ts_event_ns=at(1), ts_recv_ns=at(1)) << []

    state = play.engine.state
    assert state.mode is Mode.RECONCILING
    assert (state.book.cash, state.book.open_positions()) == (usd("9000"), {"BTC": lots("0.01")})
    assert [(one.cash, one.positions) for one in found(play)] == [(0, (("PEPE", 7),))]
    state.book.verify(state.marks)
    play >> pulse(2) << [QueryAccount] >> told(2.1, "9000", ("BTC", "0.01", "1000")) << []
    assert closed(play) == [Reason.STATEMENT_AGREES]
    assert play.engine.state.mode is Mode.TRADING


def test_flat_position_with_a_cost_in_the_first_statement_is_no_position() -> None:
    play = new()

    play >> AccountReported(usd("10"), (("BTC", 0, 5), ("PEPE", 0, 5)), ts_event_ns=at(0), ts_recv_ns=at(0)) << []

    play.engine.state.book.verify({})
    assert play.engine.state.mode is Mode.TRADING
    assert found(play) == []


def test_fill_and_funding_of_a_strange_instrument_are_noted_and_change_nothing() -> None:
    play = resting()
    digest = play.engine.state.book.digest()
    paid = FundingPaid("PEPE", START_NS, Lots(7), Rate(1), price("1"), usd("-5"), **MOMENT)

    play >> replace(fill(0, Side.BUY, "100000", "0.01", at(2)), symbol="PEPE") << [] >> paid << []

    assert play.engine.state.book.digest() == digest
    assert noted(play) == [Reason.UNKNOWN_INSTRUMENT] * 2
    details = [one.detail for one in play.seen(FactNoted) if isinstance(one, FactNoted)]
    assert details == ["fill of PEPE, trade 1", "funding of PEPE"]
    play >> told(3, "9995") << [CancelOrder]
    assert [one.cash for one in found(play)] == [usd("-5")]


def test_facts_the_opening_statement_holds_are_noted_and_not_booked_again() -> None:
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    deposit = TransferBooked("deposit", usd("10000"), ts_event_ns=at(-60), ts_recv_ns=at(2))

    play >> late(fill(0, Side.BUY, "100000", "0.01", at(-5)), 2) << [] >> late(funding("3", at(0)), 2) << []
    play >> deposit << []

    book = play.engine.state.book
    assert noted(play) == [Reason.FACT_BEFORE_OPENING] * 3
    assert (book.cash, book.open_positions()) == (usd("10000"), {})
    assert play.seen(FillBooked) == []
    play >> told(3, "10000") << []
    assert found(play) == []
    assert play.engine.state.mode is Mode.TRADING


def test_order_does_not_count_a_fill_the_opening_holds() -> None:
    play = resting()

    play >> late(fill(1, Side.BUY, "99999", "0.001", at(-1)), 2) << []

    order = play.engine.state.orders.find(order_id(1))
    assert order is not None
    assert (order.filled_lots, order.state) == (0, State.OPEN)


def test_facts_before_the_first_statement_wait_for_it() -> None:
    """What the statement holds is noted, what came after it is booked, in the order in which it was told."""
    play = new()
    play >> late(fill(0, Side.BUY, "100000", "0.01", at(-5)), 0.1) << []
    play >> TransferBooked("deposit", usd("50"), ts_event_ns=at(0.6), ts_recv_ns=at(0.7)) << []
    play >> fill(0, Side.SELL, "100000", "0.004", at(0.8), trade_id=2, start="0.01") << []
    assert play.engine.state.book.transaction_count == 0

    held = (("BTC", lots("0.01"), usd("1000")),)
    play >> AccountReported(usd("9000"), held, ts_event_ns=at(0.5), ts_recv_ns=at(0.9)) << []

    book = play.engine.state.book
    posted = [one.transaction.kind for one in play.seen(TransactionPosted) if isinstance(one, TransactionPosted)]
    assert posted == [FactKind.TRANSFER, FactKind.TRANSFER, FactKind.FILL]
    assert noted(play) == [Reason.FACT_BEFORE_OPENING, Reason.FILL_WITHOUT_ORDER]
    assert (book.cash, book.open_positions()) == (usd("9450"), {"BTC": lots("0.006")})
    assert play.engine.state.mode is Mode.TRADING
    assert found(play) == corrections(play) == []


def test_waiting_facts_survive_a_restart() -> None:
    play = new()
    play >> fill(0, Side.BUY, "100000", "0.01", at(0.6)) << [] >> funding("3", at(0.7)) << []
    play >> TransferBooked("deposit", usd("50"), ts_event_ns=at(0.8), ts_recv_ns=at(0.8)) << []
    second = Engine(settings(), Scripted())
    second.state.restore(play.engine.state.snapshot())
    opening = AccountReported(usd("10000"), (), ts_event_ns=at(0.5), ts_recv_ns=at(0.9))

    play >> opening << []
    second.step(opening)

    assert second.state.digest() == play.engine.state.digest()
    assert second.state.book.cash == usd("9053")


def test_waiting_facts_never_make_a_halted_bot_trade() -> None:
    play = Playbook(Engine(settings(), Scripted(BID))) >> started() << [QueryAccount]
    play >> top("100000", "100001", at(0.1)) << [] >> fill(0, Side.BUY, "100000", "0.01", at(0.6)) << []

    play >> AccountReported(usd("10000"), (STRANGER,), ts_event_ns=at(0.5), ts_recv_ns=at(0.9)) << []

    assert play.engine.state.mode is Mode.RECONCILING
    assert play.engine.state.book.position_lots("BTC") == lots("0.01")


def test_bot_goes_on_resting_when_an_old_fact_is_repeated() -> None:
    play = resting()
    play >> late(funding("3", at(-1)), 2) << [] >> late(funding("3", at(-1)), 3) << []
    assert noted(play) == [Reason.FACT_BEFORE_OPENING] * 2
    play >> canceled(1, at(4))
    assert [type(one) for one in play.pending] == [PlaceOrder]
    play << [PlaceOrder] >> accepted(2, at(5)) << []
