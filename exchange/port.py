"""The door to a venue: what the drivers need of it, and nothing more.

Why it exists: live, paper and backtest are one engine with different answerers. A driver knows only this protocol, so
the simulated venue and the real one stand in the same place.

Rule 1: facts come out in the order of their receive time. Rule 2: whatever is sent leaves the bot at its `ts_ns`.
"""

from typing import Protocol

import msgspec

from domain.commands import VenueCommand
from domain.events import Event
from domain.statement import VenueStatement
from domain.units import Money


class Statement(msgspec.Struct, frozen=True):
    """What the venue says we own. Units: cash in Money (buying lowers it by the notional), positions in signed lots.

    Flat instruments are absent. Equity is cash plus positions at mark.
    """

    cash: Money
    positions: dict[str, int]


class ExchangePort(Protocol):
    """A venue as seen by a driver: a stream of things that happen, and a way to send commands."""

    def next_ts_ns(self) -> int | None:
        """Return the time of the next thing to happen; None when nothing will until something is sent."""
        ...

    def advance(self) -> Event | None:
        """Make the next thing happen.

        Return the event when it reaches the bot (its ts_recv_ns is the time of the thing), None when it stays inside.
        """
        ...

    def send(self, command: VenueCommand) -> None:
        """Send a command, which leaves the bot at command.ts_ns."""
        ...

    def statement(self) -> Statement:
        """Return the account as of the last account fact handed out: nothing at all before the first one.

        Account facts are fills, funding, transfers and the account report; the same object comes back until the
        next of them, so a driver may compare by identity first. What the venue moved without telling is not in it
        until an account report tells.
        """
        ...

    def account_statement(self, account: str) -> VenueStatement:
        """Return what the venue itself knows of the account, told or not: the other side of a reconciliation.

        Its time is the venue's, which may be ahead of or behind the bot's by what is on the way.
        """
        ...
