"""What the venue tells: one call for every change that somebody outside may want to know.

Law: calls come in the order in which things happened, while they happen; a listener reads and never changes the venue.
"""

from domain.events import FundingPaid
from exchange.simulated.accounts import Account
from exchange.simulated.market import Market
from exchange.simulated.records import Execution, LedgerUpdate, VenueOrder


class Listener:
    """Everything the venue tells. Inherit from it: what you do not override stays silent."""

    def on_order(self, account: Account, order: VenueOrder) -> None:
        """An order changed its status, or was filled in part: status `open`, fewer leaves."""

    def on_execution(self, account: Account, execution: Execution) -> None:
        """An account traded."""

    def on_funding(self, account: Account, funding: FundingPaid) -> None:
        """A position was settled for an hour; ts_recv_ns is the venue's time too."""

    def on_update(self, account: Account, update: LedgerUpdate) -> None:
        """Money moved otherwise."""

    def on_trade(
        self,
        market: Market,
        price: int,
        lots: int,
        side: int,
        trade_id: int,
        ts_ns: int,
        action_hash: str,
        buyer: str,
        seller: str,
    ) -> None:
        """A trade happened, told once. side is the aggressor's; an address is empty for the outside market."""

    def on_book(self, market: Market) -> None:
        """The visible book of a market may have changed, by the outside or by an account."""

    def on_mark(self, market: Market) -> None:
        """Mark, oracle or funding rate of a market may have changed."""

    def on_liquidation(
        self, account: Account, liquidator: str, liquidation_id: int, notional: int, account_value: int
    ) -> None:
        """An account is being liquidated. Units: notional position and account value in Money, before it."""

    def on_non_user_cancel(self, account: Account, order: VenueOrder) -> None:
        """The venue canceled an order that nobody asked it to."""
