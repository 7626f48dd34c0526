"""Questions and actions that somebody waits for: at the start, and for statements. Over HTTP, one answer each.

Laws: every wait is bounded; a question is asked again after 429, 5xx or silence, an action never is; what cannot be
used becomes one `DataInvalid` with place and one sentence.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import msgspec

from domain.errors import DataInvalid
from domain.units import NS_PER_SECOND
from exchange.hyperliquid.limits import Limits, question_weight
from exchange.hyperliquid.posts import shown
from exchange.hyperliquid.requests import EXCHANGE_PATH, INFO_PATH, Ask
from exchange.hyperliquid.session_words import HttpFailed, HttpReply
from exchange.hyperliquid.wire import ActionReply, encoded

TRIES = 4
WAIT_NS = NS_PER_SECOND // 2
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

T = TypeVar("T")


class Poster(Protocol):
    """Whoever posts over HTTP."""

    async def post(self, path: str, body: bytes, timeout_ns: int) -> HttpReply | HttpFailed:
        """Post JSON and return the whole answer, or why there is none."""
        ...


class ColdPath:
    """One venue's /info and /exchange, awaited."""

    def __init__(
        self,
        poster: Poster,
        limits: Limits,
        clock: Callable[[], int],
        timeout_ns: int,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Share the limits with everything else that is sent; pause waits for seconds."""
        self._poster, self._limits, self._clock, self._timeout_ns, self._pause = (
            poster,
            limits,
            clock,
            timeout_ns,
            pause,
        )

    async def ask(self, answer_type: type[T], kind: str, **keys: Any) -> T:
        """Return the answer to a question as its structure. Raises: DataInvalid when there is none that can be used."""
        body = await self.ask_plain(kind, **keys)
        try:
            return msgspec.json.decode(body, type=answer_type)
        except _UNREADABLE as error:
            raise DataInvalid(f"{INFO_PATH} {kind}", f"{error}: {shown(body)}"[:300]) from None

    async def ask_plain(self, kind: str, **keys: Any) -> bytes:
        """Return the JSON of an answer. Raises: DataInvalid when there is none after TRIES."""
        request = Ask(request_id=0, body={"type": kind, **keys}, weight=question_weight(kind))
        body, problem = encoded(request.body), ""
        for attempt in range(TRIES):
            await self._room(request)
            result = await self._poster.post(INFO_PATH, body, self._timeout_ns)
            if isinstance(result, HttpReply) and result.status == HTTPStatus.OK:
                self._limits.on_answer(kind, result.body, self._clock())
                return result.body
            problem = problem_of(result)
            self._limits.on_unanswered(kind)
            if isinstance(result, HttpReply) and result.status == HTTPStatus.TOO_MANY_REQUESTS:
                self._limits.on_too_many(self._clock())
            elif isinstance(result, HttpReply) and result.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            await self._pause((WAIT_NS << attempt) / NS_PER_SECOND)
        raise DataInvalid(f"{INFO_PATH} {kind}", f"no usable answer: {problem}")

    async def _room(self, request: Ask) -> None:
        """Wait until the limits let a question go."""
        while (admission := self._limits.admit_question(request, now_ns := self._clock())).verdict != "go":
            await self._pause(max(admission.until_ns - now_ns, WAIT_NS // 10) / NS_PER_SECOND)

    async def act(self, name: str, body: bytes) -> None:
        """Post a signed action once. Raises: DataInvalid unless the venue says ok."""
        place = f"{EXCHANGE_PATH} {name}"
        result = await self._poster.post(EXCHANGE_PATH, body, self._timeout_ns)
        if not isinstance(result, HttpReply) or result.status != HTTPStatus.OK:
            raise DataInvalid(place, problem_of(result))
        try:
            reply = msgspec.json.decode(result.body, type=ActionReply)
        except _UNREADABLE:
            raise DataInvalid(place, f"no usable answer: {shown(result.body)}") from None
        if reply.status != "ok":
            raise DataInvalid(place, f"the venue refused: {shown(bytes(reply.response))}")


def problem_of(result: HttpReply | HttpFailed) -> str:
    """Return in one line what is wrong with a result."""
    if isinstance(result, HttpFailed):
        return f"{result.kind}, {result.detail}"
    return f"HTTP {result.status}: {shown(result.body)}"
