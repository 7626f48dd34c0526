"""Questions to `POST /info`: how they are read, what they may look at, and how a kind of question is described.

Laws: whatever comes is a `Question` or None, and None is answered with HTTP 422. Addresses are lower-case from here on.
Source: HYPERLIQUID 2, 2.1, 7.1.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

from exchange.hyperliquid.wire import Wire
from exchange.simulated.market import Market
from exchange.simulated.venue import Venue
from services.venue_server.address_limits import AddressLimits
from services.venue_server.registry import Registry
from services.venue_server.tape import Tape

ROWS_MAX = 500
"""Rows of one answer about a span of time. Source: HYPERLIQUID 2."""

TIME_END_MS = 1 << 53
"""Later times are noise."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NAME = re.compile(r"0x[0-9a-fA-F]{32}")
ADDRESSES = ("user", "builder", "vault_address")


class Span(Wire, frozen=True, kw_only=True, gc=False):
    """The inside of `candleSnapshot`."""

    coin: str
    interval: str
    start_time: int
    end_time: int | None = None


class Question(Wire, frozen=True, kw_only=True, gc=False):
    """Everything a question may carry; which keys count depends on its type."""

    type: str
    user: str | None = None
    dex: str | None = None
    coin: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    target: int | str | None = msgspec.field(default=None, name="oid")
    figures: int | None = msgspec.field(default=None, name="nSigFigs")
    mantissa: int | None = None
    aggregate_by_time: bool | None = None
    reversed: bool | None = None
    builder: str | None = None
    vault_address: str | None = None
    id: int | None = None
    span: Span | None = msgspec.field(default=None, name="req")

    @property
    def is_elsewhere(self) -> bool:
        """Say whether it is about a market of somebody else, of which there is none here."""
        return bool(self.dex)


class Sources(msgspec.Struct, frozen=True):
    """Everything an answer is made from."""

    venue: Venue
    registry: Registry
    tape: Tape
    limits: AddressLimits

    def markets(self) -> list[Market]:
        """Return the markets in the order of their asset ids."""
        return sorted(self.venue.markets.values(), key=lambda market: market.instrument.asset_id)

    def market(self, coin: str | None) -> Market | None:
        """Return the market of a coin, None for one nobody lists."""
        return self.venue.markets.get(coin) if coin is not None else None


Maker = Callable[[Sources, Question, int], object]
"""Makes an answer from the sources, the question and the time in ms."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of question.

    needs are the fields it cannot do without; weight is the IP weight, one more for each items_per_weight rows told.
    """

    make: Maker
    needs: tuple[str, ...] = ()
    weight: int = 20
    items_per_weight: int = 0


_QUESTION = msgspec.json.Decoder(Question)


def question_of(body: bytes, queries: Mapping[str, Query]) -> Question | None:
    """Return the question a body asks, None when nobody can read it or it is about nothing we know."""
    try:
        asked = _QUESTION.decode(body)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        # Broken JSON, numbers beyond all types, nesting beyond the stack.
        return None
    query = queries.get(asked.type)
    if query is None or any(getattr(asked, name) is None for name in query.needs) or not _is_sound(asked):
        return None
    changes = {name: value.lower() for name in ADDRESSES if isinstance(value := getattr(asked, name), str)}
    return msgspec.structs.replace(asked, **changes) if changes else asked


def is_address(text: str) -> bool:
    """Say whether a text is an address, in any case."""
    return _ADDRESS.fullmatch(text) is not None


def _is_sound(asked: Question) -> bool:
    """Say whether the values are of the kind they should be."""
    span = asked.span
    times = (asked.start_time, asked.end_time, span.start_time if span else 0, span.end_time if span else 0)
    return (
        all(is_address(value) for name in ADDRESSES if isinstance(value := getattr(asked, name), str))
        and all(time is None or 0 <= time < TIME_END_MS for time in times)
        and (not isinstance(asked.target, str) or _NAME.fullmatch(asked.target) is not None)
    )
