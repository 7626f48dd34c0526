"""A venue with its desk and channels: two accounts, one of them rests, the other takes; and the recorded answers."""

import json
import re

import pytest
from msgspec.structs import replace

from domain.events import BookChanged, MarkChanged
from domain.units import NS_PER_MS, Price, Rate
from exchange.simulated.records import Grouping, Terms
from exchange.simulated.settings import VenueSettings
from exchange.simulated.venue import Venue
from services.venue_server.counter import Counter
from services.venue_server.hall import Handled
from services.venue_server.info import InfoDesk
from services.venue_server.registry import Registry
from services.venue_server.subscriptions import Channels
from tests.bot_runs import DATA
from tests.services import counter_scene as scene

API = DATA / "hyperliquid" / "api"
MINE, OTHERS = scene.address(scene.MASTER), scene.address(scene.OTHER)
ASK = 1_000_020
TRADED = 1_000_010
NAME = "0x" + "ab" * 16
SECOND = 1_000
HOUR = 3_600 * SECOND
ANYTHING = {"coin": "BTC", "user": MINE, "interval": "1m"}
"""What any kind of subscription needs."""

DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
HEX = re.compile(r"0x[0-9a-fA-F]+")


def needs_recordings(test):
    """Mark a test that reads recorded answers."""
    return pytest.mark.recorded(pytest.mark.skipif(not API.is_dir(), reason=f"no recorded answers: {API}")(test))


def pairs(name):
    """The recorded requests and answers of one file."""
    return [(one["request"]["body"], one["response"]["body"]) for one in json.loads((API / "pairs" / name).read_text())]


def answer_to(name, kind):
    """The last recorded answer to a kind of question."""
    return [body for request, body in pairs(name) if request["type"] == kind][-1]


def form(value):
    """What a value looks like, whatever it is: keys, types, and for text whether it is a decimal or hex."""
    if isinstance(value, dict):
        return {key: form(each) for key, each in value.items()}
    if isinstance(value, list):
        return [form(each) for each in value]
    if isinstance(value, str):
        return "decimal" if DECIMAL.fullmatch(value) else "hex" if HEX.fullmatch(value) else "text"
    return type(value).__name__


class InfoScene:
    """BTC and ETH with a book around 100,000 and 10,000; MASTER and OTHER have 100,000 USDC each."""

    def __init__(self, settings=None, *, liquidates=False):
        self.now_ms = scene.NOW_MS
        self.channels = Channels(settings)
        self.venue = Venue(
            scene.INSTRUMENTS, VenueSettings(rules=replace(scene.OPEN_TO_ALL, liquidates=liquidates)), self.channels
        )
        self.venue.on_time(self.now_ns)
        self.registry = Registry()
        self.counter = Counter(self.venue, self.registry)
        self.info = InfoDesk(self.venue, self.registry, self.channels.tape, self.counter.limits)
        self.handled = None
        self.channels.open(self.info, self.post)
        self.mine = self.counter.open_account(MINE, scene.CASH)
        self.others = self.counter.open_account(OTHERS, scene.CASH)
        self.market()

    @property
    def now_ns(self):
        return self.now_ms * NS_PER_MS

    def post(self, kind, payload, now_ns):
        if self.handled is not None:
            return self.handled
        return Handled(answer=self.info.answer(payload, now_ns))

    def wait(self, ms):
        """Let time pass."""
        self.now_ms += ms
        self.venue.on_time(self.now_ns)

    def market(self, bid=scene.BID, ask=ASK, lots=10_000, depth=5):
        for symbol in scene.INSTRUMENTS:
            times = {"ts_event_ns": self.now_ns, "ts_recv_ns": self.now_ns, "symbol": symbol}
            bids = tuple((bid - 10 * step, lots) for step in range(depth))
            asks = tuple((ask + 10 * step, lots) for step in range(depth))
            self.venue.on_market(BookChanged(**times, bids=bids, asks=asks), self.now_ns)
            self.mark((bid + ask) // 20 * 10, symbol)

    def mark(self, price, symbol="BTC", rate=12_500):
        times = {"ts_event_ns": self.now_ns, "ts_recv_ns": self.now_ns, "symbol": symbol}
        mark = MarkChanged(**times, mark_price=Price(price), oracle_price=Price(price), funding_rate=Rate(rate))
        self.venue.on_market(mark, self.now_ns)

    def place(self, account, side, price, lots, symbol="BTC", grouping=Grouping.NONE, more=(), **terms):
        """Place an order and return its result; more are the terms of its children."""
        self.now_ms += 1
        orders = [Terms(symbol=symbol, side=side, price=price, lots=lots, **terms), *more]
        return self.venue.place(account, orders, grouping, self.now_ns)[0]

    def trade(self, lots=300, name=NAME):
        """OTHER offers at 100,001.0, inside the spread, and MASTER takes all of it."""
        self.place(self.others, -1, TRADED, lots)
        return self.place(self.mine, 1, TRADED, lots, client_order_id=name)

    def raw(self, body):
        return self.info.answer(body, self.now_ns)

    def ask(self, kind, **fields):
        answer = self.raw(json.dumps({"type": kind, **fields}).encode())
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def weight(self, kind, **fields):
        return self.raw(json.dumps({"type": kind, **fields}).encode()).weight

    def connect(self, number=1, visitor=""):
        return self.channels.connected(number, self.now_ns, visitor)

    def say(self, frame, connection=1):
        """Send a frame and read what comes back at once."""
        frame = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        return [json.loads(one) for one in self.channels.received(connection, frame, self.now_ns)]

    def subscribe(self, kind, connection=1, method="subscribe", **fields):
        return self.say({"method": method, "subscription": {"type": kind, **fields}}, connection)

    def pushed(self, connection=1):
        """What a socket is sent now, read."""
        return [json.loads(frame) for to, frame in self.channels.take_pushes(self.now_ns) if to == connection]

    def told(self, channel, connection=1):
        return [one["data"] for one in self.pushed(connection) if one["channel"] == channel]


def recorded_messages():
    """Recorded messages of a trading session by kind and case."""
    lines = (API / "messages" / "order_lifecycle_messages.jsonl").read_text().splitlines()
    return {(one["kind"], one["case"]): one["message"] for one in map(json.loads, lines)}


def recorded_acknowledgments():
    """Recorded subscriptions: what was sent, its acknowledgment, and a push."""
    cases = json.loads((API / "messages" / "ws_subscribe_ack_push.json").read_text())
    return [(one["subscribe"][0], one["ack"][0], one["push"][0]) for one in cases]


def listening(hall, *kinds, connection=1, **fields):
    """Subscribe and forget what comes first."""
    for kind in kinds:
        hall.subscribe(kind, connection, **{**ANYTHING, **fields})
    hall.pushed(connection)
    return hall
