"""Markouts: the mid at exactly so long after a fill, as it was known then."""

import msgspec
import pytest

from domain.commands import PlaceOrder
from domain.errors import ConfigInvalid
from domain.events import FeedLost, TimerFired
from domain.notices import FillBooked, MarkoutTaken, TransactionPosted
from domain.order import FillCause, Side
from engine.machine import Engine
from engine.markouts import NEVER_NS, Markouts
from engine.timers import PULSE
from tests.builders import BTC, Scripted, accepted, at, fill, order_id, price, quotes, settings, top, trading_engine
from tests.playbook import Playbook

NS = 1_000_000_000


def pulse(seconds: float) -> TimerFired:
    """Return the pulse at a time."""
    return TimerFired(PULSE, ts_event_ns=at(seconds), ts_recv_ns=at(seconds))


def hit() -> Playbook:
    """Return an engine whose only order was filled at second 2, between 100000 and 100001."""
    play = Playbook(trading_engine(quotes(("99999", "0.002"), None))) >> top("100000", "100001", at(1)) << [PlaceOrder]
    play >> accepted(1, at(1.1)) << []
    play.engine.state.strategy.wanted = None  # type: ignore[attr-defined]
    return play >> fill(1, Side.BUY, "99999", "0.002", at(2)) << []


def taken(play: Playbook) -> list[tuple[int, int, int]]:
    """Return (horizon in seconds, mid_x2, engine time) of the markouts so far."""
    markouts = [one for one in play.seen(MarkoutTaken) if isinstance(one, MarkoutTaken)]
    return [(one.horizon_ns // NS, one.mid_x2, one.ts_ns) for one in markouts]


def mid_x2(bid: str, ask: str) -> int:
    """Return bid plus ask in price units."""
    return price(bid) + price(ask)


def test_markout_holds_the_mid_from_before_the_event_that_brings_it() -> None:
    play = hit() >> top("100010", "100011", at(2.5)) << []

    play >> top("100020", "100021", at(3)) << []

    assert taken(play) == [(1, mid_x2("100010", "100011"), at(3))]


def test_markouts_come_at_one_ten_and_sixty_seconds_and_name_the_fill() -> None:
    play = hit()
    for second in range(3, 70):
        play >> top(f"{100000 + second}", f"{100001 + second}", at(second)) << []

    assert taken(play) == [
        (1, mid_x2("100000", "100001"), at(3)),
        (10, mid_x2("100011", "100012"), at(12)),
        (60, mid_x2("100061", "100062"), at(62)),
    ]
    (posted,) = play.seen(TransactionPosted)
    assert isinstance(posted, TransactionPosted)
    for one in play.seen(MarkoutTaken):
        assert isinstance(one, MarkoutTaken)
        assert (one.sequence, one.client_order_id, one.symbol) == (posted.transaction.sequence, order_id(1), "BTC")
    assert play.engine.state.markouts.due_ns == NEVER_NS


def test_any_event_brings_a_markout_that_is_due() -> None:
    play = hit() >> pulse(2.9) << []
    assert taken(play) == []

    play >> pulse(3.2) << []

    assert taken(play) == [(1, mid_x2("100000", "100001"), at(3.2))]


def test_mid_that_was_too_old_at_its_moment_gives_no_markout() -> None:
    play = hit() >> top("100050", "100051", at(30)) << [] >> top("100060", "100061", at(62.5)) << []

    assert [horizon for horizon, _, _ in taken(play)] == [1]
    assert play.engine.state.markouts.due_ns == NEVER_NS


def test_market_that_was_cut_off_gives_no_markout() -> None:
    play = hit() >> FeedLost("BTC", "cable", ts_event_ns=at(2.5), ts_recv_ns=at(2.5)) << []

    play >> top("100010", "100011", at(3)) << []

    assert taken(play) == []


def test_fill_before_any_market_was_seen_gives_no_markout() -> None:
    play = Playbook(trading_engine(None)) >> fill(0, Side.BUY, "100000", "0.01", at(1)) << [] >> pulse(2) << []

    assert taken(play) == []


def test_fill_carries_its_cause_start_and_the_mid_we_saw() -> None:
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    fact = fill(0, Side.BUY, "100000", "0.01", at(2))

    play >> msgspec.structs.replace(fact, cause=FillCause.DELEVERAGING) << []

    (booked,) = play.seen(FillBooked)
    assert isinstance(booked, FillBooked)
    assert (booked.cause, booked.start_position) == (FillCause.DELEVERAGING, 0)
    assert booked.fill_mid_x2 == mid_x2("100000", "100001")


def test_markouts_of_one_moment_come_in_the_order_of_their_fills() -> None:
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    play >> fill(0, Side.BUY, "100000", "0.01", at(2)) << []
    play >> fill(0, Side.BUY, "100000", "0.01", at(2), trade_id=2, start="0.01") << []

    play >> pulse(3) << []

    sequences = [one.sequence for one in play.seen(MarkoutTaken) if isinstance(one, MarkoutTaken)]
    assert len(sequences) == 2
    assert sequences == sorted(sequences)


def test_restored_engine_takes_the_markouts_still_due() -> None:
    play = hit() >> pulse(3) << []
    second = Engine(settings(), Scripted())

    second.state.restore(play.engine.state.snapshot())

    assert second.state.snapshot() == play.engine.state.snapshot()
    later = [second.step(top("100000", "100001", at(seconds))).notices for seconds in (11, 12)]
    assert [type(one) for notices in later for one in notices] == [MarkoutTaken]


def test_without_horizons_nothing_is_remembered() -> None:
    markouts = Markouts(())

    markouts.remember(1, order_id(1), "BTC", at(1))

    assert markouts.due_ns == NEVER_NS
    assert markouts.take({}, at(100), 1) == []
    markouts.restore([])
    assert markouts.due_ns == NEVER_NS


@pytest.mark.parametrize("horizons_ns", [(0,), (-5, 1), (2, 1), (1, 1)])
def test_absurd_horizons_are_refused(horizons_ns: tuple[int, ...]) -> None:
    with pytest.raises(ConfigInvalid, match="markout_horizons_ns"):
        Engine(settings(markout_horizons_ns=horizons_ns), Scripted())


def test_no_horizons_are_a_choice() -> None:
    engine = Engine(settings(markout_horizons_ns=()), Scripted())

    assert engine.state.instruments == {"BTC": BTC}
