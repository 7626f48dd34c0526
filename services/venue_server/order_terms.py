"""Orders from the wire into the venue's words, and the venue's results back onto the wire.

Laws: pure; text becomes integers here and nowhere else in the counter; what has more digits than the instrument is
refused in the venue's words, never rounded. Source: HYPERLIQUID 3.2, 6.2.
"""

from msgspec import UNSET

from domain.errors import InvariantBroken
from domain.instrument import Instrument
from domain.order import TimeInForce
from domain.units import RATE_UNIT, parse_scaled
from exchange.hyperliquid.wire import Maybe
from exchange.hyperliquid.wire_actions import Filled, OrderTerms, PlaceAction, Resting, Status
from exchange.simulated import refusals
from exchange.simulated.records import OrderResult, Surcharge, Terms, Trigger, VenueOrder
from services.venue_server.replies import decimal_text

IMMEDIATE = frozenset({"Ioc", "FrontendMarket"})
TENTH_BP = RATE_UNIT // 100_000
WAITING = {"fill": "waitingForFill", "trigger": "waitingForTrigger"}


def terms_of(order: OrderTerms, instrument: Instrument, surcharge: Surcharge | None = None) -> Terms | str:
    """Return an order as the venue takes it, or the venue's words for numbers that its grid does not have."""
    lots = _scaled(order.size, instrument.size_decimals)
    if lots is None:
        return refusals.INVALID_SIZE
    price = _scaled(order.price, instrument.price_decimals)
    limit, trigger = order.kind.limit, order.kind.trigger
    wake = _scaled(trigger.trigger_price, instrument.price_decimals) if trigger is not UNSET else 0
    if price is None or wake is None:
        return refusals.INVALID_TICK
    time_in_force = limit.time_in_force if limit is not UNSET else "Gtc"
    return Terms(
        symbol=instrument.symbol,
        side=1 if order.is_buy else -1,
        price=price,
        lots=lots,
        time_in_force=TimeInForce.IOC if time_in_force in IMMEDIATE else TimeInForce.GTC,
        post_only=time_in_force == "Alo",
        reduce_only=order.reduce_only,
        client_order_id=order.client_order_id.lower() if order.client_order_id is not UNSET else "",
        trigger=None
        if trigger is UNSET
        else Trigger(price=wake, is_market=trigger.is_market, is_take_profit=trigger.kind == "tp"),
        surcharge=surcharge,
    )


def surcharge_of(action: PlaceAction) -> Surcharge | None:
    """Return what a builder earns on the orders of an action; None for nothing."""
    builder = action.builder
    if builder is UNSET or not builder.fee_tenths_bp:
        return None
    return Surcharge(builder.address.lower(), builder.fee_tenths_bp * TENTH_BP)


def _scaled(text: str, decimals: int) -> int | None:
    """Return a decimal as an integer, None when it has too many digits on either side of the point."""
    try:
        return parse_scaled(text, decimals)
    except ValueError:
        return None


def status_of(result: OrderResult, instrument: Instrument, *, partial_rests: bool) -> Status | str:
    """Return what the answer says about an order that was taken. partial_rests: see OpenQuestions.

    Raises: InvariantBroken when there is no order.
    """
    order = result.order
    if order is None:
        raise InvariantBroken("the venue answered an order with neither an order nor a refusal")
    if result.waiting:
        return WAITING[result.waiting]
    name = _name(order)
    if not order.is_open and not result.filled_lots:
        return Status(error=_why_gone(order))
    if result.filled_lots and not (partial_rests and order.is_open):
        return Status(
            filled=Filled(
                size=decimal_text(result.filled_lots, instrument.size_decimals),
                average_price=decimal_text(average_price(result, instrument), instrument.price_decimals),
                order_id=order.venue_order_id,
                client_order_id=name,
            )
        )
    return Status(resting=Resting(order_id=order.venue_order_id, client_order_id=name))


def _why_gone(order: VenueOrder) -> str:
    """Return the words for an order that was taken, found nobody who could trade with it, and did not rest."""
    if order.time_in_force is TimeInForce.IOC:
        return refusals.IOC_UNMATCHED
    return refusals.REDUCE_ONLY if order.reduce_only else refusals.MARGIN


def average_price(result: OrderResult, instrument: Instrument) -> int:
    """Return the average price of what an order took at once, rounded half up. Units: price units."""
    quantity = result.filled_lots * instrument.money_per_unit
    return (2 * result.filled_notional + quantity) // (2 * quantity)


def _name(order: VenueOrder) -> str | Maybe:
    return order.client_order_id or UNSET
