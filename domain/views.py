"""Read-only snapshots that the organs hand each other: siblings never see each other's insides."""

import msgspec

from domain.identifiers import ClientOrderId
from domain.lifecycle import State
from domain.order import Side
from domain.units import Lots, Money, Price, Rate


class MarketView(msgspec.Struct, frozen=True, gc=False):
    """What we know of one market now. Prices of 0 are unknown. ts_ns is when it last changed, in engine time."""

    symbol: str
    bid_price: Price
    bid_lots: Lots
    ask_price: Price
    ask_lots: Lots
    mark_price: Price
    oracle_price: Price
    funding_rate: Rate
    ts_ns: int

    @property
    def mid_x2(self) -> int:
        """Best bid plus best ask: twice the mid price, exact; 0 when a side is unknown."""
        return self.bid_price + self.ask_price if self.bid_price and self.ask_price else 0


class ExposureView(msgspec.Struct, frozen=True, gc=False):
    """One instrument's position and what resting or in-flight orders could still add, by side. Units: lots."""

    symbol: str
    position: Lots
    open_buy_lots: Lots
    open_sell_lots: Lots


class AccountView(msgspec.Struct, frozen=True, gc=False):
    """The account at current marks, as the risk manager and the pre-check see it.

    Units: Money. exposure is the sum over instruments of the worst-case notional (position plus resting orders on the
    larger side) at mark; margin_used is initial margin of the same; loss_today > 0 is a loss since 00:00 UTC.
    """

    equity: Money
    exposure: Money
    margin_used: Money
    loss_today: Money
    drawdown: Rate
    open_orders: int


class WorkingOrderView(msgspec.Struct, frozen=True, gc=False):
    """One live order as the maker router compares it with the wanted quotes."""

    client_order_id: ClientOrderId
    side: Side
    price: Price
    lots: Lots
    filled_lots: Lots
    state: State

    @property
    def leaves_lots(self) -> int:
        """What is still open."""
        return self.lots - self.filled_lots
