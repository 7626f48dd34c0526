"""What happened inside, for everybody who watches: logs, metrics, traces, SQL, the page. Nobody trades on a notice.

Every notice carries ts_ns, the engine's time, and nothing measured by a clock: two runs over the same events give the
same notices. Durations of computation are measured by the driver, outside.
"""

import msgspec

from domain.events import Level
from domain.identifiers import ClientOrderId, TradeId, VenueOrderId
from domain.lifecycle import State, Trigger
from domain.modes import Mode
from domain.order import FillCause, Liquidity, Side, TimeInForce
from domain.reasons import Reason
from domain.transaction import Transaction
from domain.units import Lots, Money, Price, Rate


class Report(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Base of every notice."""

    ts_ns: int


class OrderCreated(Report, frozen=True, gc=False):
    """An order exists from here on, with the terms it was wanted with."""

    client_order_id: ClientOrderId
    symbol: str
    side: Side
    price: Price
    lots: Lots
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool
    decision_mid_x2: int


class OrderTransitioned(Report, frozen=True, gc=False):
    """An order moved along one edge of the lifecycle. Every move gives exactly one of these.

    filled_lots, price and lots are the order's after the move; time_in_state_ns is the engine time spent before it.
    """

    client_order_id: ClientOrderId
    symbol: str
    from_state: State
    to_state: State
    trigger: Trigger
    reason: Reason
    time_in_state_ns: int
    price: Price
    lots: Lots
    filled_lots: Lots
    venue_order_id: VenueOrderId = VenueOrderId(0)
    detail: str = ""


class RiskDecided(Report, frozen=True, gc=False):
    """The risk manager approved (reason NONE or REDUCED_TO_FIT) or denied; limit and observed in the limit's unit."""

    client_order_id: ClientOrderId
    symbol: str
    reason: Reason
    lots_asked: Lots
    lots_approved: Lots
    limit: int = 0
    observed: int = 0


class PrecheckDecided(Report, frozen=True, gc=False):
    """The API pre-check passed (NONE) or refused an order before it was sent."""

    client_order_id: ClientOrderId
    symbol: str
    reason: Reason
    limit: int = 0
    observed: int = 0


class QuotesDecided(Report, frozen=True, gc=False):
    """The strategy's wish changed something at the router: what it wanted to show. Shape: (price, lots), best first."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    mid_x2: int


class FillBooked(Report, frozen=True, kw_only=True, gc=False):
    """One execution, booked. slippage > 0 is a cost against the mid at decision. Units: Money.

    start_position is the venue's word on our position just before, position_after ours just after. Mids are doubled to
    stay exact and 0 when unknown: at decision, when the venue took the order, when we learned of the fill.
    """

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    trade_id: TradeId
    symbol: str
    side: Side
    price: Price
    lots: Lots
    liquidity: Liquidity
    notional: Money
    fee: Money
    realized: Money
    slippage: Money
    position_after: Lots
    start_position: Lots
    decision_mid_x2: int
    arrival_mid_x2: int
    fill_mid_x2: int
    cause: FillCause = FillCause.ORDER


class MarkoutTaken(Report, frozen=True, gc=False):
    """Where the mid stood some time after a fill. sequence is that of the fill's transaction; mid_x2 is never 0.

    horizon_ns is the time since we learned of the fill; the mid is the last one known at exactly that moment.
    """

    sequence: int
    client_order_id: ClientOrderId
    symbol: str
    horizon_ns: int
    mid_x2: int


class FundingBooked(Report, frozen=True, gc=False):
    """One hourly funding settlement, booked; amount > 0 is received."""

    symbol: str
    hour_ns: int
    position: Lots
    rate: Rate
    oracle_price: Price
    amount: Money


class TransactionPosted(Report, frozen=True, gc=False):
    """The ledger took a transaction."""

    transaction: Transaction


class AccountMarked(Report, frozen=True, kw_only=True, gc=False):
    """The account at current marks, at a regular pulse and after every fill.

    Units: Money; drawdown and margin_ratio are Rates. net = realized + unrealized + funding - fees + rebates, and
    equity = transfers + unexplained + net; liquidation is a part of realized. value_at_risk is the 95 % one-pulse loss, positive.
    """

    equity: Money
    cash: Money
    realized: Money
    unrealized: Money
    funding: Money
    fees: Money
    rebates: Money
    slippage: Money
    net: Money
    transfers: Money
    unexplained: Money
    drawdown: Rate
    drawdown_max: Rate
    exposure: Money
    margin_used: Money
    margin_ratio: Rate
    value_at_risk: Money
    position_count: int
    open_orders: int
    positions: tuple[tuple[str, int, int, int], ...] = ()
    """(symbol, signed lots, cost in Money, unrealized in Money) of every open position."""
    liquidation: Money = Money(0)


class ModeChanged(Report, frozen=True, gc=False):
    """The bot may do something else now."""

    from_mode: Mode
    to_mode: Mode
    reason: Reason
    detail: str = ""


class KillSwitchEngaged(Report, frozen=True, gc=False):
    """The kill switch is latched. limit and observed in the limit's unit."""

    reason: Reason
    detail: str
    limit: int = 0
    observed: int = 0


class KillSwitchReset(Report, frozen=True, gc=False):
    """An operator released the kill switch."""

    detail: str


class LimitWarned(Report, frozen=True, gc=False):
    """A limit is near: nothing stops yet."""

    reason: Reason
    limit: int
    observed: int


class DiscrepancyFound(Report, frozen=True, kw_only=True, gc=False):
    """The venue's statement and our book differ: no new risk from here on.

    cash is venue less book in Money, positions (symbol, venue less book in signed lots). is_booked says that a second
    statement confirmed it and the difference went to the account of what nobody can explain.
    """

    cash: Money
    positions: tuple[tuple[str, int], ...]
    is_booked: bool
    detail: str = ""


class DiscrepancyClosed(Report, frozen=True, gc=False):
    """Nothing unexplained stands in the way of new risk any more: acknowledged by a person, or explained."""

    reason: Reason
    detail: str = ""


class MarketDataSkipped(Report, frozen=True, gc=False):
    """Market data was not used."""

    symbol: str
    reason: Reason
    detail: str = ""


class FactNoted(Report, frozen=True, gc=False):
    """A fact of the venue that was repeated, late or about nothing we know; booked if it moved money."""

    client_order_id: ClientOrderId
    reason: Reason
    detail: str = ""


Notice = (
    OrderCreated
    | OrderTransitioned
    | RiskDecided
    | PrecheckDecided
    | QuotesDecided
    | FillBooked
    | MarkoutTaken
    | FundingBooked
    | TransactionPosted
    | AccountMarked
    | ModeChanged
    | KillSwitchEngaged
    | KillSwitchReset
    | LimitWarned
    | DiscrepancyFound
    | DiscrepancyClosed
    | MarketDataSkipped
    | FactNoted
)
