"""The chain of fills: a missing fill shows at the next one, a late one closes the gap."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain.commands import QueryAccount
from domain.events import AccountReported, OrderFilled
from domain.notices import FactNoted
from domain.order import Side
from domain.reasons import Reason
from engine.fill_chain import FillChain
from tests.builders import at, fill, lots, trading_engine, usd
from tests.playbook import Playbook


def bought(trade_id: int, start: str, seconds: float, size: str = "0.01") -> OrderFilled:
    """Return a purchase of BTC at 100000 that no order asked for."""
    return fill(0, Side.BUY, "100000", size, at(seconds), trade_id=trade_id, start=start)


def noted(play: Playbook) -> list[Reason]:
    """Return the reasons of noted facts, but for the missing order of every fill here."""
    reasons = [one.reason for one in play.seen(FactNoted) if isinstance(one, FactNoted)]
    return [reason for reason in reasons if reason is not Reason.FILL_WITHOUT_ORDER]


def test_fills_that_follow_one_another_say_nothing() -> None:
    play = Playbook(trading_engine(None)) >> bought(1, "0", 1) << [] >> bought(2, "0.01", 2) << []

    assert noted(play) == []


def test_missing_fill_shows_once_and_the_account_is_asked_for() -> None:
    play = Playbook(trading_engine(None)) >> bought(1, "0", 1) << []

    play >> bought(3, "0.02", 3) << [QueryAccount] >> bought(4, "0.03", 4) << []

    assert noted(play) == [Reason.FILL_CHAIN_BROKEN]
    (note,) = [one for one in play.seen(FactNoted) if isinstance(one, FactNoted) and "starts" in one.detail]
    assert note.detail == f"starts at {lots('0.02')} lots, the book was at {lots('0.01')}"


def test_yet_another_missing_fill_is_told_but_not_asked_about_twice() -> None:
    play = Playbook(trading_engine(None)) >> bought(2, "0.01", 2) << [QueryAccount]

    play >> bought(4, "0.03", 4) << []

    assert noted(play) == [Reason.FILL_CHAIN_BROKEN] * 2


def test_late_fill_closes_the_gap_it_left() -> None:
    play = Playbook(trading_engine(None)) >> bought(2, "0.01", 2) << [QueryAccount] >> bought(1, "0", 1) << []

    play >> bought(3, "0.02", 3) << []

    assert noted(play) == [Reason.FILL_CHAIN_BROKEN]
    assert play.engine.state.fill_chain.snapshot()["missing"] == {}


def test_late_fill_of_the_same_moment_closes_the_gap_too() -> None:
    play = Playbook(trading_engine(None)) >> bought(2, "0.01", 2) << [QueryAccount] >> bought(1, "0", 2) << []

    play >> bought(3, "0.02", 3) << []

    assert noted(play) == [Reason.FILL_CHAIN_BROKEN]


def test_late_fill_that_contradicts_the_chain_is_told() -> None:
    play = Playbook(trading_engine(None)) >> bought(2, "0", 2) << []

    play >> bought(1, "0", 1) << [QueryAccount]

    assert noted(play) == [Reason.FILL_CHAIN_BROKEN]


def test_statement_that_agrees_begins_the_chain_anew() -> None:
    play = Playbook(trading_engine(None)) >> bought(2, "0.01", 2) << [QueryAccount]
    held = ("BTC", lots("0.01"), usd("1000"))

    play >> AccountReported(usd("9000"), (held,), ts_event_ns=at(2.5), ts_recv_ns=at(2.5)) << []

    assert play.engine.state.fill_chain.snapshot()["missing"] == {}
    play >> bought(3, "0.01", 3) << []
    assert noted(play) == [Reason.FILL_CHAIN_BROKEN]


def test_fill_older_than_those_kept_in_order_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.fill_order.FILLS_KEPT", 4)
    monkeypatch.setattr("ledger.fill_order.FILLS_CUT", 2)
    play = Playbook(trading_engine(None))
    for number in range(10):
        play >> bought(number + 2, f"0.{number + 1:02}", number + 2) << ([] if number else [QueryAccount])

    play >> bought(1, "0", 1) << []

    assert noted(play)[-1] is Reason.FILL_UNORDERED


def step(side: Side, size: int, start: int, seconds: float) -> OrderFilled:
    """Return a fill of some lots."""
    base = fill(0, side, "100000", "0.00001", at(seconds), trade_id=1)
    return msgspec.structs.replace(base, lots=size, start_position=start)


def took(chain: FillChain, position: int, *facts: OrderFilled) -> list[bool]:
    """Tell fills that are booked one after the other; return what the chain says of each."""
    said = []
    for fact in facts:
        after = position + fact.side * fact.lots
        said.append(chain.take(fact, position, after))
        position = after
    return said


def test_round_of_one_moment_told_backwards_leaves_no_gap_that_would_hide_a_real_one() -> None:
    """Bought 3 and sold 3 at once; then 3 lots are missing indeed."""
    chain = FillChain()
    assert took(chain, 0, step(Side.SELL, 3, 3, 1), step(Side.BUY, 3, 0, 1)) == [True, False]
    assert chain.snapshot()["missing"] == {}
    assert took(chain, 0, step(Side.BUY, 1, 3, 2)) == [True]
    assert chain.snapshot()["missing"] == {"BTC": 3}


def test_fill_older_than_a_round_of_one_moment_closes_the_gap_before_it() -> None:
    chain = FillChain()
    took(chain, 0, step(Side.SELL, 2, 5, 2), step(Side.BUY, 2, 3, 2))
    assert chain.snapshot()["missing"] == {"BTC": 5}
    assert took(chain, 0, step(Side.BUY, 5, 0, 1)) == [False]
    assert chain.snapshot()["missing"] == {}


def test_gap_among_fills_of_one_moment_is_known_until_it_is_closed() -> None:
    chain = FillChain()
    assert took(chain, 0, step(Side.BUY, 3, 0, 1), step(Side.BUY, 1, 5, 1)) == [False, True]
    assert took(chain, 4, step(Side.BUY, 2, 3, 1)) == [False]
    assert chain.snapshot()["missing"] == {}


def test_fill_that_a_statement_told_already_says_nothing() -> None:
    chain = FillChain()
    chain.begin_anew(at(2))
    assert not chain.take(step(Side.BUY, 3, 0, 2), 3, 3)
    assert not chain.take(step(Side.BUY, 3, 7, 1), 3, 3)
    assert chain.snapshot()["missing"] == {}


@given(
    st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 5), st.booleans()), min_size=1, max_size=8), st.randoms()
)
@hypothesis_settings(max_examples=500, deadline=None)
def test_whole_set_of_fills_in_any_order_leaves_no_gap(moves: list[tuple[Side, int, bool]], chance: object) -> None:
    facts, start, number = [], 0, 1
    for side, size, is_later in moves:
        number += is_later
        base = fill(0, side, "100000", "0.00001", at(number), trade_id=number)
        facts.append(msgspec.structs.replace(base, lots=size, start_position=start))
        start += side * size
    chance.shuffle(facts)  # type: ignore[attr-defined]
    chain, position = FillChain(), 0

    for fact in facts:
        after = position + fact.side * fact.lots
        chain.take(fact, position, after)
        position = after

    assert chain.snapshot()["missing"] == {}
    kept = FillChain()
    kept.restore(msgspec.json.decode(msgspec.json.encode(chain.snapshot())))
    assert kept.snapshot() == chain.snapshot()
