"""Rules 22 to 30 of docs/FILLS.md: what the venue refuses, in which order, in which words."""

import pytest

from domain.instrument import MarginTier, perpetual
from domain.order import Side
from domain.reasons import Reason
from domain.units import MONEY_UNIT, Money
from exchange.simulated.refusals import REASONS, reason_of, refusal
from tests.exchange.exchange_builders import ASK, BID, TICK, Scene, deep_book, mark, top, trade


def refused(scene: Scene, number: int = 1):
    fact = scene.run().last(number)
    assert type(fact).__name__ == "OrderRejected"
    return fact.reason, fact.venue_text


@pytest.mark.parametrize(("lots", "text"), [(0, "Order has zero size."), (-5, "Order has invalid size.")])
def test_rule_22_a_size_must_be_positive(lots: int, text: str) -> None:
    assert (Reason.VENUE_SIZE, text) == refused(Scene(deep_book(0)).place(1, 1, lots=lots))


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (0, "Order has invalid price."),
        (-TICK, "Order has invalid price."),
        (BID + 1, "Price must be divisible by tick size."),
    ],
)
def test_rule_23_a_price_must_be_on_the_grid(price: int, text: str) -> None:
    assert (Reason.VENUE_TICK, text) == refused(Scene(deep_book(0)).place(1, 1, price=price))


def test_rule_24_an_order_must_be_worth_ten_dollars() -> None:
    text = "Order must have minimum value of $10."
    assert (Reason.VENUE_MIN_NOTIONAL, text) == refused(Scene(deep_book(0)).place(1, 1, lots=9))
    assert ["OrderAccepted"] == Scene(deep_book(0)).place(1, 1, lots=10).run().story(1)


def test_rule_24_closing_the_whole_position_is_exempt() -> None:
    scene = Scene(deep_book(0), trade(3, BID, 105)).place(1, 1)
    scene.place(2, 4, Side.SELL, ASK, 4, reduce_only=True).place(3, 5, Side.SELL, ASK, 5, reduce_only=True).run()
    assert Reason.VENUE_MIN_NOTIONAL is scene.last(2).reason
    assert ["OrderAccepted"] == scene.story(3)


@pytest.mark.parametrize(("price", "is_fine"), [(50_000, True), (49_999, False), (1_950_000, True), (1_950_010, False)])
def test_rule_25_a_price_stays_within_95_percent_of_the_mark(price: int, is_fine: bool) -> None:
    side = Side.BUY if price < BID else Side.SELL
    scene = Scene(deep_book(0), mark(0)).place(1, 1, side, price, 300).run()
    text = "Order price cannot be more than 95% away from the reference price"
    if is_fine:
        assert ["OrderAccepted"] == scene.story(1)
    else:
        assert (Reason.VENUE_PRICE_TOO_FAR, text) == refused(scene)


def test_rule_25_without_a_mark_the_mid_is_the_reference_and_without_both_there_is_none() -> None:
    assert Reason.VENUE_PRICE_TOO_FAR is refused(Scene(deep_book(0)).place(1, 1, price=40_000, lots=300))[0]
    assert ["OrderAccepted"] == Scene().place(1, 1, price=40_000, lots=300).run().story(1)


@pytest.mark.parametrize("opening", [None, Side.SELL])
def test_rule_26_reduce_only_needs_something_to_reduce(opening: Side | None) -> None:
    scene = Scene(deep_book(0))
    if opening is not None:
        scene.take(5, 0.5, opening, BID, 50)
    scene.place(1, 1, Side.SELL, ASK, reduce_only=True)
    assert (Reason.VENUE_REDUCE_ONLY, "Reduce only order would increase position.") == refused(scene)


def test_rule_27_the_worst_case_must_be_covered() -> None:
    # 10,000 USDC at 3x carry 30,000 USDC: 0.3 BTC, 30,000 lots at 100,000 (mark).
    scene = (
        Scene(deep_book(0), mark(0)).place(1, 1, lots=20_000).place(2, 2, lots=10_001).place(3, 3, lots=10_000).run()
    )
    assert Reason.VENUE_MARGIN is scene.last(2).reason
    assert "Insufficient margin to place order." == scene.last(2).venue_text
    assert ["OrderAccepted"] == scene.story(3)


def test_rule_27_both_sides_count_only_the_larger() -> None:
    scene = Scene(deep_book(0), mark(0)).place(1, 1, lots=30_000).place(2, 2, Side.SELL, ASK, 30_000).run()
    assert ["OrderAccepted"] == scene.story(2)


def test_rule_27_other_markets_count_and_stop_counting() -> None:
    feed = [deep_book(0), mark(0), top(0, 400_000, 50, 400_100, 50, symbol="ETH"), mark(0, 400_000, symbol="ETH")]
    scene = Scene(*feed).place(1, 1, lots=15_000)
    # 15,000 USDC of ETH at 4,000: 3.75 ETH.
    scene.place(2, 2, price=400_000, lots=37_501, symbol="ETH").place(3, 3, price=400_000, lots=37_500, symbol="ETH")
    scene.cancel(1, 4).place(4, 5, price=400_000, lots=37_500, symbol="ETH").place(5, 6, lots=15_000).run()
    assert Reason.VENUE_MARGIN is scene.last(2).reason
    assert ["OrderAccepted"] == scene.story(3) == scene.story(4)
    assert Reason.VENUE_MARGIN is scene.last(5).reason


def test_rule_27_a_position_in_another_market_counts_at_its_mark() -> None:
    feed = [deep_book(0, 400_000, 400_100, 100_000, symbol="ETH"), deep_book(0), mark(0)]
    scene = Scene(*feed).take(1, 1, Side.BUY, 400_100, 37_500, symbol="ETH").place(2, 2, lots=15_001)
    scene.place(3, 3, lots=14_900).run()
    assert Reason.VENUE_MARGIN is scene.last(2).reason
    assert ["OrderAccepted"] == scene.story(3)


def test_rule_27_tiers_cap_the_leverage_of_large_positions() -> None:
    tiers = (
        MarginTier(lower_bound=Money(0), leverage_max=10),
        MarginTier(lower_bound=Money(20_000 * MONEY_UNIT), leverage_max=2),
    )
    instruments = {"BTC": perpetual("BTC", 0, 5, 10, tiers)}
    scene = Scene(deep_book(0), mark(0), instruments=instruments, leverage=5)
    scene.place(1, 1, lots=20_001).place(2, 2, lots=20_000).place(3, 3, lots=10).place(
        4, 4, Side.SELL, ASK, 19_999
    ).run()
    assert Reason.VENUE_MARGIN is scene.last(1).reason
    assert ["OrderAccepted"] == scene.story(2) == scene.story(4)
    assert Reason.VENUE_MARGIN is scene.last(3).reason


def test_rule_27_orders_that_do_not_raise_the_worst_case_pass_even_without_money() -> None:
    scene = Scene(deep_book(0, lots=100_000), mark(0), mark(5, BID * 7 // 10))
    scene.take(1, 1, Side.BUY, ASK, 29_000).place(2, 6, Side.SELL, ASK, 10_000).place(3, 7, Side.BUY, BID, 1000).run()
    assert ["OrderAccepted"] == scene.story(2)
    assert Reason.VENUE_MARGIN is scene.last(3).reason


def test_rule_28_open_orders_are_counted() -> None:
    scene = Scene(deep_book(0), open_orders_max=2)
    scene.place(1, 1).place(2, 1).place(3, 2).cancel(1, 3).place(4, 4).run()
    assert (Reason.VENUE_OPEN_ORDERS, "Too many open orders") == (scene.last(3).reason, scene.last(3).venue_text)
    assert ["OrderAccepted"] == scene.story(4)


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, ASK), (Side.BUY, ASK + TICK), (Side.SELL, BID)])
def test_rule_29_post_only_that_would_match_is_refused_with_the_best_prices(side: Side, price: int) -> None:
    text = "Post only order would have immediately matched, bbo was 100000@100001."
    assert (Reason.VENUE_POST_ONLY, text) == refused(Scene(deep_book(0)).place(1, 1, side, price))


def test_rule_29_our_own_resting_orders_are_part_of_the_book() -> None:
    scene = Scene(top(0, BID - 5 * TICK, 10, ASK + 5 * TICK, 10)).place(1, 1, Side.SELL, ASK).place(2, 2, Side.BUY, ASK)
    text = "Post only order would have immediately matched, bbo was 99995@100001."
    assert (Reason.VENUE_POST_ONLY, text) == refused(scene, 2)
    scene = Scene().place(1, 1, Side.SELL, ASK).place(2, 2, Side.BUY, ASK)
    assert refused(scene, 2)[1].endswith("bbo was 0@100001.")


def test_rule_30_an_instrument_the_venue_does_not_have_is_refused() -> None:
    assert (Reason.VENUE_OTHER, "Unknown asset") == refused(Scene(deep_book(0)).place(1, 1, symbol="XRP"))


def test_rule_30_a_client_order_id_counts_once_and_the_first_order_stays() -> None:
    scene = Scene(deep_book(0), trade(5, BID - TICK, 1)).place(1, 1).place(1, 2, price=BID - TICK).query(1, 3).run()
    assert ["OrderAccepted", "OrderRejected", "OrderStatusReported", "OrderFilled"] == scene.story(1)
    scene = Scene(deep_book(0)).place(1, 1, lots=1).place(1, 2).query(1, 3).run()
    assert ["OrderRejected", "OrderRejected", "OrderStatusReported"] == scene.story(1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Price must be divisible by tick size. asset=4", Reason.VENUE_TICK),
        ("Order must have minimum value of 10 USDC.", Reason.VENUE_MIN_NOTIONAL),
        ("Post only order would have immediately matched, bbo was 90901@90902. asset=1", Reason.VENUE_POST_ONLY),
        ("Price too far from oracle asset=4", Reason.VENUE_PRICE_TOO_FAR),
        ("Insufficient margin to place order. asset=0", Reason.VENUE_MARGIN),
        ("Something nobody has seen", Reason.VENUE_OTHER),
        ("", Reason.VENUE_OTHER),
    ],
)
def test_texts_of_the_venue_are_understood_by_their_beginning(text: str, reason: Reason) -> None:
    assert reason is reason_of(text)
    assert (reason, text) == (refusal(text).reason, refusal(text).text)


def test_every_known_text_means_its_own_reason() -> None:
    assert {text: reason_of(text) for text in REASONS} == REASONS
