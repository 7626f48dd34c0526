"""The session's laws under any order of opens, closes, frames, answers, silence and stops."""

import msgspec
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exchange.hyperliquid.requests import Answered, Failed
from exchange.hyperliquid.session import Phase, Session
from exchange.hyperliquid.session_words import (
    Close,
    Connect,
    Connected,
    HttpFailed,
    HttpReply,
    Lost,
    PostHttp,
    SendFrame,
    SessionSettings,
)
from exchange.hyperliquid.wire import Subscription

SECOND = 1_000_000_000
SUBSCRIPTIONS = [
    Subscription(type="l2Book", coin="BTC"),
    Subscription(type="trades", coin="BTC"),
    Subscription(type="orderUpdates", user="0x" + "Cd" * 20),
]
GARBAGE = [b"", b"{", b"<html>", b"\x00\xff", b"[]", b'{"channel":"post","data":{}}', b'{"channel":"error","data":1}']
FAILURES = ["not_sent", "timeout", "broken"]


class SessionMachine(RuleBasedStateMachine):
    """A venue and a network that do whatever they like; the model keeps what is proven."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(SUBSCRIPTIONS, SessionSettings(posts_in_flight_max=3, request_timeout_ns=5 * SECOND))
        self.now = 0
        self.connection = 0
        self.is_open = self.is_up = self.is_stopped = False
        self.subscribed: list[dict] = []
        self.acknowledged = 0
        self.next_request = 0
        self.kinds: dict[int, str] = {}
        self.outcomes: dict[int, Answered | Failed] = {}
        self.tries: dict[int, int] = {}
        self.given: set[int] = set()
        self.on_socket: dict[int, int] = {}
        self.on_http: dict[int, int] = {}
        self.session.start(0)
        self.look()

    def look(self) -> None:
        """Carry out what is wanted, note what is reported."""
        for action in self.session.take_actions():
            match action:
                case Connect(connection):
                    assert not self.is_open
                    self.connection, self.is_open = connection, False
                case Close():
                    self.is_open = False
                case SendFrame(connection, frame, attempt):
                    assert connection == self.connection
                    self.take_frame(msgspec.json.decode(frame), attempt)
                case PostHttp():
                    request = msgspec.json.decode(action.body)["request"]
                    self.try_on(self.on_http, action.attempt, request)
        for report in self.session.take_reports():
            match report:
                case Connected():
                    assert not self.is_up
                    assert len(self.subscribed) == self.acknowledged == len(SUBSCRIPTIONS)
                    self.is_up = True
                case Lost(is_open=is_open):
                    assert self.is_up
                    self.is_up = is_open
                case Answered() | Failed():
                    assert report.request_id in self.kinds
                    assert report.request_id not in self.outcomes, "a request ended twice"
                    self.outcomes[report.request_id] = report
                    if isinstance(report, Failed) and report.kind in {"not_sent", "refused"} and self.is_action(report):
                        assert report.request_id not in self.given, "the venue may have taken it"

    def is_action(self, report: Failed) -> bool:
        return self.kinds[report.request_id] == "action"

    def take_frame(self, frame: dict, attempt: int) -> None:
        if frame["method"] == "subscribe":
            assert frame["subscription"] not in self.subscribed
            self.subscribed.append(frame["subscription"])
        elif frame["method"] == "post":
            assert frame["id"] == attempt
            self.try_on(self.on_socket, attempt, frame["request"]["payload"]["request"])

    def try_on(self, path: dict[int, int], attempt: int, request: int) -> None:
        self.tries[request] = self.tries.get(request, 0) + 1
        assert self.tries[request] <= (1 if self.kinds[request] == "action" else 2)
        path[attempt] = request
        self.given.add(request)

    @rule(kind=strategies.sampled_from(["info", "action"]), prefers_http=strategies.booleans())
    def post(self, kind: str, prefers_http: bool) -> None:
        self.next_request += 1
        self.kinds[self.next_request] = kind
        payload = msgspec.json.encode({"request": self.next_request})
        self.session.post(self.next_request, kind, payload, self.now, prefers_http=prefers_http)
        self.look()

    @precondition(lambda self: not self.is_open and not self.is_stopped)
    @rule()
    def open(self) -> None:
        was = self.session.phase
        self.session.on_open(self.connection, self.now)
        if was is Phase.CONNECTING:
            self.is_open, self.subscribed, self.acknowledged = True, [], 0
            self.on_socket.clear()
        self.look()

    @rule()
    def hear_from_the_past(self) -> None:
        """An older connection acknowledges everything and answers every request."""
        for one in SUBSCRIPTIONS:
            data = {"method": "subscribe", "subscription": msgspec.to_builtins(one)}
            frame = {"channel": "subscriptionResponse", "data": data}
            self.session.on_frame(self.connection - 1, msgspec.json.encode(frame), self.now)
        ended = len(self.outcomes)
        self.look()
        assert len(self.outcomes) == ended

    @precondition(lambda self: self.is_open and self.acknowledged < len(self.subscribed))
    @rule()
    def acknowledge(self) -> None:
        one = self.subscribed[self.acknowledged]
        self.acknowledged += 1
        data = {"method": "subscribe", "subscription": one | ({"user": one["user"].lower()} if "user" in one else {})}
        self.session.on_frame(
            self.connection, msgspec.json.encode({"channel": "subscriptionResponse", "data": data}), self.now
        )
        self.look()

    @rule(frame=strategies.sampled_from([*GARBAGE, b'{"channel":"pong"}', b'{"channel":"l2Book","data":{}}']))
    def hear(self, frame: bytes) -> None:
        self.session.on_frame(self.connection, frame, self.now)
        self.look()

    @rule(is_answered=strategies.booleans(), pick=strategies.integers(0, 99))
    def answer_on_socket(self, is_answered: bool, pick: int) -> None:
        if not self.on_socket or not self.is_open:
            return
        attempt = sorted(self.on_socket)[pick % len(self.on_socket)]
        request = self.on_socket.pop(attempt)
        kind = self.kinds[request]
        payload = ({"status": "ok"} if kind == "action" else {"type": "x", "data": {}}) if is_answered else "503: down"
        data = {"id": attempt, "response": {"type": kind if is_answered else "error", "payload": payload}}
        self.session.on_frame(self.connection, msgspec.json.encode({"channel": "post", "data": data}), self.now)
        self.look()

    @rule(pick=strategies.integers(0, 99))
    def fail_to_send(self, pick: int) -> None:
        if self.on_socket:
            attempt = sorted(self.on_socket)[pick % len(self.on_socket)]
            self.given.discard(self.on_socket.pop(attempt))
            self.session.on_unsent(attempt, self.now)
            self.look()

    @rule(result=strategies.sampled_from([200, 429, 502, *FAILURES]), pick=strategies.integers(0, 99))
    def answer_over_http(self, result: int | str, pick: int) -> None:
        if not self.on_http:
            return
        attempt = sorted(self.on_http)[pick % len(self.on_http)]
        if result in {429, "not_sent"}:
            self.given.discard(self.on_http[attempt])
        del self.on_http[attempt]
        told = HttpFailed(result, "") if isinstance(result, str) else HttpReply(result, b"{}")
        self.session.on_http(attempt, told, self.now)
        self.look()

    @precondition(lambda self: self.connection)
    @rule(is_newest=strategies.booleans())
    def close(self, is_newest: bool) -> None:
        if is_newest:
            self.is_open = False
        self.session.on_closed(self.connection - (not is_newest), "reset", self.now)
        self.look()

    @rule(wait_ns=strategies.integers(0, 40 * SECOND))
    def wait(self, wait_ns: int) -> None:
        self.now += wait_ns
        self.session.on_time(self.now)
        self.look()
        due = self.session.next_ts_ns()
        assert due is None or due > self.now, "on_time left something undone"

    @rule()
    def wait_until_due(self) -> None:
        due = self.session.next_ts_ns()
        if due is not None:
            self.now = max(self.now, due)
            self.session.on_time(self.now)
            self.look()

    @rule()
    def stop(self) -> None:
        self.session.stop()
        self.is_stopped = True
        self.look()
        self.is_open = False
        assert self.outcomes.keys() == self.kinds.keys(), "a request was left without an end"

    @precondition(lambda self: self.is_stopped)
    @rule()
    def start(self) -> None:
        self.is_stopped = False
        self.session.start(self.now)
        self.look()

    @invariant()
    def every_request_ended_or_is_on_its_way(self) -> None:
        assert len(self.kinds) == len(self.outcomes) + self.session.in_flight

    @invariant()
    def what_was_reported_agrees_with_the_phase(self) -> None:
        assert self.is_up == (self.session.phase is Phase.UP)

    def teardown(self) -> None:
        """Let every request end, and the connection come back with everything subscribed."""
        if self.is_stopped:
            self.start()
        for _ in range(200):
            if self.is_up and not self.session.in_flight:
                break
            if not self.is_open and self.session.phase is Phase.CONNECTING:
                self.open()
            while self.is_open and self.acknowledged < len(self.subscribed):
                self.acknowledge()
            self.hear(b'{"channel":"pong"}')
            if self.session.in_flight or not self.is_up:
                self.wait_until_due()
        assert self.is_up
        keys = [msgspec.to_builtins(one) for one in SUBSCRIPTIONS]
        assert [one for one in self.subscribed if one in keys] == keys
        assert self.outcomes.keys() == self.kinds.keys()


SessionMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSessionLaws = SessionMachine.TestCase
