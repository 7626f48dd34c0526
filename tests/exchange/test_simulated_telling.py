"""What the simulated venue tells an auditor, and what it can do without a word."""

import pytest

from domain.events import AccountReported
from domain.order import Side
from domain.units import NS_PER_HOUR, Money
from exchange.simulated.accounts import FILLS_KEPT, Account
from tests.exchange.exchange_builders import ASK, BID, BTC, Scene, at, deep_book, mark, order_id, trade

CASH = 10_000 * 10**8


def bought(lots=100):
    """A scene that holds some BTC by one fill, and one order that rests."""
    scene = Scene(deep_book(0), mark(1, BID + 5), deep_book(50))
    scene.take(1, 5, Side.BUY, ASK, lots).place(2, 6, Side.BUY, BID, 40)
    return scene.run()


def test_statement_holds_cash_positions_orders_and_facts_as_of_the_venues_time() -> None:
    scene = bought()
    found = scene.port.account_statement("me")

    fill = scene.fills[0]
    assert (found.account, found.ts_ns) == ("me", at(50))
    assert found.fills == (fill,)
    value = fill.price * 100 * BTC.money_per_unit
    assert found.cash == CASH - value - fill.fee
    assert (found.positions, found.costs, found.marks) == ({"BTC": 100}, {"BTC": value}, {"BTC": BID + 5})
    assert found.account_value == found.cash + 100 * (BID + 5) * BTC.money_per_unit
    assert found.decimals["BTC"] == (BTC.price_decimals, BTC.size_decimals)
    assert found.complete_since_ns == 0
    orders = found.open_orders
    assert [(one.client_order_id, one.side, one.price, one.leaves) for one in orders] == [
        (order_id(2), Side.BUY, BID, 40)
    ]


def test_asking_changes_nothing_and_partly_filled_orders_show_what_is_left() -> None:
    scene = Scene(deep_book(0), trade(20, BID - 10, 1_000), deep_book(60))
    scene.place(1, 5, Side.BUY, BID, 40).place(2, 30, Side.BUY, BID - 10, 70).run(until_ms=40)
    before = scene.port.account_statement("me")

    assert before == scene.port.account_statement("me")
    assert [one.leaves for one in before.open_orders] == [70]
    assert before.positions == {"BTC": 40}


def test_position_without_any_price_counts_at_its_cost() -> None:
    scene = bought()
    market = scene.port._venue.markets["BTC"]
    market.mark_price = 0
    market.book.bids.price = market.book.asks.price = 0
    found = scene.port.account_statement("me")

    assert found.marks == {}
    assert found.account_value == found.cash + found.costs["BTC"]


def test_statement_of_a_settlement_is_of_the_full_hour_and_lists_it() -> None:
    hour_ms = (NS_PER_HOUR - at(0) % NS_PER_HOUR) / 1_000_000
    scene = Scene(deep_book(0), mark(1, BID, rate=100_000), deep_book(hour_ms + 500), deep_book(hour_ms + 900))
    scene.take(1, 5, Side.BUY, ASK, 100).run()
    found = scene.port.account_statement("me")

    assert [one.hour_ns for one in found.fundings] == [at(hour_ms)]
    assert found.cash == CASH - found.costs["BTC"] - found.fills[0].fee + found.fundings[0].amount
    assert found.ts_ns >= found.fundings[0].ts_event_ns


def test_only_the_newest_fills_are_told_and_the_statement_says_from_when_on() -> None:
    scene = bought()
    kept = scene.port._door.fills
    assert kept.maxlen == FILLS_KEPT
    kept.extend([kept[0]] * FILLS_KEPT)

    found = scene.port.account_statement("me")
    assert len(found.fills) == FILLS_KEPT
    assert found.complete_since_ns == kept[0].ts_event_ns + 1


def test_untold_money_and_lots_show_in_the_account_report_and_not_before() -> None:
    scene = bought()
    told = scene.port.statement()
    scene.port.take_untold(-5, "BTC", -40)

    assert scene.port.statement() == told
    assert scene.port._account.statement() == told
    found = scene.port.account_statement("me")
    assert (found.cash, found.positions) == (told.cash - 5, {"BTC": 60})
    assert found.costs == {"BTC": 60 * ASK * BTC.money_per_unit}
    scene.report(70).run()
    report = scene.facts[-1]
    assert isinstance(report, AccountReported)
    assert (report.cash, report.positions) == (told.cash - 5, (("BTC", 60, found.costs["BTC"]),))
    assert scene.port.statement().positions == {"BTC": 60}


def test_fills_after_untold_lots_start_from_the_venues_own_position() -> None:
    scene = Scene(deep_book(0), deep_book(50), deep_book(100), deep_book(150))
    scene.take(1, 5, Side.BUY, ASK, 60).run(until_ms=50)
    scene.port.take_untold(0, "BTC", 10)
    scene.take(2, 60, Side.BUY, ASK, 20).run()

    assert [fill.start_position for fill in scene.fills] == [0, 70]
    assert scene.port.statement().positions == {"BTC": 80}


@pytest.mark.parametrize(("lots", "cost"), [(-100, None), (-150, 0), (50, 150), (-10, 90)])
def test_untold_lots_keep_the_cost_per_lot_and_new_ones_cost_nothing_beyond(lots, cost) -> None:
    account = Account(CASH)
    account.take_fill("BTC", 1, 100, 100, 0)
    account.take_untold(Money(0), "BTC", lots)

    assert account.costs.get("BTC") == cost
    assert account.positions.get("BTC", 0) == 100 + lots
    assert account.statement().positions == {"BTC": 100}
    account.tell_all()
    assert account.statement().positions == ({"BTC": 100 + lots} if cost is not None else {})


def test_untold_position_out_of_nothing_is_told_by_no_fact() -> None:
    account = Account(CASH)
    account.take_untold(7, "BTC", 3)

    assert (account.statement().cash, account.statement().positions) == (CASH, {})
    assert (account.cash, account.positions, account.costs) == (CASH + 7, {"BTC": 3}, {"BTC": 0})
