"""What was refused is not asked for again at once: no storm of requests, however fast the venue answers."""

from domain.commands import PlaceOrder
from domain.events import TopOfBookChanged
from domain.order import Quote, Side, WantedQuotes
from domain.reasons import Reason
from engine.machine import Engine
from risk.limits import InstrumentLimits, RiskLimits
from tests.builders import accepted, at, lots, price, quotes, rejected, settings, top, trading_engine, usd, want
from tests.playbook import Playbook

BID = quotes(("99999", "0.002"), None)


def same_market(seconds: float) -> TopOfBookChanged:
    """Return the market as it was."""
    return top("100000", "100001", at(seconds))


def placed(play: Playbook) -> list[int]:
    """Return the prices of the orders that the last step placed."""
    prices = [int(command.price) for command in play.pending if isinstance(command, PlaceOrder)]
    assert len(prices) == len(play.pending)
    play.pending = []
    return prices


def test_order_the_venue_refused_is_not_sent_again_before_the_pause_is_over() -> None:
    play = Playbook(trading_engine(BID)) >> same_market(1) << [PlaceOrder]

    play >> rejected(1, at(1.1), Reason.VENUE_MIN_NOTIONAL) << [] >> same_market(1.5) << []

    play >> same_market(2.2) << [PlaceOrder]


def test_account_without_margin_sends_nothing_on_that_side_before_the_pause_is_over() -> None:
    play = Playbook(trading_engine(BID)) >> same_market(1) << [PlaceOrder]
    play >> rejected(1, at(1.1), Reason.VENUE_MARGIN) << []

    want(play.engine, quotes(("99998", "0.002"), ("100003", "0.002")))
    play >> same_market(1.5)

    assert placed(play) == [price("100003")]
    want(play.engine, quotes(("99998", "0.002"), None))
    play >> same_market(1.6)
    assert not [command for command in play.pending if isinstance(command, PlaceOrder)]
    play.pending = []
    play >> same_market(2.2)
    assert placed(play) == [price("99998")]


def test_several_denied_levels_are_not_denied_again_at_every_tick() -> None:
    limits = RiskLimits(default=InstrumentLimits(order_notional_max=usd("1000"), position_notional_max=usd("20")))
    levels = tuple(Quote(price(str(99999 - step)), lots("0.0002")) for step in range(4))
    play = Playbook(trading_engine(WantedQuotes("BTC", levels), limits=limits)) >> same_market(1) << [PlaceOrder]
    asked = play.engine.state.order_sequence
    assert asked == len(levels)

    play >> same_market(1.2) << [] >> same_market(1.4) << []

    assert play.engine.state.order_sequence == asked


def test_post_only_refusals_in_a_row_step_back_ever_further() -> None:
    play = Playbook(trading_engine(BID)) >> same_market(1) << [PlaceOrder]
    wanted = price("99999")

    for number, ticks in enumerate((1, 2, 4, 8, 16, 32, 64), start=1):
        play >> rejected(number, at(1 + number / 10))
        assert placed(play) == [wanted - ticks * 10]

    play >> rejected(8, at(1.8)) << [] >> same_market(1.9) << []
    play >> same_market(2.9)
    assert placed(play) == [wanted]


def test_accepted_step_back_is_kept_until_the_pause_is_over() -> None:
    """Going back at once would be refused, step back, be accepted and go back again, as fast as the venue answers."""
    play = Playbook(trading_engine(BID)) >> same_market(1) << [PlaceOrder] >> rejected(1, at(1.1)) << [PlaceOrder]

    play >> accepted(2, at(1.2)) << [] >> same_market(1.3) << [] >> same_market(2) << []

    play >> same_market(2.2)
    (replace,) = play.pending
    assert replace.price == price("99999")  # type: ignore[union-attr]


def test_orders_that_left_before_a_refusal_came_do_not_count_again() -> None:
    levels = tuple(Quote(price(str(99999 - 5 * step)), lots("0.002")) for step in range(3))
    play = Playbook(trading_engine(WantedQuotes("BTC", levels))) >> same_market(1) << [PlaceOrder] * 3

    for number in (1, 2, 3):
        play >> rejected(number, at(1.1)) << [PlaceOrder]

    assert play.engine.state.refusals["BTC", Side.BUY].ticks_out == 1


def test_refusals_survive_a_snapshot() -> None:
    play = Playbook(trading_engine(BID)) >> same_market(1) << [PlaceOrder] >> rejected(1, at(1.1)) << [PlaceOrder]
    play >> rejected(2, at(1.2), Reason.VENUE_MARGIN) << []
    fresh = Engine(settings(), play.engine.state.strategy)

    fresh.state.restore(play.engine.state.snapshot())

    assert fresh.state.refusals == play.engine.state.refusals
    assert fresh.step(same_market(1.5)).commands == ()
