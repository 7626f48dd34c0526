"""What becomes of our orders: evidence from replies, pushes and questions in, each fact out once.

Theory of operation. The same thing is learned several times and in any order: from the reply to an action, from
orderUpdates, from fills, from orderStatus. Every piece of evidence goes through here and moves one `Track`; a fact is
told when the track first learns it. An end that shows that fills are still to come waits for them (and asks for them
after a while), so that an order's facts come in an order that makes sense.

Laws: accepted before any fill, an end once and last, except for fills that nobody could know of; nothing ends without
proof: a reply, a status, or a fill; a status nobody knows proves nothing.
Source: HYPERLIQUID 3.2, 3.5, 5.4, 5.5.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec import structs

from domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderStatus,
    OrderStatusReported,
    ReplaceRefused,
)
from domain.identifiers import NO_ORDER, ClientOrderId, VenueOrderId
from domain.order import FillCause
from domain.reasons import Reason
from domain.units import Lots, Price
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.codec_orders import KNOWN, Fate, fate_of, reason_of_status
from exchange.hyperliquid.counters import Counters, count
from exchange.hyperliquid.order_track import Ending, Track
from exchange.hyperliquid.telling import Teller
from exchange.hyperliquid.wire_account import FrontendOrder, OpenOrder, OrderUpdate

FILLED_FIRST: Final = Reason.VENUE_UNKNOWN_ORDER
TRACKS_MAX: Final = 10_000
"""Orders remembered; the oldest ended ones are forgotten."""


class OrderFates:
    """Our orders, by our name and by the venue's numbers."""

    def __init__(
        self,
        coins: dict[str, Numbers],
        teller: Teller,
        counters: Counters,
        on_missing: Callable[[Track], None],
    ) -> None:
        """Call on_missing for an order whose end is proven while fills before it were not told."""
        self._coins, self._teller, self._counters, self._on_missing = coins, teller, counters, on_missing
        self.tracks: dict[str, Track] = {}
        self._names: dict[int, str] = {}

    def find(self, name: str | None, order_id: int = 0) -> Track | None:
        """Return an order by our name, or by the venue's number."""
        track = self.tracks.get(name) if name else None
        return track or self.tracks.get(self._names.get(order_id, ""))

    def add(self, track: Track) -> Track:
        """Remember an order; forget the oldest ended ones when there are too many."""
        self.tracks[track.client_order_id] = track
        if len(self.tracks) > TRACKS_MAX:
            old = [name for name, one in self.tracks.items() if one.ended is not None][: TRACKS_MAX // 10]
            for name in old:
                gone = self.tracks.pop(name)
                for number in (*gone.older_ids, gone.venue_order_id):
                    self._names.pop(number, None)
        return track

    # Evidence.

    def accept(self, track: Track, order_id: int) -> None:
        """The venue has the order under this number."""
        if not track.venue_order_id:
            self._number(track, order_id)
        if track.is_accepted or track.ended is not None:
            return
        track.is_accepted = True
        self._tell(OrderAccepted, track, venue_order_id=VenueOrderId(track.venue_order_id))

    def reject(self, track: Track, reason: Reason, text: str) -> None:
        """The venue refused the order, or it never left."""
        if track.ended is None and track.ending is None:
            self._close(track, Fate.REJECTED)
            self._tell(OrderRejected, track, reason=reason, venue_text=text)

    def replaced(self, track: Track, order_id: int, price: int, lots: int) -> None:
        """The order has a new number and terms. lots: size of the new number alone."""
        if order_id <= track.venue_order_id:
            return
        track.older_ids.append(track.venue_order_id)
        self._number(track, order_id)
        track.replacement = None
        track.price, track.lots = price, track.filled_before + lots
        if track.ended is None:
            track.ending = None
            self._tell_replaced(track)

    def refuse_replace(self, track: Track, reason: Reason, text: str, *, is_gone: bool) -> None:
        """The venue refused the new terms. is_gone is proven by the caller."""
        replacement, track.replacement = track.replacement, None
        if replacement is None or track.ended is not None:
            return
        is_gone = is_gone or replacement.canceled is not None
        if is_gone:
            self._close(track, Fate.CANCELED)
        elif track.filled_lots >= track.lots:
            self._close(track, Fate.FILLED)
        self._tell(ReplaceRefused, track, reason=reason, venue_text=text, is_gone=is_gone)

    def update(self, update: OrderUpdate) -> None:
        """Take a pushed update."""
        order = update.order
        track = self.find(_name(order), order.order_id)
        if track is None:
            self._counters.foreign_orders += 1
        else:
            self.learn(track, order, update.status)

    def learn(self, track: Track, order: OpenOrder | FrontendOrder, status: str) -> Fate:
        """Take what the venue says of one number of an order; return what that means for the order."""
        if status not in KNOWN:
            count(self._counters.unknown_statuses, status)
        fate, number = fate_of(status), order.order_id
        if fate is Fate.UNKNOWN or number in track.older_ids or number < track.venue_order_id:
            return Fate.UNKNOWN
        is_other = 0 < track.venue_order_id < number
        if fate is Fate.REJECTED:
            if not is_other:
                self.reject(track, reason_of_status(status), status)
            # A refused replacement: it says nothing of the old number.
            return Fate.UNKNOWN if is_other else fate
        size = self._lots(track, order.original_size if isinstance(order.original_size, str) else order.size)
        left = self._lots(track, order.size)
        if size is None or left is None:
            self._counters.malformed += 1
            return Fate.UNKNOWN
        if is_other:
            price = self._price(track, order.limit_price)
            self.replaced(track, number, track.price if price is None else price, size)
        self.accept(track, number)
        track.lots = track.lots or size
        if fate is Fate.FILLED:
            self.end(track, Ending(fate, status, size))
        elif fate is Fate.CANCELED:
            self._canceled(track, Ending(fate, status, size - left))
        return fate

    def _canceled(self, track: Track, ending: Ending) -> None:
        """The current number was canceled; while it is being replaced that may be the replacement itself."""
        if track.replacement is not None:
            track.replacement.canceled = ending
        else:
            self.end(track, ending)

    def end(self, track: Track, ending: Ending) -> None:
        """The order has ended; tell it when the fills before its end are told."""
        if track.ended is not None or (track.ending is not None and track.ending.filled_lots is not None):
            return
        track.ending = ending
        self._end_if_told(track)
        if track.ended is None:
            self._on_missing(track)

    def filled(self, fact: OrderFilled) -> None:
        """Tell a fill, of our order or not."""
        track = None
        if fact.cause is FillCause.ORDER:
            track = self.find(fact.client_order_id, fact.venue_order_id)
        if track is None:
            self._teller.tell(fact)
            return
        number = fact.venue_order_id
        if track.ended is None:
            if number > track.venue_order_id > 0 and track.replacement is not None:
                self.replaced(track, number, track.replacement.price, track.replacement.lots)
            self.accept(track, number)
            if number in track.older_ids:
                # The old number was filled further than we knew when its replacement was told.
                track.lots += fact.lots
                self._tell_replaced(track)
        track.filled_by[number] = track.filled_by.get(number, 0) + fact.lots
        if fact.client_order_id == NO_ORDER:
            fact = structs.replace(fact, client_order_id=track.client_order_id)
        self._teller.tell(fact)
        if track.ended is None:
            # Of another process's order only the venue knows the size.
            if track.filled_lots >= track.lots > 0 and track.replacement is None:
                self._close(track, Fate.FILLED)
            else:
                self._end_if_told(track)

    def give_up_waiting(self, track: Track) -> None:
        """Tell an end although fills before it did not show: the end itself is proven."""
        if track.ending is not None and track.ended is None:
            self._tell_end(track, track.ending)

    def settle_replacement(self, track: Track) -> None:
        """Forget a replacement that can no longer happen; an end that waited for its answer is the order's."""
        replacement, track.replacement = track.replacement, None
        if replacement is not None and replacement.canceled is not None:
            self.end(track, replacement.canceled)

    def report(self, track: Track, status: OrderStatus) -> None:
        """Answer the engine's question."""
        track.is_asked, track.doubts = False, 0
        self._tell(OrderStatusReported, track, status=status, filled_lots=Lots(track.filled_lots))

    def never_seen(self, track: Track) -> None:
        """It is proven that the order does not exist and never will."""
        self._close(track, Fate.UNKNOWN)
        self._counters.doubts_proven += 1
        self.report(track, OrderStatus.NEVER_SEEN)

    # Telling.

    def _end_if_told(self, track: Track) -> None:
        ending = track.ending
        if ending is not None and (ending.filled_lots is None or track.filled_current >= ending.filled_lots):
            self._tell_end(track, ending)

    def _tell_end(self, track: Track, ending: Ending) -> None:
        replacement = track.replacement
        self._close(track, ending.fate)
        if replacement is not None and ending.fate is Fate.FILLED:
            # What is filled cannot be replaced any more, whatever the answer says and if it ever comes.
            self._tell(ReplaceRefused, track, reason=FILLED_FIRST, venue_text=ending.status, is_gone=False)
        is_complete = track.filled_lots >= track.lots > 0
        if ending.fate is Fate.CANCELED:
            reason = reason_of_status(ending.status)
            if track.is_immediate and reason is Reason.NONE and not track.is_cancel_sent:
                self._tell(OrderExpired, track)
            else:
                text = "" if reason is Reason.NONE else ending.status
                self._tell(OrderCanceled, track, reason=reason, venue_text=text)
        elif track.is_immediate and not is_complete:
            self._tell(OrderExpired, track)
        elif not is_complete:
            # Filled at less than its size: the venue took the rest away (reduce-only).
            self.report(track, OrderStatus.FILLED)

    def _tell_replaced(self, track: Track) -> None:
        self._tell(
            OrderReplaced,
            track,
            venue_order_id=VenueOrderId(track.venue_order_id),
            price=Price(track.price),
            lots=Lots(track.lots),
        )

    def _tell(self, kind: Any, track: Track, **fields: Any) -> None:
        """Tell an order fact; replies carry no time of the venue, so the time of receipt stands for it."""
        now_ns = self._teller.now_ns
        self._teller.tell(kind(ts_event_ns=now_ns, ts_recv_ns=now_ns, client_order_id=track.client_order_id, **fields))

    def _close(self, track: Track, fate: Fate) -> None:
        track.ended, track.ending, track.replacement = fate, None, None

    def _number(self, track: Track, order_id: int) -> None:
        track.venue_order_id = order_id
        self._names[order_id] = track.client_order_id

    def _lots(self, track: Track, text: str) -> int | None:
        try:
            return self._coins[track.symbol].lots(text)
        except ValueError:
            return None

    def _price(self, track: Track, text: str) -> int | None:
        try:
            return self._coins[track.symbol].price(text)
        except ValueError:
            return None


def _name(order: OpenOrder) -> ClientOrderId | None:
    name = order.client_order_id
    return ClientOrderId(name) if isinstance(name, str) else None
