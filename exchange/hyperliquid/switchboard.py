"""The switchboard: carries data between trader, session, limits and transport until nobody has anything more.

Theory of operation. The trader knows orders and facts, the session the connection, the limits what may go, the
transport bytes. A frame arrives as a plain call and goes up to the trader; `wake` lets the driver decide; `flush` comes
back down, signs and writes. One call stack from frame to order: no task and no thread between.

    frame ─► session ─► trader ─► wake ─► driver ─► send, flush ─► limits ─► sign ─► session ─► socket

Laws: a request of the trader is answered exactly once; what the limits refuse was not sent; questions wait in their
order, light ones before lists, and not for ever. Nothing secret is kept here: the signer signs and shows its address only.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine

import msgspec
from msgspec import UNSET

from domain.errors import InvariantBroken
from domain.events import Event
from domain.units import NS_PER_SECOND
from exchange.hyperliquid.hashing import address_bytes
from exchange.hyperliquid.limits import LIGHT_WEIGHT_MAX, Limits
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.requests import Answered, Ask, Failed, SendAction
from exchange.hyperliquid.session import Session
from exchange.hyperliquid.session_words import (
    Action,
    Close,
    Connect,
    Connected,
    Lost,
    PostHttp,
    Pushed,
    Report,
    SendFrame,
)
from exchange.hyperliquid.signing import Signer
from exchange.hyperliquid.trader import Trader
from exchange.hyperliquid.transport import Transport, TransportSettings
from exchange.hyperliquid.wire import Envelope, encoded
from exchange.hyperliquid.wire_actions import TypedAction
from exchange.port import Statement

QUESTION_WAIT_NS_MAX = 60 * NS_PER_SECOND
TOO_MANY = 429
BUDGET_SPENT = b"Too many cumulative requests sent"
"""The venue's refusal of an action whose address has none left (HYPERLIQUID 3.6)."""
ROUNDS_MAX = 1_000
"""An answer that leads to a question that is answered at once, and so on: a few rounds, never this many."""


class _Questions:
    """Questions that wait for the limits, in their order, each with the time after which it is given up."""

    __slots__ = ("due_ns", "waiting", "why")

    def __init__(self) -> None:
        self.waiting: deque[tuple[Ask, int]] = deque()
        self.due_ns: int | None = None
        self.why = ""


class Switchboard:
    """The parts of one exchange, joined."""

    def __init__(
        self,
        network: Network,
        trader: Trader,
        session: Session,
        limits: Limits,
        signer: Signer,
        open_ns_max: int,
        clock: Callable[[], int],
        steady_clock: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        """Join the parts; nothing moves before `begin`. wake is called when events can be taken."""
        self.transport = Transport(network, TransportSettings(open_ns_max=open_ns_max), self, steady_clock)
        self.events: deque[tuple[Event, Statement]] = deque()
        """Facts nobody took yet, each with the account as of it."""
        self.connected, self.synced = asyncio.Event(), asyncio.Event()
        """Set by the first connection with everything subscribed, and by the first whole account."""
        self.vault = ""
        self._trader, self._session, self._limits, self._signer = trader, session, limits, signer
        self._clock, self._steady, self._wake = clock, steady_clock, wake
        self._light, self._lists = _Questions(), _Questions()
        self._kinds: dict[int, str] = {}
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._is_telling = False

    @property
    def why_waiting(self) -> str:
        """Why the oldest question that waits does; empty when none waits."""
        return self._light.why or self._lists.why

    def begin(self, group: asyncio.TaskGroup) -> None:
        """Start tasks in this group from now on."""
        self._group = group

    def end(self) -> None:
        """Cut the connection, end every request and task; a second call does nothing."""
        if self._group is None:
            return
        self._session.stop()
        self.carry()
        self._group = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._tasks:
            task.cancel()

    def bar(self, symbol: str, detail: str) -> None:
        """Stop the feed of an instrument for good."""
        self._trader.bar(symbol, detail, self._clock())
        self._carry_and_wake()

    def flush(self) -> None:
        """Send what was wished; facts that come of it are told after this call."""
        self.carry()
        if self.events and not self._is_telling:
            self._is_telling = True
            self._start(self._tell_later())

    async def _tell_later(self) -> None:
        self._is_telling = False
        self._tell()

    def _tell(self) -> None:
        if self.events and self._group is not None:
            self._wake()

    def on_open(self, connection: int) -> None:
        """The socket is open."""
        self._session.on_open(connection, self._steady())
        self._carry_and_wake()

    def on_frame(self, connection: int, data: bytes) -> None:
        """A message arrived: the beginning of the hot path."""
        self._session.on_frame(connection, data, self._steady())
        self._carry_and_wake()

    def on_closed(self, connection: int, detail: str) -> None:
        """The socket is gone."""
        self._session.on_closed(connection, detail, self._steady())
        self._carry_and_wake()

    def on_writable(self, connection: int, *, is_writable: bool) -> None:
        """The socket begins or ends to keep bytes waiting."""
        self._session.on_writable(connection, is_writable=is_writable)

    def _carry_and_wake(self) -> None:
        self._move()
        self._tell()
        # After the decision: a timer is nothing an order has to wait for.
        self._arm()

    def carry(self) -> None:
        """Carry everything, and come back when the next thing is due."""
        self._move()
        self._arm()

    def _move(self) -> None:
        """Carry reports, requests and actions between the parts until nobody has anything more."""
        for _ in range(ROUNDS_MAX):
            moved = False
            for report in self._session.take_reports():
                moved = True
                self._hand_on(report)
            for request in self._trader.take_requests(self._clock()):
                moved = True
                self._dispatch(request)
            moved |= self._ask_waiting()
            for action in self._session.take_actions():
                moved = True
                self._carry_out(action)
            if not moved:
                break
        else:
            raise InvariantBroken(f"the parts of the adapter do not come to rest in {ROUNDS_MAX} rounds")
        self._collect()

    def _collect(self) -> None:
        """Take the trader's facts, each with the statement as of it."""
        while (event := self._trader.next_event()) is not None:
            self.events.append((event, self._trader.statement()))
        if self._trader.is_synced:
            self.synced.set()

    def _hand_on(self, report: Report) -> None:
        """Tell the trader."""
        now_ns = self._clock()
        match report:
            case Pushed(channel, data):
                self._trader.on_push(channel, data, now_ns)
            case Answered() | Failed():
                self._answered(report, now_ns)
            case Connected():
                self._trader.on_connected(now_ns)
                self.connected.set()
            case Lost(detail, _, is_open):
                self._trader.on_lost(detail, now_ns)
                if is_open:
                    self._trader.on_connected(now_ns)

    def _answered(self, answer: Answered | Failed, now_ns: int) -> None:
        kind = self._kinds.pop(answer.request_id, "")
        if isinstance(answer, Answered):
            self._limits.on_answer(kind, answer.payload, self._steady())
            if not kind and BUDGET_SPENT in answer.payload:
                self._limits.on_budget_spent()
        else:
            self._limits.on_unanswered(kind)
            if answer.status == TOO_MANY:
                self._limits.on_too_many(self._steady())
        self._trader.on_answer(answer, now_ns)

    def _dispatch(self, request: SendAction | Ask) -> None:
        """Sign and send, or say why not; questions may wait."""
        now_ns = self._steady()
        if isinstance(request, Ask):
            line = self._light if request.weight <= LIGHT_WEIGHT_MAX else self._lists
            line.waiting.append((request, now_ns + QUESTION_WAIT_NS_MAX))
            return
        admission = self._limits.admit_action(request, now_ns)
        if admission.verdict == "go":
            body = self.signed(request.action, request.nonce, request.expires_after_ms)
            self._session.post(request.request_id, "action", body, now_ns)
        else:
            refused = Failed(request_id=request.request_id, kind="not_sent", detail=admission.why, status=TOO_MANY)
            self._trader.on_answer(refused, self._clock())

    def _ask_waiting(self) -> bool:
        """Send the questions that may go, light ones first; say whether anything happened."""
        return self._ask_line(self._light) | self._ask_line(self._lists)

    def _ask_line(self, line: _Questions) -> bool:
        moved, now_ns = False, self._steady()
        if line.due_ns is not None and now_ns < line.due_ns:
            return moved
        line.why, line.due_ns = "", None
        while line.waiting:
            request, until_ns = line.waiting[0]
            admission = self._limits.admit_question(request, now_ns)
            if admission.verdict != "go" and now_ns < until_ns:
                line.why = admission.why
                line.due_ns = min(admission.until_ns, until_ns)
                return moved
            line.waiting.popleft()
            moved = True
            if admission.verdict != "go":
                failed = Failed(request_id=request.request_id, kind="not_sent", detail=admission.why)
                self._trader.on_answer(failed, self._clock())
                continue
            self._kinds[request.request_id] = str(request.body.get("type", ""))
            # Lists have long answers: they go over HTTP, so that no market frame waits behind them.
            is_long = request.weight > LIGHT_WEIGHT_MAX
            self._session.post(request.request_id, "info", encoded(request.body), now_ns, prefers_http=is_long)
        return moved

    def signed(self, action: TypedAction, nonce: int, expires_after_ms: int | None) -> bytes:
        """Return the body of POST /exchange."""
        vault = self.vault
        signature = self._signer.sign_l1(
            msgspec.msgpack.encode(action), nonce, address_bytes(vault) if vault else None, expires_after_ms
        )
        return encoded(
            Envelope(
                action=msgspec.Raw(encoded(action)),
                nonce=nonce,
                signature=signature,
                vault_address=vault or UNSET,
                expires_after=UNSET if expires_after_ms is None else expires_after_ms,
            )
        )

    def _carry_out(self, action: Action) -> None:
        """Do what the session wants done."""
        match action:
            case SendFrame(connection, frame, attempt):
                if not self.transport.send(connection, frame) and attempt:
                    self._session.on_unsent(attempt, self._steady())
            case PostHttp():
                self._start(self._post(action))
            case Connect(connection):
                self._start(self.transport.run_socket(connection))
            case Close(connection):
                self.transport.cut(connection)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        """Run something beside, for as long as the group lives."""
        if self._group is None:
            work.close()
            return
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, action: PostHttp) -> None:
        result = await self.transport.post(action.path, action.body, action.timeout_ns)
        self._session.on_http(action.attempt, result, self._steady())
        self._carry_and_wake()

    def _arm(self) -> None:
        """Come back when the next thing is due by time."""
        if self._group is None:
            return
        now_ns = self._steady()
        dues = [self._session.next_ts_ns(), self._light.due_ns, self._lists.due_ns]
        trader_ns = self._trader.next_ts_ns()
        if trader_ns is not None:
            dues.append(now_ns + max(trader_ns - self._clock(), 0))
        due_ns = min((due for due in dues if due is not None), default=None)
        if due_ns is None or (self._timer is not None and self._timer_ns <= due_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ns = due_ns
        wait_s = max(due_ns - now_ns, 0) / NS_PER_SECOND
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        """Do what is due in a task: what breaks in there ends the group, and not unseen in a callback."""
        self._timer = None
        self._start(self._on_time())

    async def _on_time(self) -> None:
        self._session.on_time(self._steady())
        self._carry_and_wake()
