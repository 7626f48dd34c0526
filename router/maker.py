"""The maker router: wanted quotes against working orders, and the fewest actions that turn one into the other.

Theory of operation. Each side is matched on its own. An open order may keep a wanted quote when its price is within
the hysteresis and its open size close enough: it keeps its place in the queue. Equal prices are paired first, then the
pairing is grown along augmenting paths until no order can be kept in addition, so the number of actions is the
smallest possible. Orders in flight are left alone and each stands for one wanted quote that nothing else shows; what
they become is known soon. What remains is paired best first: replaced, or canceled and placed.

Laws: a plan never moves a wanted price: one that would cross the market is left out and counted. Carrying out a plan
and planning again gives nothing to do. Nothing to do is one shared, empty plan.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from domain.errors import ConfigInvalid
from domain.identifiers import ClientOrderId
from domain.instrument import Instrument
from domain.lifecycle import State
from domain.order import Quote, Side, WantedQuotes
from domain.units import RATE_UNIT, Price, Rate
from domain.views import MarketView, WorkingOrderView

BACK_OFF_TICKS_MAX: Final = 64

_BUY, _SELL = Side.BUY, Side.SELL
_OPEN, _PARTIALLY_FILLED = State.OPEN, State.PARTIALLY_FILLED


class MakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When an order is close enough to what is wanted.

    reprice_ticks: an order stays while its price is at most this many ticks from the wanted one. resize_share: and
    while its open size differs from the wanted one by at most this share of it (a partly filled order keeps its place
    in the queue). use_replace: change an order in one request instead of canceling and placing.
    """

    reprice_ticks: int = 2
    resize_share: Rate = Rate(RATE_UNIT // 2)
    use_replace: bool = True

    def validated(self) -> "MakerSettings":
        """Return the settings, or raise ConfigInvalid for the first that cannot be used."""
        if self.reprice_ticks < 0:
            raise ConfigInvalid("reprice_ticks", self.reprice_ticks, "0 or more")
        if not 0 <= self.resize_share < RATE_UNIT:
            raise ConfigInvalid("resize_share", self.resize_share, f"0 to {RATE_UNIT - 1} (a share below 1 in 1e-9)")
        return self


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What to do, in this order: cancel, replace, place.

    The lots of a replacement are what shall be open afterwards. crossing counts the wanted quotes left out because
    they would have taken from the market.
    """

    cancels: tuple[ClientOrderId, ...] = ()
    replaces: tuple[tuple[ClientOrderId, Quote], ...] = ()
    places: tuple[tuple[Side, Quote], ...] = ()
    crossing: int = 0


NOTHING: Final = Plan()

_Replacement = tuple[WorkingOrderView, Quote]


def plan(
    wanted: WantedQuotes,
    working: Sequence[WorkingOrderView],
    instrument: Instrument,
    settings: MakerSettings,
    market: MarketView,
) -> Plan:
    """Return the fewest actions that make the working orders show what is wanted.

    working holds every order of this instrument that the venue may still fill, and no other. A wanted price crosses
    when it would match the market's best opposite price; while that is unknown (0) nothing crosses.
    """
    buys: list[WorkingOrderView] = []
    sells: list[WorkingOrderView] = []
    buys_in_flight: list[WorkingOrderView] = []
    sells_in_flight: list[WorkingOrderView] = []
    for order in working:
        state = order.state
        if state is _OPEN or state is _PARTIALLY_FILLED:
            (buys if order.side is _BUY else sells).append(order)
        else:
            (buys_in_flight if order.side is _BUY else sells_in_flight).append(order)
    if len(buys) > 1:
        buys.sort(key=_price, reverse=True)
    if len(sells) > 1:
        sells.sort(key=_price)
    bids, asks = wanted.bids, wanted.asks
    highest_bid = bids[0].price if bids else 0
    lowest_ask = asks[0].price if asks else 0
    if _is_shown(bids, buys, len(buys_in_flight), lowest_ask, instrument, settings) and _is_shown(
        asks, sells, len(sells_in_flight), highest_bid, instrument, settings
    ):
        return NOTHING
    bid_todo = _plan_side(_BUY, bids, buys, buys_in_flight, lowest_ask, market.ask_price, instrument, settings)
    ask_todo = _plan_side(_SELL, asks, sells, sells_in_flight, highest_bid, market.bid_price, instrument, settings)
    changes = [*bid_todo.changes, *ask_todo.changes]
    if _meets(bid_todo.changes, ask_todo.changes):
        changes = [*ask_todo.changes, *bid_todo.changes]
    cancels = tuple(order.client_order_id for order in (*bid_todo.idle, *ask_todo.idle))
    places = (*((_BUY, quote) for quote in bid_todo.missing), *((_SELL, quote) for quote in ask_todo.missing))
    crossing = bid_todo.crossing + ask_todo.crossing
    if not (cancels or changes or places or crossing):
        return NOTHING
    return Plan(cancels, tuple((order.client_order_id, quote) for order, quote in changes), places, crossing)


def backed_off(side: Side, price: Price, instrument: Instrument, ticks: int) -> Price:
    """Return a wanted price this many ticks further from the market.

    Only asked after the venue refused: the market moved while the order traveled. At most BACK_OFF_TICKS_MAX ticks; a
    bid never falls off the lowest legal price.
    """
    for _ in range(min(ticks, BACK_OFF_TICKS_MAX)):
        further = instrument.ceil(Price(price + 1)) if side is _SELL else instrument.floor(Price(price - 1))
        price = further or price
    return price


def _is_shown(
    quotes: tuple[Quote, ...],
    resting: list[WorkingOrderView],
    in_flight: int,
    facing: int,
    instrument: Instrument,
    settings: MakerSettings,
) -> bool:
    """Say whether the open orders of one side, taken in turn, show the quotes, but for those in flight may stand for.

    The quick look of every market event. False does not mean that there is something to do, only that it takes a
    closer look.
    """
    open_count = len(resting)
    if open_count > len(quotes) or len(quotes) > open_count + in_flight:
        return False
    index = 0
    for quote in quotes:
        if index < open_count and _is_close(resting[index], quote, facing, instrument, settings):
            index += 1
    return index == open_count


def _price(order: WorkingOrderView) -> int:
    return order.price


def _is_close(
    order: WorkingOrderView, quote: Quote, facing: int, instrument: Instrument, settings: MakerSettings
) -> bool:
    """Say whether an open order may stay for a wanted quote.

    facing is the best price wanted on the other side (0: none). An order at another price than wanted does not stay
    on or beyond it: it would stand in the way of our own quote.
    """
    distance = abs(order.price - quote.price)
    if distance:
        ticks = settings.reprice_ticks
        if ticks == 0 or (facing and (order.price - facing) * order.side >= 0):
            return False
        if distance > ticks * instrument.tick_min and distance > ticks * instrument.tick(quote.price):
            return False
    difference = abs(order.lots - order.filled_lots - quote.lots)
    return difference == 0 or difference * RATE_UNIT <= settings.resize_share * quote.lots


class _SideTodo(msgspec.Struct, frozen=True):
    """The actions of one side: orders to change, orders to cancel, quotes to place, quotes left out."""

    changes: list[_Replacement]
    idle: list[WorkingOrderView]
    missing: list[Quote]
    crossing: int


def _plan_side(
    side: Side,
    quotes: tuple[Quote, ...],
    resting: list[WorkingOrderView],
    in_flight: list[WorkingOrderView],
    facing: int,
    best: int,
    instrument: Instrument,
    settings: MakerSettings,
) -> _SideTodo:
    """Return what to do on one side; best is the market's best opposite price, 0 when unknown."""
    free: list[Quote] = []
    taking: list[Quote] = []
    for quote in quotes:
        (taking if best and (quote.price - best) * side >= 0 else free).append(quote)
    close = [
        [index for index, order in enumerate(resting) if _is_close(order, quote, facing, instrument, settings)]
        for quote in (*free, *taking)
    ]
    holders = _match([*free, *taking], resting, close, len(free))
    kept = set(holders)
    idle = [order for index, order in enumerate(resting) if index not in kept]
    missing = [quote for quote, holder in zip(free, holders, strict=False) if holder < 0]
    left_out = sum(1 for holder in holders[len(free) :] if holder < 0)
    spare = _cover(missing, in_flight)
    changed = min(len(idle), len(missing)) if settings.use_replace else 0
    changes = list(zip(idle[:changed], missing[:changed], strict=True))
    return _SideTodo(changes, idle[changed:], missing[changed:], max(left_out - spare, 0))


def _cover(missing: list[Quote], in_flight: list[WorkingOrderView]) -> int:
    """Take out of missing what orders in flight stand for, equal prices first; return how many stand for nothing."""
    spare = len(in_flight)
    for order in in_flight:
        for index, quote in enumerate(missing):
            if quote.price == order.price:
                del missing[index]
                spare -= 1
                break
    covered = min(spare, len(missing))
    del missing[:covered]
    return spare - covered


def _match(quotes: list[Quote], orders: list[WorkingOrderView], close: list[list[int]], free_count: int) -> list[int]:
    """Return for each quote the index of the order kept for it, or -1: as many as possible.

    A largest matching by augmenting paths, started from pairs of equal price. The first free_count quotes are served
    to the full before the others (which would cross), so that an order is kept for a quote we can show.
    """
    holders = [-1] * len(quotes)
    taken = [-1] * len(orders)
    for positions in (range(free_count), range(free_count, len(quotes))):
        for position in positions:
            for index in close[position]:
                if taken[index] < 0 and orders[index].price == quotes[position].price:
                    holders[position], taken[index] = index, position
                    break
        for position in positions:
            if holders[position] < 0:
                _augment(position, close, holders, taken, set())
    return holders


def _augment(position: int, close: list[list[int]], holders: list[int], taken: list[int], seen: set[int]) -> bool:
    """Find an order for one more quote by moving others; say whether there was a way."""
    for index in close[position]:
        if index in seen:
            continue
        seen.add(index)
        if taken[index] < 0 or _augment(taken[index], close, holders, taken, seen):
            holders[position], taken[index] = index, position
            return True
    return False


def _meets(buy_changes: list[_Replacement], sell_changes: list[_Replacement]) -> bool:
    """Say whether a bid would move onto an ask of ours that is about to leave: then the ask goes first."""
    if not buy_changes or not sell_changes:
        return False
    highest = max(quote.price for _, quote in buy_changes)
    return highest >= min(order.price for order, _ in sell_changes)
