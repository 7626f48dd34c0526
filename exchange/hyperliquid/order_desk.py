"""Wishes become actions, and the answers to them evidence.

Theory of operation. What the engine wishes in one decision leaves in as few actions as the venue's classes allow
(HYPERLIQUID 6.5): cancels first, for they free margin and risk; then post-only orders, which the venue runs before
everything that takes; then orders that may take; then replacements. Exits go apart from entries, so that they may use
what the budget keeps back for them.

Laws: at most BATCH_MAX orders per action (one unit of IP weight); a wish whose action was proven not taken ends in a
fact; an action whose fate is open leaves its orders in doubt, and the engine asks.
Source: HYPERLIQUID 3.2, 3.3, 3.5, 7.1.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from domain.commands import CancelOrder, PlaceOrder, ReplaceOrder
from domain.events import CancelRefused
from domain.reasons import Reason
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.codec_orders import (
    KEY_TEXTS,
    Fate,
    is_modify_text,
    place_terms,
    reason_of_text,
    replace_terms,
)
from exchange.hyperliquid.counters import Counters, count
from exchange.hyperliquid.order_fates import OrderFates
from exchange.hyperliquid.order_questions import OrderQuestions
from exchange.hyperliquid.order_replies import IN_DOUBT, Outcome, outcomes
from exchange.hyperliquid.order_track import Ending, Replacement, Track, foreign_track, track_of
from exchange.hyperliquid.outbox import Outbox, Reply
from exchange.hyperliquid.requests import PROVEN_UNTAKEN, Failed
from exchange.hyperliquid.telling import Teller
from exchange.hyperliquid.tolerance import Reader
from exchange.hyperliquid.wire_actions import (
    BatchModifyAction,
    CancelByName,
    CancelByNameAction,
    Modification,
    OrderTerms,
    PlaceAction,
    TypedAction,
)

BATCH_MAX: Final = 39
"""1 + floor(n / 40) is the weight of an action: 39 orders weigh one."""
TOO_MANY_REQUESTS: Final = 429
Takes = Callable[[Track, Outcome], None]
T = TypeVar("T")


class OrderDesk:
    """Places, replaces and cancels."""

    def __init__(
        self,
        coins: dict[str, Numbers],
        fates: OrderFates,
        questions: OrderQuestions,
        outbox: Outbox,
        teller: Teller,
        reader: Reader,
        counters: Counters,
        on_key_refused: Callable[[str], None],
    ) -> None:
        """Send through the outbox; what comes back goes to fates. on_key_refused takes the venue's sentence."""
        self._on_key_refused = on_key_refused
        self._coins, self._fates, self._questions = coins, fates, questions
        self._outbox, self._teller, self._reader, self._counters = outbox, teller, reader, counters

    def cancel(self, commands: Sequence[CancelOrder]) -> None:
        """Send cancels."""
        for batch in _batches(commands):
            tracks = [self._fates.find(one.client_order_id) or self._fates.add(foreign_track(one)) for one in batch]
            cancels = tuple(
                CancelByName(asset=self._coins[one.symbol].instrument.asset_id, client_order_id=one.client_order_id)
                for one in batch
            )
            for track in tracks:
                track.is_cancel_sent = True
            self._act(CancelByNameAction(cancels=cancels), tracks, self._take_cancel, is_exit=True)

    def place(self, commands: Sequence[PlaceOrder]) -> None:
        """Send new orders: post-only ones before the others, exits apart."""
        for post_only in (True, False):
            for reduce_only in (True, False):
                group = [one for one in commands if (one.post_only, one.reduce_only) == (post_only, reduce_only)]
                for batch in _batches(group):
                    self._place(batch, is_exit=reduce_only)

    def _place(self, batch: Sequence[PlaceOrder], *, is_exit: bool) -> None:
        tracks = [self._fates.add(track_of(one)) for one in batch]
        terms = tuple(place_terms(one, self._coins[one.symbol]) for one in batch)
        sent = self._act(PlaceAction(orders=terms, grouping="na"), tracks, self._take_place, is_exit=is_exit)
        for track in tracks:
            track.nonce, track.expires_ms = sent

    def replace(self, commands: Sequence[ReplaceOrder]) -> None:
        """Send new terms for resting orders."""
        ready: list[tuple[ReplaceOrder, Track, OrderTerms]] = []
        for one in commands:
            track = self._fates.find(one.client_order_id)
            if track is None:
                track = self._fates.add(Track(client_order_id=one.client_order_id, symbol=one.symbol))
            left = one.lots - track.filled_lots
            replacement = Replacement(price=one.price, lots=left)
            if track.ended is not None or left <= 0:
                track.replacement = replacement
                ended, track.ended = track.ended, None
                self._fates.refuse_replace(track, Reason.VENUE_UNKNOWN_ORDER, "nothing of it is left", is_gone=False)
                track.ended = track.ended or ended
                continue
            track.replacement = replacement
            ready.append((one, track, replace_terms(one, self._coins[one.symbol], left)))
        for is_exit in (True, False):
            for batch in _batches([one for one in ready if one[0].reduce_only is is_exit]):
                modifies = tuple(Modification(target=one.client_order_id, order=terms) for one, _, terms in batch)
                tracks = [track for _, track, _ in batch]
                self._act(BatchModifyAction(modifies=modifies), tracks, self._take_replace, is_exit=is_exit)

    def _act(self, action: TypedAction, tracks: list[Track], take: Takes, *, is_exit: bool) -> tuple[int, int]:
        """Send an action; return its nonce and when it expires (0 never)."""
        names = tuple(track.client_order_id for track in tracks)
        sent = self._outbox.act(action, names, lambda reply: self._on_reply(tracks, take, reply), is_exit=is_exit)
        return sent.nonce, sent.expires_after_ms or 0

    def _on_reply(self, tracks: list[Track], take: Takes, reply: Reply) -> None:
        if isinstance(reply, Failed):
            found = [_failed(reply)] * len(tracks)
        else:
            found = outcomes(reply, len(tracks), self._reader)
        if found[0].is_whole and found[0].error.startswith(KEY_TEXTS):
            self._on_key_refused(found[0].error)
        for track, outcome in zip(tracks, found, strict=True):
            if outcome.word:
                count(self._counters.unknown_statuses, outcome.word)
            if outcome is not IN_DOUBT:
                take(track, outcome)

    def _take_place(self, track: Track, outcome: Outcome) -> None:
        if outcome.error:
            self._fates.reject(track, reason_of(outcome), outcome.error)
        elif outcome.order_id:
            self._fates.accept(track, outcome.order_id)
            if outcome.filled_size:
                self._take_match(track, outcome)

    def _take_match(self, track: Track, outcome: Outcome) -> None:
        """The order matched at once: all of it, or what an IOC could get; the rest of a GTC may rest."""
        try:
            lots = self._coins[track.symbol].lots(outcome.filled_size)
        except ValueError:
            self._counters.malformed += 1
            return
        is_current = outcome.order_id == track.venue_order_id
        if is_current and (track.is_immediate or lots >= track.lots - track.filled_before):
            self._fates.end(track, Ending(Fate.FILLED, "filled", lots))

    def _take_cancel(self, track: Track, outcome: Outcome) -> None:
        if outcome.is_done and track.nonce and not track.is_accepted:
            # The answer to its placing is still on the way: its number, and what it filled, are in the venue's record.
            self._questions.check(track)
        elif outcome.is_done:
            self._fates.end(track, Ending(Fate.CANCELED, "canceled", None))
        elif outcome.error and track.is_live:
            now_ns = self._teller.now_ns
            self._teller.tell(
                CancelRefused(
                    ts_event_ns=now_ns,
                    ts_recv_ns=now_ns,
                    client_order_id=track.client_order_id,
                    reason=reason_of(outcome),
                    venue_text=outcome.error,
                )
            )

    def _take_replace(self, track: Track, outcome: Outcome) -> None:
        replacement = track.replacement
        if outcome.order_id:
            if replacement is not None and outcome.order_id > track.venue_order_id:
                self._fates.replaced(track, outcome.order_id, replacement.price, replacement.lots)
            if outcome.filled_size:
                self._take_match(track, outcome)
        elif outcome.error and replacement is not None:
            if outcome.is_whole and not is_modify_text(outcome.error):
                self._fates.refuse_replace(track, reason_of(outcome), outcome.error, is_gone=False)
                return
            # Whether the old order went with the refused one is asked, not guessed.
            replacement.is_refused = True
            replacement.reason, replacement.text = reason_of(outcome), outcome.error
            if replacement.canceled is not None:
                self._fates.refuse_replace(track, replacement.reason, replacement.text, is_gone=True)
            else:
                self._questions.check_by_number(track)


def reason_of(outcome: Outcome) -> Reason:
    """Return why an order was refused: in the venue's words, or because nothing of it ever left."""
    if outcome.is_unsent:
        return Reason.VENUE_UNREACHABLE
    return reason_of_text(outcome.error)


def _failed(failure: Failed) -> Outcome:
    """Return what a missing answer proves: nothing, or that the venue took nothing."""
    if failure.kind not in PROVEN_UNTAKEN:
        return IN_DOUBT
    if failure.status == TOO_MANY_REQUESTS:
        return Outcome(error=f"Too many requests: {failure.detail}", is_whole=True)
    return Outcome(error=failure.detail or failure.kind, is_whole=True, is_unsent=True)


def _batches(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + BATCH_MAX] for start in range(0, len(items), BATCH_MAX)]
