"""What waits to be sent, and who wants to hear the answer.

Why it exists: the trader's parts ask questions and act; numbering requests, taking nonces, remembering who asked and
repeating later is one thing they share.

Laws: every answer goes to whoever asked, once; an answer to nothing, or a second one, is counted and dropped. Request
ids begin at the clock's milliseconds, so those of one process are not taken for those of the one before it.
"""

import heapq
from collections.abc import Callable
from typing import Any

from domain.units import NS_PER_MS
from exchange.hyperliquid.counters import Counters
from exchange.hyperliquid.requests import Answered, Ask, Failed, SendAction
from exchange.hyperliquid.wire_actions import TypedAction

Reply = bytes | Failed
Handle = Callable[[Reply], None]


class Outbox:
    """Requests on their way, by id."""

    def __init__(self, take_nonce: Callable[[], int], expires_after_ms: int, counters: Counters) -> None:
        """Take nonces from take_nonce; actions die expires_after_ms after the time they are made at, never for 0."""
        self.now_ns = 0
        self._take_nonce = take_nonce
        self._expires_after_ms = expires_after_ms
        self._counters = counters
        self._last_id = 0
        self._waiting: list[SendAction | Ask] = []
        self._handles: dict[int, Handle] = {}
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._laters = 0

    def ask(self, body: dict[str, Any], weight: int, handle: Handle) -> None:
        """Ask something of /info."""
        request_id = self._new_id(handle)
        self._waiting.append(Ask(request_id=request_id, body=body, weight=weight))

    def act(
        self, action: TypedAction, names: tuple[str, ...], handle: Handle, *, is_exit: bool, nonce: int = 0
    ) -> SendAction:
        """Post an action, with a new nonce unless one is given, and return what will be sent.

        An action that is to burn a given nonce never expires: only so does its answer prove anything.
        """
        expires_ms = None
        if not nonce and self._expires_after_ms:
            expires_ms = self.now_ns // NS_PER_MS + self._expires_after_ms
        sent = SendAction(
            request_id=self._new_id(handle),
            action=action,
            nonce=nonce or self._take_nonce(),
            expires_after_ms=expires_ms,
            client_order_ids=names,
            is_exit=is_exit,
        )
        self._waiting.append(sent)
        return sent

    def later(self, delay_ns: int, run: Callable[[], None]) -> None:
        """Run something after a while, when `take` is called then."""
        self._laters += 1
        heapq.heappush(self._later, (self.now_ns + delay_ns, self._laters, run))

    def next_ts_ns(self) -> int | None:
        """Return when the next of the postponed is due."""
        return self._later[0][0] if self._later else None

    def take(self, now_ns: int) -> list[SendAction | Ask]:
        """Run what is due and return everything that is to be sent, in order."""
        self.now_ns = max(self.now_ns, now_ns)
        while self._later and self._later[0][0] <= self.now_ns:
            heapq.heappop(self._later)[2]()
        waiting, self._waiting = self._waiting, []
        return waiting

    def answered(self, answer: Answered | Failed) -> None:
        """Hand an answer to whoever asked."""
        handle = self._handles.pop(answer.request_id, None)
        if handle is None:
            self._counters.strange_answers += 1
            return
        handle(answer.payload if isinstance(answer, Answered) else answer)

    def _new_id(self, handle: Handle) -> int:
        self._last_id = max(self._last_id + 1, self.now_ns // NS_PER_MS)
        self._handles[self._last_id] = handle
        return self._last_id
