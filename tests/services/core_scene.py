"""Random days at the counter: three people act, the market moves, and what a client can hear is written down."""

import json
import random
from collections import defaultdict
from decimal import Decimal

from msgspec.structs import replace

from domain.events import BookChanged, MarkChanged, TradePrinted
from domain.identifiers import TradeId
from domain.order import Side
from domain.units import MONEY_UNIT, NS_PER_MS, Lots, Price, Rate
from exchange.simulated.settings import FULL_RULES, VenueSettings
from exchange.simulated.venue import Venue
from services.venue_server.counter import Counter
from services.venue_server.counter_settings import CounterSettings, Policy
from services.venue_server.hall import Handled
from services.venue_server.info import InfoDesk
from services.venue_server.registry import Registry
from services.venue_server.subscriptions import Channels
from tests.services.counter_scene import INSTRUMENTS, NOW_MS, order, place

PEOPLE = tuple("0x" + name * 20 for name in ("a1", "b2", "c3"))
CHANNELS = ("orderUpdates", "userFills", "userEvents", "userFundings", "userNonFundingLedgerUpdates")
RULES = replace(FULL_RULES, schedule_cancel_volume_min=0, large_position=2_000 * MONEY_UNIT)
SIGNATURE = {"r": "0x1", "s": "0x1", "v": 27}
STEPS = (
    *["rest"] * 6,
    *["take"] * 6,
    *["market"] * 5,
    *("alo", "reduce", "stop", "bracket", "position", "batch", "cancel", "cancel name", "modify", "modify all"),
    *("leverage", "margin", "schedule", "send", "print", "mark", "crash", "crash", "hour", "second"),
)
LIVE = frozenset({"open", "triggered"})


def decimals(value, asset=0):
    """Plain text of a whole price; an ETH costs a tenth of a BTC."""
    return str(value) if asset == 0 else f"{value // 10}.{value % 10}".removesuffix(".0")


class Heard:
    """What one account was told, folded as a client folds it."""

    def __init__(self):
        self.orders, self.fills, self.cash = {}, [], Decimal(0)
        self.ended = defaultdict(int)
        self.sizes = {}

    def take(self, address, message):
        channel, data = message["channel"], message["data"]
        if channel == "orderUpdates":
            for told in data:
                number, status = told["order"]["oid"], told["status"]
                assert not self.ended[number], told
                self.ended[number] += status not in LIVE
                before = self.orders.get(number)
                if before is None or before[0] != status:
                    self.sizes[number] = told["order"]["sz"]
                self.orders[number] = (status, told["order"]["sz"])
        elif channel == "userFills" and not data.get("isSnapshot"):
            for fill in data["fills"]:
                self.fills.append(fill)
                side = 1 if fill["side"] == "B" else -1
                self.cash -= side * Decimal(fill["px"]) * Decimal(fill["sz"]) + Decimal(fill["fee"])
        elif channel == "userFundings" and not data.get("isSnapshot"):
            self.cash += sum(Decimal(paid["usdc"]) for paid in data["fundings"])
        elif channel == "userNonFundingLedgerUpdates" and not data.get("isSnapshot"):
            for update in data["nonFundingLedgerUpdates"]:
                self.book(address, update["delta"])

    def book(self, address, delta):
        if delta["type"] == "internalTransfer":
            self.cash += Decimal(delta["usdc"]) * (1 if delta["destination"] == address else -1)
        else:
            assert (delta["type"], sorted(delta)) == (
                "liquidation",
                ["accountValue", "leverageType", "liquidatedPositions", "type"],
            )


class Core:
    """The whole server without sockets and misfortune; who acts is taken at his word."""

    def __init__(self, seed, cash=3_000):
        self.chance = random.Random(seed)
        self.now_ms = NOW_MS
        self.price = 100_000.0
        self.channels = Channels()
        self.venue = Venue(INSTRUMENTS, VenueSettings(leverage=20, rules=RULES), self.channels)
        self.venue.on_time(self.now_ns)
        settings = CounterSettings(policy=Policy.OFF, limits_on=False)
        self.counter = Counter(self.venue, Registry(), settings)
        self.info = InfoDesk(self.venue, self.counter.registry, self.channels.tape, self.counter.limits)
        self.channels.open(self.info, lambda kind, payload, now_ns: Handled(answer=None))
        self.cash = cash
        self.heard = {}
        for number, address in enumerate((*PEOPLE, RULES.backstop_address)):
            self.counter.open_account(address, cash * MONEY_UNIT)
            self.heard[address] = Heard()
            self.channels.connected(number, self.now_ns)
            for kind in CHANNELS:
                wish = {"method": "subscribe", "subscription": {"type": kind, "user": address}}
                self.channels.received(number, json.dumps(wish).encode(), self.now_ns)
        self.counter.registry.people[PEOPLE[0]].builders[PEOPLE[2]] = 10
        self.listened = (*PEOPLE, RULES.backstop_address)
        self.rounds = []
        self.market()

    @property
    def now_ns(self):
        return self.now_ms * NS_PER_MS

    def ask(self, kind, **fields):
        return json.loads(self.info.answer(json.dumps({"type": kind, **fields}).encode(), self.now_ns).body)

    def act(self, address, action, **more):
        """Hand an action in, then hear what everybody is told; return the answer."""
        self.now_ms += 1
        self.venue.on_time(self.now_ns)
        body = {"action": action, "nonce": self.now_ms, "signature": SIGNATURE, **more}
        answer = self.counter.exchange(json.dumps(body).encode(), self.now_ns, address)
        assert answer.status == 200, (action, answer)
        self.hear()
        return json.loads(answer.body)

    def hear(self):
        frames = self.channels.take_pushes(self.now_ns)
        self.rounds.append(frames)
        for connection, frame in frames:
            address = self.listened[connection]
            self.heard[address].take(address, json.loads(frame))

    def wait(self, seconds):
        self.now_ms += seconds * 1_000
        self.venue.on_time(self.now_ns)
        self.hear()

    def times(self, symbol="BTC"):
        self.now_ms += 1
        self.venue.on_time(self.now_ns)
        return {"ts_event_ns": self.now_ns, "ts_recv_ns": self.now_ns, "symbol": symbol}

    def market(self, lots=2_000):
        price = round(self.price)
        for symbol in INSTRUMENTS:
            bids = tuple(((price - 1 - step) * 10, lots) for step in range(4))
            asks = tuple(((price + 1 + step) * 10, lots) for step in range(4))
            self.venue.on_market(BookChanged(**self.times(symbol), bids=bids, asks=asks), self.now_ns)
        self.mark()

    def mark(self):
        price = Price(round(self.price) * 10)
        rate = Rate(self.chance.randrange(-(10**6), 10**6))
        for symbol in INSTRUMENTS:
            event = MarkChanged(**self.times(symbol), mark_price=price, oracle_price=price, funding_rate=rate)
            self.venue.on_market(event, self.now_ns)
        self.hear()

    def terms(self, tif="Gtc", **more):
        chance = self.chance
        asset = chance.randrange(2)
        price = decimals(round(self.price) + chance.randint(-6, 6), asset)
        size = chance.choice(["0.002", "0.01", "0.05", "0.3"])
        if chance.random() < 0.5:
            more["c"] = f"0x{chance.randrange(2**64):032x}"
        return order(asset, chance.random() < 0.5, price, size, tif=tif, **more)

    def grouped(self, parent, has_parent):
        """Take-profit and stop around the mark, closing what the parent opens."""
        sign = 1 if parent["b"] else -1
        pair = []
        for kind, far in (("tp", 3), ("sl", -3)):
            price = decimals(round(self.price) + sign * far, parent["a"])
            wake = {"trigger": {"isMarket": self.chance.random() < 0.7, "triggerPx": price, "tpsl": kind}}
            size = parent["s"] if has_parent or self.chance.random() < 0.5 else "0"
            pair.append(order(parent["a"], not parent["b"], price, size, True) | {"t": wake})
        return pair

    def step(self):
        """Let one thing happen and return the answer when it was an action, with the number of orders it was about."""
        chance = self.chance
        kind, who = chance.choice(STEPS), chance.choice(PEOPLE)
        account = self.venue.accounts[who]
        builder = {"builder": {"b": PEOPLE[2], "f": 10}} if who == PEOPLE[0] and chance.random() < 0.3 else {}
        terms = self.terms()
        match kind:
            case "market" | "mark" | "crash" | "print" | "hour" | "second":
                return self.world(kind)
            case "rest" | "reduce":
                return self.act(who, place(terms | {"r": kind == "reduce"}, **builder)), 1
            case "take" | "alo":
                return self.act(who, place(self.terms("Ioc" if kind == "take" else "Alo"), **builder)), 1
            case "stop":
                price = decimals(round(self.price) + chance.choice([-4, 4]), terms["a"])
                wake = {"isMarket": chance.random() < 0.5, "triggerPx": price, "tpsl": chance.choice(["tp", "sl"])}
                return self.act(who, place(terms | {"t": {"trigger": wake}})), 1
            case "bracket":
                return self.act(who, place(terms, *self.grouped(terms, True), grouping="normalTpsl")), 3
            case "position":
                return self.act(who, place(*self.grouped(terms, False), grouping="positionTpsl")), 2
            case "batch":
                return self.act(who, place(*(self.terms(chance.choice(["Gtc", "Ioc", "Alo"])) for _ in range(4)))), 4
        return self.manage(kind, who, account, terms)

    def manage(self, kind, who, account, terms):
        chance, asset = self.chance, self.chance.randrange(2)
        numbers, names = sorted(account.orders) or [1], sorted(account.named) or ["0x" + "9" * 32]
        match kind:
            case "cancel":
                cancels = [{"a": asset, "o": chance.choice(numbers)} for _ in range(2)]
                return self.act(who, {"type": "cancel", "cancels": cancels}), 2
            case "cancel name":
                return self.act(who, {"type": "cancelByCloid", "cancels": [{"asset": asset, "cloid": names[0]}]}), 1
            case "modify":
                flag = {"a": True} if chance.random() < 0.5 else {}
                return self.act(who, {"type": "modify", "oid": chance.choice(numbers), "order": terms, **flag}), 0
            case "modify all":
                modifies = [{"oid": one, "order": self.terms()} for one in numbers[:2]]
                return self.act(who, {"type": "batchModify", "modifies": modifies, "a": True}), len(modifies)
            case "leverage":
                action = {"type": "updateLeverage", "asset": asset, "isCross": chance.random() < 0.5}
                return self.act(who, action | {"leverage": chance.randrange(1, 42)}), 0
            case "margin":
                ntli = chance.randrange(-(10**8), 10**8)
                return self.act(who, {"type": "updateIsolatedMargin", "asset": asset, "isBuy": True, "ntli": ntli}), 0
            case "schedule":
                return self.act(who, {"type": "scheduleCancel", "time": self.now_ms + 6_000}), 0
        self.now_ms += 1
        send = {"type": "usdSend", "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet", "amount": "7.5"}
        return self.act(who, send | {"destination": chance.choice(PEOPLE), "time": self.now_ms + 1}), 0

    def world(self, kind):
        chance = self.chance
        match kind:
            case "hour":
                self.wait(3_600 - self.now_ms // 1_000 % 3_600)
            case "second":
                self.wait(chance.choice([1, 7]))
            case "print":
                price, side = round(self.price) * 10 + 10 * chance.randint(-4, 4), chance.choice([Side.BUY, Side.SELL])
                numbers = {"price": Price(price), "lots": Lots(900), "side": side, "trade_id": TradeId(self.now_ms)}
                self.venue.on_market(TradePrinted(**self.times(), **numbers), self.now_ns)
                self.hear()
            case _:
                self.price *= 1 + {"market": 0.0001, "mark": 0.002, "crash": chance.choice([0.04, 0.15])}[
                    kind
                ] * chance.uniform(-1, 1)
                self.market() if kind == "market" else self.mark()
        return None, 0
