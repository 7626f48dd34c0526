"""Orders in doubt: asked about until their fate is proven.

Theory of operation (FIELD 4.1). The venue is asked by our name for the order. When it knows it, that is its fate. When
it does not, the action may still be on its way: a `noop` with the same nonce uses the nonce up, and once that is
answered ok the action can never run; what the venue still does not know after that was never seen. An action whose
expiresAfter has passed by the time of the venue's own blocks needs no noop: our clock may step. "duplicate nonce" proves
that the action is dead or done; it is done, and will show, unless a noop of ours may have used the nonce: then what the
venue still does not know SHOWN_MS later was never seen.

Laws: nothing here concludes from silence, from the number of questions or from time alone; the question that concludes
was asked after the proof that the action is dead.
"""

from collections.abc import Callable
from typing import Final

from msgspec import UNSET

from domain.events import OrderStatus
from domain.units import NS_PER_MS
from exchange.hyperliquid.account_facts import AccountFacts
from exchange.hyperliquid.codec_orders import DUPLICATE_NONCE, NONCE_TOO_LOW, REPORTED, Fate
from exchange.hyperliquid.counters import Counters
from exchange.hyperliquid.order_fates import OrderFates
from exchange.hyperliquid.order_replies import whole_error
from exchange.hyperliquid.order_track import Track
from exchange.hyperliquid.outbox import Outbox, Reply
from exchange.hyperliquid.paging import Page, page_after
from exchange.hyperliquid.requests import PROVEN_UNTAKEN, Failed
from exchange.hyperliquid.tolerance import Reader
from exchange.hyperliquid.wire_account import Fill, OpenOrder, OrderAnswer, order_status
from exchange.hyperliquid.wire_actions import NoopAction

STATUS_WEIGHT, LIST_WEIGHT = 2, 20
SHOWN_MS: Final = 5_000
"""By so much the venue's answers may be behind its blocks."""
DOUBT_MAX_NS: Final = 30_000 * NS_PER_MS
"""The longest pause between two questions about one order in doubt."""
MISSING_FIRST_NS: Final = 500 * NS_PER_MS
"""So long fills may follow the end of their order before they are asked for."""
MISSING_FETCHES_MAX: Final = 5
"""After so many lists without the missing fills an end is told without them."""
BURNT_MAX: Final = 1_000
FETCH_OVERLAP_MS: Final = 60_000
KNOWN_FATES: Final = {
    Fate.FILLED: OrderStatus.FILLED,
    Fate.CANCELED: OrderStatus.CANCELED,
    Fate.REJECTED: OrderStatus.REJECTED,
    Fate.UNKNOWN: OrderStatus.NEVER_SEEN,
}


class OrderQuestions:
    """Questions about orders."""

    def __init__(
        self,
        account: str,
        fates: OrderFates,
        facts: AccountFacts,
        outbox: Outbox,
        reader: Reader,
        counters: Counters,
        block_ms: Callable[[], int],
    ) -> None:
        """Ask for the orders of one account; block_ms tells the time of the venue's newest block we saw."""
        self._block_ms = block_ms
        self._account, self._fates, self._facts = account, fates, facts
        self._outbox, self._reader, self._counters = outbox, reader, counters
        self._burnt: dict[int, int] = {}
        """Nonces that can no longer run, with the time in ms from which a question concludes."""

    def ask(self, track: Track) -> None:
        """The engine wants to know: answer from what is proven, else ask the venue."""
        track.is_asked = True
        if track.ended is not None:
            self._fates.report(track, KNOWN_FATES[track.ended])
        elif track.ending is None:
            self.check(track)

    def check(self, track: Track) -> None:
        """Ask the venue for an order, by our name."""
        if not track.is_asking:
            track.is_asking = True
            self._ask_status(track, track.client_order_id)

    def check_by_number(self, track: Track) -> None:
        """Ask the venue for an order by its present number: what is asked for by name may be its replacement."""
        if not track.is_asking:
            track.is_asking = True
            self._ask_status(track, track.venue_order_id)

    def _ask_status(self, track: Track, target: str | int) -> None:
        asked_ms, is_expired = self._outbox.now_ns // NS_PER_MS, self._is_expired(track)
        self._outbox.ask(
            order_status(self._account, target),
            STATUS_WEIGHT,
            lambda reply: self._on_status(track, target, asked_ms, reply, is_expired=is_expired),
        )

    def _is_expired(self, track: Track) -> bool:
        """Say whether the placing action is too old for any block to come, and so long that answers show it."""
        return 0 < track.expires_ms < self._block_ms() - SHOWN_MS

    def _on_status(
        self, track: Track, target: str | int, asked_ms: int, reply: Reply, *, is_expired: bool = False
    ) -> None:
        track.is_asking = False
        answer = None if isinstance(reply, Failed) else self._reader.read(reply, OrderAnswer)
        if answer is None or track.ended is not None:
            self._stay_in_doubt(track)
        elif answer.order is not UNSET:
            order = answer.order.order
            was_open = track.venue_order_id
            fate = self._fates.learn(track, order, answer.order.status)
            if fate is Fate.UNKNOWN and 0 < was_open != order.order_id and target != was_open:
                # What was found by name is another number than the one that may still rest.
                self.check_by_number(track)
            else:
                self._conclude(track, fate)
        elif answer.status == "unknownOid":
            self._on_unknown(track, target, asked_ms, is_expired=is_expired)
        else:
            self._counters.malformed += 1
            self._stay_in_doubt(track)

    def _conclude(self, track: Track, fate: Fate) -> None:
        """The venue knows the order: settle what hung on it, and answer."""
        replacement = track.replacement
        if fate is Fate.UNKNOWN:
            self._stay_in_doubt(track)
            return
        if replacement is not None and replacement.is_refused and track.ended is None:
            is_gone = fate is Fate.CANCELED
            self._fates.refuse_replace(track, replacement.reason, replacement.text, is_gone=is_gone)
        elif fate is Fate.CANCELED:
            # The venue cancels and replaces in one step: a canceled order it knows no successor of has none.
            self._fates.settle_replacement(track)
        if track.is_asked:
            self._counters.doubts_proven += 1
        if track.is_asked and fate is Fate.LIVE and track.is_live:
            self._fates.report(track, REPORTED[fate])

    def _on_unknown(self, track: Track, target: str | int, asked_ms: int, *, is_expired: bool) -> None:
        """The venue does not know the order: proof, if its action was dead when we asked."""
        if track.is_accepted or isinstance(target, int) or not track.nonce:
            # It knew the order once, or another process placed it: not knowing it now proves nothing.
            self._stay_in_doubt(track)
            return
        if is_expired or (track.is_burnt and track.burnt_ms <= asked_ms):
            self._fates.never_seen(track)
        elif track.is_burnt:
            self._check_when_shown(track)
        else:
            track.is_asking = True
            self._outbox.act(
                NoopAction(),
                (track.client_order_id,),
                lambda reply: self._on_noop(track, reply),
                is_exit=True,
                nonce=track.nonce,
            )

    def _on_noop(self, track: Track, reply: Reply) -> None:
        track.is_asking = False
        error = None if isinstance(reply, Failed) else whole_error(reply, self._reader)
        now_ms = self._outbox.now_ns // NS_PER_MS
        if error == "":
            # The nonce was free until now: nothing with it ran before.
            track.is_burnt, track.burnt_ms = True, now_ms
        elif error is None:
            track.is_noop_open |= not isinstance(reply, Failed) or reply.kind not in PROVEN_UNTAKEN
        elif error.startswith(NONCE_TOO_LOW) or (track.is_noop_open and error.startswith(DUPLICATE_NONCE)):
            # Nothing with it will run any more; what ran before may take a while to show.
            track.is_burnt, track.burnt_ms = True, track.burnt_ms or now_ms + SHOWN_MS
        elif error.startswith(DUPLICATE_NONCE) and track.nonce in self._burnt:
            # The orders of one action share its nonce: the noop for another of them has used it up.
            track.is_burnt, track.burnt_ms = True, self._burnt[track.nonce]
        if not track.is_burnt:
            self._stay_in_doubt(track)
            return
        self._burnt.setdefault(track.nonce, track.burnt_ms)
        if len(self._burnt) > BURNT_MAX:
            del self._burnt[next(iter(self._burnt))]
        if track.ended is None:
            self._check_when_shown(track)

    def _check_when_shown(self, track: Track) -> None:
        """Ask for an order whose action is dead, once the answer proves what became of it."""
        wait_ns = track.burnt_ms * NS_PER_MS - self._outbox.now_ns
        if wait_ns <= 0:
            self.check(track)
        elif not track.is_check_due:
            track.is_check_due = True
            self._outbox.later(wait_ns, lambda: self._check_due(track))

    def _check_due(self, track: Track) -> None:
        track.is_check_due = False
        if track.ended is None:
            self.check(track)

    def _stay_in_doubt(self, track: Track) -> None:
        """Nothing was proven: we ask again after a pause that grows, the engine whenever it wants to."""
        self._counters.doubts_open += track.is_asked
        if track.is_asked and track.ended is None and not track.is_check_due:
            # An answer that was lost on the way must not cost the engine's whole pause.
            track.is_check_due = True
            pause_ns = min(MISSING_FIRST_NS << min(track.doubts, 10), DOUBT_MAX_NS)
            track.doubts += 1
            self._outbox.later(pause_ns, lambda: self._check_due(track))
        if track.replacement is not None and track.replacement.is_refused:
            self._outbox.later(2 * MISSING_FIRST_NS, lambda: self._check_refused(track))

    def _check_refused(self, track: Track) -> None:
        if track.replacement is not None and track.replacement.is_refused and track.ended is None:
            self.check_by_number(track)

    # Fills before an end.

    def await_fills(self, track: Track) -> None:
        """An order has ended and fills before its end were not told: ask for them unless they come soon."""
        self._outbox.later(MISSING_FIRST_NS << min(track.fetches, 3), lambda: self._fetch_fills(track))

    def _fetch_fills(self, track: Track) -> None:
        if track.ending is None or track.ended is not None:
            return
        track.fetches += 1
        since_ms = max((track.nonce or self._outbox.now_ns // NS_PER_MS) - FETCH_OVERLAP_MS, self._facts.begun_ms or 0)
        self._ask_fills(track, Page(since_ms))

    def _ask_fills(self, track: Track, page: Page) -> None:
        body = page.body("userFillsByTime", self._account)
        self._outbox.ask(body, LIST_WEIGHT, lambda reply: self._on_fills(track, page, reply))

    def _on_fills(self, track: Track, page: Page, reply: Reply) -> None:
        fills = None if isinstance(reply, Failed) else self._reader.read(reply, list[Fill])
        if fills is None:
            track.fetches -= 1
        else:
            self._facts.take_fills(fills, self._outbox.now_ns, is_fetched=True)
        if track.ending is None or track.ended is not None:
            return
        following = page_after(page, [fill.time for fill in fills or ()])
        if following is not None:
            self._ask_fills(track, following)
        elif track.fetches >= MISSING_FETCHES_MAX:
            self._fates.give_up_waiting(track)
        else:
            self.await_fills(track)

    # After a lost connection.

    def ask_open_orders(self) -> None:
        """Ask which orders rest; those of ours that do not any more are asked about one by one."""
        self._outbox.ask({"type": "openOrders", "user": self._account}, LIST_WEIGHT, self._on_open_orders)

    def _on_open_orders(self, reply: Reply) -> None:
        rows = None if isinstance(reply, Failed) else self._reader.read(reply, list[OpenOrder])
        if rows is None:
            self._outbox.later(2 * MISSING_FIRST_NS, self.ask_open_orders)
            return
        numbers = {row.order_id for row in rows}
        for track in list(self._fates.tracks.values()):
            if track.is_live and track.is_accepted and track.venue_order_id not in numbers:
                self.check(track)
