"""The exchange counter: takes the body of `POST /exchange`, or of a posted action, and gives the answer.

Theory of operation. The gate finds out who asks and whether the action may run; the actions do it to the venue, the
registry and the purse; the answer is bytes. The counter reads no clock and opens no socket.

Laws: whatever comes in, an answer goes out: HTTP 422 for what nobody can read, HTTP 200 with `status` for the rest. An
action is carried out wholly before the answer exists. Money is conserved (purse.py).
Source: HYPERLIQUID 3, 4, 12.1.
"""

from domain.units import NS_PER_MS
from exchange.simulated.accounts import Account
from exchange.simulated.venue import Venue
from services.venue_server.actions import Actions
from services.venue_server.actions_account import AccountActions
from services.venue_server.actions_orders import OrderActions
from services.venue_server.actions_user import UserActions
from services.venue_server.address_limits import AddressLimits
from services.venue_server.answer import Answer
from services.venue_server.conditions import CALM, Conditions
from services.venue_server.counter_settings import CounterSettings
from services.venue_server.gate import Gate
from services.venue_server.purse import Purse
from services.venue_server.registry import Registry


class Counter:
    """Where actions are handed in."""

    def __init__(
        self,
        venue: Venue,
        registry: Registry,
        settings: CounterSettings | None = None,
        conditions: Conditions = CALM,
    ) -> None:
        """Open over a venue and its people."""
        self.venue = venue
        self.registry = registry
        self.settings = settings = settings if settings is not None else CounterSettings()
        self.limits = AddressLimits(is_on=settings.limits_on)
        self.purse = Purse(venue, registry)
        self.gate = Gate(venue, registry, self.limits, settings)
        orders = OrderActions(venue, settings.open_questions, conditions)
        account = AccountActions(venue, registry, self.purse, self.limits, settings, orders.symbols)
        self._user = UserActions(venue, registry, self.purse, self.gate.nonces, settings)
        self._actions = Actions(orders, account, self._user)

    def exchange(self, body: bytes, now_ns: int, claimed: str = "") -> Answer:
        """Carry out an action and answer it. claimed is who the caller says it is, heard under Policy.OFF alone."""
        entry = self.gate.admit(body, now_ns, claimed)
        if isinstance(entry, Answer):
            return entry
        return self._actions.carry_out(entry, now_ns)

    def open_account(self, address: str, cash: int, spot: int = 0) -> Account:
        """Return the account of a master, opened with margin cash and a spot balance when new. Units: Money."""
        address = address.lower()
        self.registry.open(address, spot)
        return self.venue.open_account(address, cash)

    def approve_agent(self, master: str, agent: str, name: str, now_ns: int, valid_until_ns: int | None = None) -> str:
        """Let an agent act for a master without anybody's signature; return why not, in the venue's words."""
        until_ms = valid_until_ns // NS_PER_MS if valid_until_ns is not None else None
        return self._user.let_agent(self.registry.open(master.lower()), agent.lower(), name, until_ms, now_ns)
