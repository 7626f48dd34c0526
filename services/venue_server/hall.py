"""The venue as a whole, without sockets: market, accounts, counters, channels, misfortune, joined in one timeline.

Theory of operation. Whatever arrives first brings the venue up to now (market events, funding, triggers, cool-downs),
then acts, and what it caused waits in the channels until the server takes it. So the order in which things happen is
the order of calls, and the same calls at the same times give the same answers and pushes, byte for byte.

Laws: every time handed in is the wall's; the venue's own is `now_ns`, which misfortune may move, and which never goes
back. A request is either carried out or not, and misfortune decides only who hears of it. A market that happens faster
than it can be played falls behind, and says so; it never keeps a request waiting for longer than EVENTS_MAX take.
"""

from collections.abc import Iterator

import msgspec

from domain.errors import ConfigInvalid
from domain.events import MarketEvent
from domain.units import NS_PER_SECOND, Money
from exchange.simulated.venue import Venue
from services.venue_server.accounts_file import OpeningAccount
from services.venue_server.answer import Answer, too_many
from services.venue_server.counter import Counter
from services.venue_server.fate import Fate, LineFate
from services.venue_server.info import InfoDesk
from services.venue_server.ip_limits import IpLimits, Visitor, Visitors
from services.venue_server.misfortune import Misfortune, MisfortuneSettings
from services.venue_server.subscriptions import Channels

EXCHANGE, INFO, SOCKET = "/exchange", "/info", "/ws"
DEPOSIT = "deposit"
EVENTS_MAX = 500
"""How many market events one call plays: a few milliseconds, and at fifty blocks a second 25,000 events a second."""
TOO_MANY_MESSAGES = b'{"channel":"error","data":"Rate limited: too many messages"}'


class Handled(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one request and how it travels. answer None: nobody ever hears."""

    answer: Answer | None
    late_ns: int = 0


class Hall:
    """Everything behind the doors."""

    def __init__(
        self,
        venue: Venue,
        feed: Iterator[MarketEvent],
        counter: Counter,
        info: InfoDesk,
        channels: Channels,
        misfortune: Misfortune,
        limits: IpLimits,
    ) -> None:
        """Join the parts; nothing happens before the first advance."""
        self.venue = venue
        self.counter = counter
        self.info = info
        self.channels = channels
        self.misfortune = misfortune
        self.visitors = Visitors(limits)
        self.now_ns = 0
        self._feed = feed
        self._next = next(feed, None)
        self._posts: list[tuple[bytes, Handled]] = []
        self._sockets: dict[int, Visitor] = {}
        self._connections = 0

    def advance(self, now_ns: int) -> None:
        """Bring the venue up to now."""
        now_ns = self.now_ns = max(now_ns + self.misfortune.skew_ns, self.now_ns)
        venue, event = self.venue, self._next
        for _ in range(EVENTS_MAX):
            if event is None or event.ts_event_ns > now_ns:
                break
            # What comes late happens when it comes: the venue may have answered somebody since.
            ts_ns = max(event.ts_event_ns, venue.now_ns)
            venue.on_time(ts_ns)
            venue.on_market(event, ts_ns)
            event = next(self._feed, None)
        self._next = event
        venue.on_time(now_ns)

    def fate_of(self, path: str) -> Fate:
        """Return what misfortune has in store for a request."""
        return self.misfortune.of_request(is_action=path == EXCHANGE)

    def handle(self, path: str, body: bytes, address: str, fate: Fate, now_ns: int) -> Handled:
        """Carry out one HTTP request, unless misfortune or the limits of its address say otherwise."""
        if fate.answer is not None:
            return Handled(answer=fate.answer)
        visitor = self.visitors.at(address)
        if not visitor.may_ask(now_ns):
            return Handled(answer=too_many())
        self.advance(now_ns)
        answer = self._carried_out(path, body, self.now_ns)
        visitor.spend(answer.weight, now_ns)
        return Handled(answer=None if fate.is_silent else answer, late_ns=fate.late_ns)

    def _carried_out(self, path: str, body: bytes, now_ns: int) -> Answer:
        return self.counter.exchange(body, now_ns) if path == EXCHANGE else self.info.answer(body, now_ns)

    def connect(self, address: str, now_ns: int) -> tuple[int, list[bytes]] | None:
        """Open a socket: its number and the first frames, None when the address has too many."""
        visitor = self.visitors.at(address)
        if not visitor.may_connect(now_ns):
            return None
        self._connections += 1
        self._sockets[self._connections] = visitor
        self.advance(now_ns)
        return self._connections, self.channels.connected(self._connections, self.now_ns, address)

    def receive(self, connection: int, frame: bytes, now_ns: int) -> list[bytes]:
        """Take one frame of a socket; return what is sent back at once."""
        if not self._sockets[connection].may_send(now_ns):
            return [TOO_MANY_MESSAGES]
        self.advance(now_ns)
        frames = self.channels.received(connection, frame, self.now_ns)
        return [sent for _, sent in self.misfortune.of_frames([(connection, one) for one in frames])]

    def posted(self, kind: str, payload: bytes, now_ns: int) -> Handled:
        """Carry out a request that came inside a frame: kind is `info` or `action`, now_ns the venue's time.

        What is slow elsewhere is carried out at once here, and answered late. Weights are of HTTP alone (HYPERLIQUID 7.1).
        """
        path = EXCHANGE if kind == "action" else INFO
        fate = self.fate_of(path)
        if fate.answer is not None:
            handled = Handled(answer=fate.answer)
        else:
            answer = self._carried_out(path, payload, now_ns)
            handled = Handled(answer=None if fate.is_silent else answer, late_ns=fate.wait_ns + fate.late_ns)
        self._posts.append((payload, handled))
        return handled

    def take_posts(self) -> list[tuple[bytes, Handled]]:
        """Return what came inside frames since the last call, and how it was handled."""
        posts, self._posts = self._posts, []
        return posts

    def disconnect(self, connection: int) -> None:
        """Close a socket."""
        self._sockets.pop(connection).disconnected()
        self.misfortune.forget(connection)
        self.channels.disconnected(connection)

    def fates_of_lines(self, now_ns: int) -> dict[int, LineFate]:
        """Return which sockets are dropped or stalled now."""
        return self.misfortune.of_lines(list(self._sockets), now_ns)

    def take_pushes(self, now_ns: int) -> list[tuple[int, bytes]]:
        """Return what is to be sent to sockets, in order, after misfortune had a look."""
        self.advance(now_ns)
        return self.misfortune.of_frames(self.channels.take_pushes(self.now_ns))

    def suffer(self, settings: MisfortuneSettings, now_ns: int) -> None:
        """Take other misfortune from now on."""
        self.advance(now_ns)
        self.misfortune.change(settings)
        self.advance(now_ns)
        self.misfortune.begin(self.now_ns)

    def open_account(self, account: OpeningAccount) -> None:
        """Open an account with what it has at opening, and its agents. Raises: ConfigInvalid for an agent refused."""
        counter = self.counter
        counter.open_account(account.address, account.usdc, account.spot_usdc)
        for agent in account.agents:
            refused = counter.approve_agent(account.address, agent.address, agent.name, self.now_ns)
            if refused:
                raise ConfigInvalid("account.agent", agent.address, f"an agent the venue takes ({refused})")

    def fund(self, address: str, amount: Money) -> None:
        """Deposit to an account, opened if need be. Units: Money > 0."""
        account = self.counter.open_account(address, Money(0))
        self.venue.deposit(account, amount, DEPOSIT, self.now_ns)

    def set_price(self, symbol: str, oracle_price: int, mark_price: int = 0) -> None:
        """Tell a market what the world outside pays, and its mark (0: as the rules make it). Units: price units.

        For markets that only participants feed.
        """
        self.venue.set_oracle(symbol, oracle_price, self.now_ns, mark_price)

    def gauges(self, now_ns: int) -> dict[str, float]:
        """Return the figures of `/metrics` that are states."""
        accounts, event = self.venue.accounts.values(), self._next
        venue_ns = now_ns + self.misfortune.skew_ns
        played_ns = self.now_ns if event is None else min(self.now_ns, event.ts_event_ns)
        return {
            "accounts": len(self.venue.accounts),
            "sockets": len(self._sockets),
            "open_orders": sum(len(account.orders) for account in accounts),
            "lag_seconds": max(venue_ns - played_ns, 0) / NS_PER_SECOND,
            "market_ended": event is None,
        }
