"""The order-list hash: one digest over every command a run sent to its venue, in order.

Equal hashes mean equal decisions: same sequence, prices, sizes, terms and times. The run's own id is left out, so that
two runs of the same data can be compared. The gate of determinism: a second run, another PYTHONHASHSEED, the live loop
on the same data must give the same hash.
"""

from hashlib import sha256

import msgspec

from domain.commands import CancelOrder, Command, PlaceOrder, ReplaceOrder
from domain.identifiers import NO_ORDER

_ENCODER = msgspec.msgpack.Encoder()
SEQUENCE_DIGITS = 16


class OrderList:
    """Folds commands into one digest."""

    def __init__(self) -> None:
        """Start with no orders."""
        self._hash = sha256()
        self.count = 0

    def take(self, command: Command) -> None:
        """Fold in one command; wakes and questions are not orders."""
        if isinstance(command, PlaceOrder | ReplaceOrder | CancelOrder):
            order = int(command.client_order_id[-SEQUENCE_DIGITS:], 16)
            self._hash.update(_ENCODER.encode((order, msgspec.structs.replace(command, client_order_id=NO_ORDER))))
            self.count += 1

    def hexdigest(self) -> str:
        """Return the SHA-256 so far as 64 hex digits."""
        return self._hash.hexdigest()
