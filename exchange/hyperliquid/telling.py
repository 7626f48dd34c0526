"""Facts on their way to the engine, in the order of receipt, with the statement in step.

Laws: receive times never fall; the statement handed out is that of the last account fact handed out, and empty before.
"""

from collections import deque

from domain.events import Event
from domain.units import Money
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.fold import Fold
from exchange.port import Statement


class Teller:
    """The facts told and not yet handed out."""

    def __init__(self, coins: dict[str, Numbers]) -> None:
        """Have nothing to tell."""
        self.now_ns = 0
        self.told = Fold(coins)
        """Everything told, handed out or not."""
        self._handed = Fold(coins)
        self._events: deque[Event] = deque()
        self._statement = Statement(Money(0), {})

    def begin(self, cash: int, positions: dict[str, int]) -> None:
        """Take what the account held before the first fact as given."""
        self.told.begin(cash, positions)
        self._handed.begin(cash, positions)

    def tell(self, event: Event) -> None:
        """Tell a fact; its ts_recv_ns must be now_ns."""
        self.told.take(event)
        self._events.append(event)

    def next_event(self) -> Event | None:
        """Hand out one fact."""
        if not self._events:
            return None
        event = self._events.popleft()
        if self._handed.take(event):
            self._statement = self._handed.statement()
        return event

    def statement(self) -> Statement:
        """Return the account as of the last account fact handed out."""
        return self._statement
