"""`POST /info`: reads the question, finds who knows the answer, weighs it.

Laws: nothing here changes the venue; whatever is asked, there is an answer: HTTP 422 and a text when nobody can read
the question, else HTTP 200 and JSON, `null` included. Weights count the rows told.
Source: HYPERLIQUID 2, 7.1.
"""

from collections.abc import Mapping

from domain.units import NS_PER_MS
from exchange.hyperliquid.wire import encoded
from exchange.simulated.venue import Venue
from services.venue_server.address_limits import AddressLimits
from services.venue_server.answer import Answer, undecodable
from services.venue_server.info_account import ACCOUNT_QUERIES
from services.venue_server.info_market import MARKET_QUERIES
from services.venue_server.info_person import PERSON_QUERIES
from services.venue_server.questions import Query, Sources, question_of
from services.venue_server.registry import Registry
from services.venue_server.tape import Tape

QUERIES: Mapping[str, Query] = {**MARKET_QUERIES, **ACCOUNT_QUERIES, **PERSON_QUERIES}


class InfoDesk:
    """Answers questions about a venue."""

    def __init__(self, venue: Venue, registry: Registry, tape: Tape, limits: AddressLimits) -> None:
        """Know where to look. tape is the one the channels feed, limits are the counter's."""
        self.sources = Sources(venue, registry, tape, limits)

    def answer(self, body: bytes, now_ns: int) -> Answer:
        """Return the answer to the body of a request."""
        asked = question_of(body, QUERIES)
        if asked is None:
            return undecodable()
        query = QUERIES[asked.type]
        told = query.make(self.sources, asked, now_ns // NS_PER_MS)
        rows = len(told) if query.items_per_weight and isinstance(told, list) else 0
        weight = query.weight + (rows // query.items_per_weight if rows else 0)
        return Answer(body=encoded(told), weight=weight)
