"""What may be sent now, what waits, what is refused, and why: the venue's limits modelled before anything leaves.

Theory of operation. Two budgets. The IP has a weight per minute; an answer may cost more after it came, by its items.
The address has a number of actions that grows with traded volume; it is asked for at the start and counted from then.
A part of both is kept for exits: cancels, and orders that only reduce a position.

Laws: an exit never waits and is never refused here: it spends the reserve, and what is beyond that the venue itself may
refuse at no cost. An order that cannot go now is refused, never kept: it would be stale. A question waits, in its order;
light ones, which prove what became of an order or of the account, may use half of what is kept for exits.
After a 429 nothing but exits goes until a pause is over, which doubles with each further 429. Requests on the socket
weigh what they would over HTTP: the venue does not say whether they do, and so we err on the safe side.
Source: HYPERLIQUID 7.1, 7.2.
"""

from collections import deque
from typing import Literal

import msgspec

from domain.units import NS_PER_SECOND
from exchange.hyperliquid.requests import Ask, SendAction
from exchange.hyperliquid.wire_account import RateLimit
from exchange.hyperliquid.wire_actions import (
    BatchModifyAction,
    CancelAction,
    CancelByNameAction,
    PlaceAction,
    TypedAction,
)

MINUTE_NS = 60 * NS_PER_SECOND
ANSWER_WAIT_NS = NS_PER_SECOND // 4
BATCH_PER_WEIGHT = 40
ITEMS_PER_WEIGHT = {
    "recentTrades": 20,
    "historicalOrders": 20,
    "userFills": 20,
    "userFillsByTime": 20,
    "fundingHistory": 20,
    "userFunding": 20,
    "userNonFundingLedgerUpdates": 20,
    "userTwapSliceFills": 20,
    "candleSnapshot": 60,
}
"""Questions whose answers cost one more for so many items."""

ITEMS_MAX = {"userFills": 2_000, "userFillsByTime": 2_000, "historicalOrders": 2_000, "candleSnapshot": 5_000}
ITEMS_DEFAULT = 500
"""The longest answers there are: what they cost is kept free until they came."""

LIGHT_WEIGHT_MAX = 2
"""Questions of this weight never wait behind lists."""
WEIGHT_DEFAULT = 20
WEIGHTS = {
    "l2Book": 2,
    "allMids": 2,
    "clearinghouseState": 2,
    "orderStatus": 2,
    "spotClearinghouseState": 2,
    "exchangeStatus": 2,
    "userRole": 60,
}


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's limits, and what of them is kept for exits. Units: weight, actions, nanoseconds."""

    weight_per_minute: int = 1200
    weight_reserve: int = 200
    actions_reserve: int = 300
    pause_ns_min: int = 2 * NS_PER_SECOND
    pause_ns_max: int = 60 * NS_PER_SECOND


class Admission(msgspec.Struct, frozen=True):
    """go: send it now. wait: ask again at until_ns. refuse: it will not go. why is one sentence, empty for go."""

    verdict: Literal["go", "wait", "refuse"]
    why: str = ""
    until_ns: int = 0


GO = Admission("go")


class MinuteWindow:
    """A sum over the last minute."""

    __slots__ = ("_entries", "_total")

    def __init__(self) -> None:
        """Start empty."""
        self._entries: deque[tuple[int, int]] = deque()
        self._total = 0

    def add(self, amount: int, now_ns: int) -> None:
        """Count an amount."""
        if amount:
            self._entries.append((now_ns, amount))
            self._total += amount

    def at(self, now_ns: int) -> int:
        """Return what the last minute holds."""
        entries = self._entries
        while entries and entries[0][0] <= now_ns - MINUTE_NS:
            self._total -= entries.popleft()[1]
        return self._total

    def free_ns(self, room: int, now_ns: int) -> int:
        """Return when no more than room is held; now_ns when that is so already."""
        held = self.at(now_ns)
        if held <= room:
            return now_ns
        for ts_ns, amount in self._entries:
            held -= amount
            if held <= room:
                return ts_ns + MINUTE_NS
        return now_ns + MINUTE_NS


class Limits:
    """The budgets of one IP and one address, as this process knows them."""

    def __init__(self, settings: LimitSettings) -> None:
        """Start with a whole minute, and with an address budget nobody has told us yet."""
        self._settings = settings
        self._weight_reserve = settings.weight_reserve
        self._weights = MinuteWindow()
        self._paused_until_ns = 0
        self._pause_ns = 0
        self._actions_left: int | None = None
        self._on_its_way = 0
        """Weight that answers not here yet may cost on top."""
        self.refused = self.too_many = 0

    def weight_left(self, now_ns: int) -> int:
        """Return what is left of the minute's weight, reserve included; below zero when answers cost more."""
        return self._settings.weight_per_minute - self._weights.at(now_ns)

    @property
    def actions_left(self) -> int | None:
        """Actions left to the address, reserve included; None before the venue has told."""
        return self._actions_left

    def set_address_budget(self, told: RateLimit) -> None:
        """Take the venue's word for what the address may still do."""
        self._actions_left = told.requests_cap - told.requests_used

    def release_reserve(self) -> None:
        """Keep nothing back any more: nothing rests, so there is nothing to exit from."""
        self._weight_reserve = 0

    def admit_action(self, request: SendAction, now_ns: int) -> Admission:
        """Say whether an action goes; one that goes is counted."""
        if not request.is_exit:
            why = self._why_not(request.action, now_ns)
            if why:
                self.refused += 1
                return Admission("refuse", why)
        self._weights.add(action_weight(request.action), now_ns)
        if self._actions_left is not None:
            self._actions_left -= actions_in(request.action)
        return GO

    def _why_not(self, action: TypedAction, now_ns: int) -> str:
        """Return why an action that is no exit must not go; empty when it may."""
        settings = self._settings
        if now_ns < self._paused_until_ns:
            seconds = (self._paused_until_ns - now_ns) / NS_PER_SECOND
            return f"the venue said 429: only exits go for {seconds:.1f} s"
        left = self.weight_left(now_ns) - self._on_its_way - action_weight(action)
        if left < self._weight_reserve:
            return f"request weight of this minute is used up but for {self._weight_reserve} kept for exits"
        if self._actions_left is not None and self._actions_left - actions_in(action) < settings.actions_reserve:
            return (
                f"address budget: {self._actions_left} actions left, {settings.actions_reserve} are kept for exits; "
                "it grows by one for each USDC traded"
            )
        return ""

    def admit_question(self, request: Ask, now_ns: int) -> Admission:
        """Say whether a question goes now; one that goes is counted."""
        settings = self._settings
        if now_ns < self._paused_until_ns:
            return Admission("wait", "the venue said 429", self._paused_until_ns)
        reserve = self._weight_reserve // 2 if request.weight <= LIGHT_WEIGHT_MAX else self._weight_reserve
        answer = answer_weight_max(str(request.body.get("type", "")))
        room = settings.weight_per_minute - reserve - request.weight - answer
        until_ns = self._weights.free_ns(max(room - self._on_its_way, 0), now_ns)
        if until_ns > now_ns:
            if self._on_its_way and self._weights.free_ns(max(room, 0), now_ns) <= now_ns:
                # Only answers that may be long are in the way: they come soon, and most are short.
                until_ns = min(until_ns, now_ns + ANSWER_WAIT_NS)
            return Admission("wait", "request weight of this minute is used up", until_ns)
        self._weights.add(request.weight, now_ns)
        self._on_its_way += answer
        return GO

    def on_unanswered(self, kind: str) -> None:
        """A question got no answer, so that it costs nothing on top."""
        self._on_its_way = max(self._on_its_way - answer_weight_max(kind), 0)

    def on_answer(self, kind: str, payload: bytes, now_ns: int) -> None:
        """Count what an answer to a question cost on top, by its items."""
        self._pause_ns = 0
        self.on_unanswered(kind)
        per_weight = ITEMS_PER_WEIGHT.get(kind)
        if per_weight is not None and payload[:1] == b"[":
            try:
                items = len(msgspec.json.decode(payload, type=list[msgspec.Raw]))
            except msgspec.DecodeError:
                return
            self._weights.add(items // per_weight, now_ns)

    def on_budget_spent(self) -> None:
        """The venue says that the address has no actions left: its count, not ours, is true."""
        self._actions_left = min(self._actions_left or 0, 0)

    def on_too_many(self, now_ns: int) -> None:
        """Take a 429: the venue counts more than we do."""
        settings = self._settings
        self.too_many += 1
        if now_ns < self._paused_until_ns:
            return
        self._pause_ns = min(max(2 * self._pause_ns, settings.pause_ns_min), settings.pause_ns_max)
        self._paused_until_ns = now_ns + self._pause_ns


def actions_in(action: TypedAction) -> int:
    """Return what an action costs its address: one for each order or cancel of a batch."""
    match action:
        case PlaceAction(orders=batch):
            return len(batch)
        case CancelAction(cancels=batch) | CancelByNameAction(cancels=batch):
            return len(batch)
        case BatchModifyAction(modifies=batch):
            return len(batch)
        case _:
            return 1


def action_weight(action: TypedAction) -> int:
    """Return what an action costs the IP."""
    return 1 + actions_in(action) // BATCH_PER_WEIGHT


def answer_weight_max(kind: str) -> int:
    """Return what the longest answer to a question costs the IP on top."""
    per_weight = ITEMS_PER_WEIGHT.get(kind)
    return ITEMS_MAX.get(kind, ITEMS_DEFAULT) // per_weight if per_weight else 0


def question_weight(kind: str) -> int:
    """Return what a question costs the IP before its answer."""
    return WEIGHTS.get(kind, WEIGHT_DEFAULT)
