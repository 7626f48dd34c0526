"""Laws of the maker router: carrying out a plan shows what is wanted, twice is once, and no plan is shorter."""

from fractions import Fraction
from itertools import count, product

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.identifiers import ClientOrderId
from domain.instrument import perpetual
from domain.lifecycle import AT_RISK, WORKING, State
from domain.order import Quote, Side, WantedQuotes
from domain.units import RATE_UNIT, Lots, Price, Rate
from domain.views import MarketView, WorkingOrderView
from router.maker import NOTHING, MakerSettings, Plan, plan

ETH = perpetual("ETH", 1, 4, 25)
LOWEST, HIGHEST = 99_996, 100_060
# Around 100,000 the tick changes from 1 to 10: the grid of these tests has both.
PRICES = [price for price in range(LOWEST, HIGHEST + 1) if ETH.is_on_grid(Price(price))]

quotes = st.builds(Quote, st.sampled_from(PRICES).map(Price), st.sampled_from([10, 15, 20, 30]).map(Lots))


@st.composite
def sides(draw: st.DrawFn, side: Side) -> tuple[tuple[Quote, ...], list[WorkingOrderView]]:
    """Wanted quotes best first, one per price, and up to four orders somewhere around them."""
    wanted = draw(st.lists(quotes, max_size=3, unique_by=lambda one: one.price))
    wanted.sort(key=lambda one: -one.price * side)
    orders = []
    for number in range(draw(st.integers(0, 4))):
        near = draw(st.sampled_from([*wanted, Quote(Price(100_000), Lots(20))]))
        state = draw(st.sampled_from([State.OPEN, State.OPEN, State.PARTIALLY_FILLED, *sorted(AT_RISK)]))
        lots = draw(st.sampled_from([near.lots, 10, 20, 40]))
        filled = draw(st.integers(1, lots - 1)) if state is State.PARTIALLY_FILLED else 0
        price = draw(st.one_of(st.just(near.price), st.sampled_from(PRICES)))
        name = ClientOrderId(f"{side.label}-{number}")
        orders.append(WorkingOrderView(name, side, Price(price), Lots(lots), Lots(filled), state))
    return tuple(wanted), orders


@st.composite
def cases(draw: st.DrawFn) -> tuple[WantedQuotes, list[WorkingOrderView], MakerSettings, MarketView]:
    """A wish, the orders there are, settings, and a market that some quotes cross."""
    bids, buys = draw(sides(Side.BUY))
    asks, sells = draw(sides(Side.SELL))
    bid = draw(st.sampled_from([0, *PRICES[:-1]]))
    ask = draw(st.sampled_from([0, *(price for price in PRICES if price > bid)]))
    chosen = MakerSettings(
        reprice_ticks=draw(st.integers(0, 3)),
        resize_share=Rate(draw(st.sampled_from([0, RATE_UNIT // 4, RATE_UNIT // 2]))),
        use_replace=draw(st.booleans()),
    )
    market = MarketView("ETH", Price(bid), Lots(1), Price(ask), Lots(1), Price(0), Price(0), Rate(0), 1)
    return WantedQuotes("ETH", bids, asks), draw(st.permutations(buys + sells)), chosen, market


def is_close(order: WorkingOrderView, quote: Quote, opposite: tuple[Quote, ...], chosen: MakerSettings) -> bool:
    """Say again, in other words, when an order may stay for a quote."""
    if order.price != quote.price:
        ticks = Fraction(abs(order.price - quote.price), ETH.tick(quote.price))
        in_the_way = opposite and (
            order.price >= opposite[0].price if order.side is Side.BUY else order.price <= opposite[0].price
        )
        if ticks > chosen.reprice_ticks or in_the_way:
            return False
    return Fraction(abs(order.leaves_lots - quote.lots), quote.lots) <= Fraction(chosen.resize_share, RATE_UNIT)


def crosses(quote: Quote, side: Side, market: MarketView) -> bool:
    """Say whether a quote would match the market."""
    if side is Side.BUY:
        return 0 < market.ask_price <= quote.price
    return quote.price <= market.bid_price


def fewest_actions(
    side: Side, wanted: WantedQuotes, orders: list[WorkingOrderView], chosen: MakerSettings, market: MarketView
) -> int:
    """Try every way to keep orders for quotes and return the smallest number of actions of one side."""
    mine, opposite = (wanted.bids, wanted.asks) if side is Side.BUY else (wanted.asks, wanted.bids)
    resting = [order for order in orders if order.side is side and order.state in WORKING]
    moving = sum(1 for order in orders if order.side is side and order.state not in WORKING)
    best = len(mine) + len(resting)
    for choice in product([None, *range(len(resting))], repeat=len(mine)):
        used = [index for index in choice if index is not None]
        if len(set(used)) < len(used):
            continue
        if not all(
            is_close(resting[index], quote, opposite, chosen)
            for quote, index in zip(mine, choice, strict=True)
            if index is not None
        ):
            continue
        bare = sum(
            1 for quote, index in zip(mine, choice, strict=True) if index is None and not crosses(quote, side, market)
        )
        missing, idle = max(bare - moving, 0), len(resting) - len(used)
        best = min(best, max(missing, idle) if chosen.use_replace else missing + idle)
    return best


def carried_out(todo: Plan, orders: list[WorkingOrderView]) -> list[WorkingOrderView]:
    """Return the orders after every action of a plan was confirmed."""
    changed = dict(todo.replaces)
    after = []
    for order in orders:
        name = order.client_order_id
        if name in todo.cancels:
            continue
        if name in changed:
            quote = changed[name]
            after.append(WorkingOrderView(name, order.side, quote.price, quote.lots, Lots(0), State.OPEN))
        else:
            after.append(order)
    fresh = count()
    for side, quote in todo.places:
        name = ClientOrderId(f"new-{next(fresh)}")
        after.append(WorkingOrderView(name, side, quote.price, quote.lots, Lots(0), State.OPEN))
    return after


@settings(max_examples=600, deadline=None)
@given(cases())
def test_no_plan_is_shorter(case: tuple[WantedQuotes, list[WorkingOrderView], MakerSettings, MarketView]) -> None:
    wanted, orders, chosen, market = case
    todo = plan(wanted, orders, ETH, chosen, market)
    fewest = sum(fewest_actions(side, wanted, orders, chosen, market) for side in Side)
    assert fewest == len(todo.cancels) + len(todo.replaces) + len(todo.places)


@settings(max_examples=600, deadline=None)
@given(cases())
def test_carried_out_plan_leaves_nothing_to_do(
    case: tuple[WantedQuotes, list[WorkingOrderView], MakerSettings, MarketView],
) -> None:
    wanted, orders, chosen, market = case
    todo = plan(wanted, orders, ETH, chosen, market)
    again = plan(wanted, carried_out(todo, orders), ETH, chosen, market)
    assert Plan(crossing=todo.crossing) == again
    assert (again is NOTHING) is (todo.crossing == 0)


@settings(max_examples=600, deadline=None)
@given(cases())
def test_carried_out_plan_shows_what_is_wanted(
    case: tuple[WantedQuotes, list[WorkingOrderView], MakerSettings, MarketView],
) -> None:
    """One order per wanted quote, but for those left out because they cross; orders in flight may stand for some."""
    wanted, orders, chosen, market = case
    todo = plan(wanted, orders, ETH, chosen, market)
    after = carried_out(todo, orders)
    moving = {side: sum(1 for one in orders if one.side is side and one.state not in WORKING) for side in Side}
    shown = 0
    for side, mine in ((Side.BUY, wanted.bids), (Side.SELL, wanted.asks)):
        resting = [order for order in after if order.side is side and order.state in WORKING]
        assert len(resting) <= len(mine)
        shown += min(len(resting) + moving[side], len(mine))
    assert len(wanted.bids) + len(wanted.asks) == shown + todo.crossing


@settings(max_examples=600, deadline=None)
@given(cases())
def test_plan_asks_only_for_what_was_wanted_and_touches_only_resting_orders(
    case: tuple[WantedQuotes, list[WorkingOrderView], MakerSettings, MarketView],
) -> None:
    wanted, orders, chosen, market = case
    todo = plan(wanted, orders, ETH, chosen, market)
    by_id = {order.client_order_id: order for order in orders}
    touched = [*todo.cancels, *(name for name, _ in todo.replaces)]
    assert len(set(touched)) == len(touched)
    assert all(by_id[name].state in WORKING for name in touched)
    asked = [*todo.places, *((by_id[name].side, quote) for name, quote in todo.replaces)]
    assert len(set(asked)) == len(asked)
    for side, quote in asked:
        assert quote in (wanted.bids if side is Side.BUY else wanted.asks)
        assert not crosses(quote, side, market)
    assert chosen.use_replace or not todo.replaces


@settings(max_examples=300, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_plan_does_not_depend_on_the_order_in_which_orders_of_different_prices_are_told(case, random) -> None:
    wanted, orders, chosen, market = case
    prices = {(order.side, order.price): order for order in orders}
    single = list(prices.values())
    mixed = single[:]
    random.shuffle(mixed)
    assert plan(wanted, single, ETH, chosen, market) == plan(wanted, mixed, ETH, chosen, market)
