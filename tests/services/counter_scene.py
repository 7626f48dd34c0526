"""A counter over a small venue, and wallets that sign with the official SDK's own functions."""

import itertools
import json

import msgspec
from eth_account import Account as Wallet
from hyperliquid.exchange import Exchange
from hyperliquid.utils.signing import sign_l1_action

from domain.events import BookChanged, MarkChanged
from domain.instrument import perpetual
from domain.units import MONEY_UNIT, NS_PER_MS, Price, Rate
from exchange.simulated.listener import Listener
from exchange.simulated.settings import FULL_RULES, VenueSettings
from exchange.simulated.venue import Venue
from services.venue_server.conditions import CALM
from services.venue_server.counter import Counter
from services.venue_server.counter_settings import CounterSettings
from services.venue_server.registry import Registry

NOW_MS = 1_800_000_000_000
LOCAL = "http://localhost:3001"
INSTRUMENTS = {"BTC": perpetual("BTC", 0, 5, 40), "ETH": perpetual("ETH", 1, 4, 25)}
META = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40},
        {"name": "ETH", "szDecimals": 4, "maxLeverage": 25},
    ]
}
SPOT_META = {"tokens": [{"name": "USDC", "index": 0, "szDecimals": 8}], "universe": []}
BID, ASK = 1_000_000, 1_000_010
"""100,000.0 and 100,001.0 for BTC, 10,000.00 and 10,000.10 for ETH."""

OPEN_TO_ALL = FULL_RULES.__class__(
    **{**msgspec.structs.asdict(FULL_RULES), "schedule_cancel_volume_min": 0, "liquidates": False}
)
DEFAULT = {"status": "ok", "response": {"type": "default"}}
CASH = 100_000 * MONEY_UNIT


def key(number):
    return Wallet.from_key(bytes([number]) * 32)


def address(wallet):
    return wallet.address.lower()


MASTER, AGENT, OTHER, STRANGER = key(1), key(2), key(3), key(4)


def order(asset=0, is_buy=True, price="99000", size="0.001", reduce_only=False, tif="Gtc", **more):
    terms = {"a": asset, "b": is_buy, "p": price, "s": size, "r": reduce_only, "t": {"limit": {"tif": tif}}}
    return {**terms, **more}


def trigger(price, tpsl, *, is_market=True, is_buy=False, size="0.001", asset=0, reduce_only=True):
    terms = order(asset, is_buy, price, size, reduce_only)
    return {**terms, "t": {"trigger": {"isMarket": is_market, "triggerPx": price, "tpsl": tpsl}}}


def place(*orders, grouping="na", **more):
    return {"type": "order", "orders": list(orders), "grouping": grouping, **more}


def err(text):
    return {"status": "err", "response": text}


class CounterScene:
    """Markets with a book, MASTER and OTHER with cash; every action happens a millisecond after the one before."""

    def __init__(self, settings=None, conditions=CALM, rules=OPEN_TO_ALL, cash=CASH, spot=0):
        self.now_ms = NOW_MS
        self.venue = Venue(INSTRUMENTS, VenueSettings(rules=rules), Listener())
        settings = (
            settings if settings is not None else CounterSettings(sub_account_volume_min=0, referral_volume_min=0)
        )
        self.counter = Counter(self.venue, Registry(), settings, conditions)
        self.venue.on_time(self.now_ns)
        self.market()
        for wallet in (MASTER, OTHER):
            self.counter.open_account(wallet.address, cash, spot)
        self.account = self.venue.accounts[address(MASTER)]
        self.other = self.venue.accounts[address(OTHER)]
        self.person = self.counter.registry.people[address(MASTER)]

    @property
    def now_ns(self):
        return self.now_ms * NS_PER_MS

    def market(self, bid=BID, ask=ASK, lots=10_000):
        for symbol in INSTRUMENTS:
            times = {"ts_event_ns": self.now_ns, "ts_recv_ns": self.now_ns, "symbol": symbol}
            levels = (
                tuple((bid - 10 * step, lots) for step in range(5)),
                tuple((ask + 10 * step, lots) for step in range(5)),
            )
            self.venue.on_market(BookChanged(**times, bids=levels[0], asks=levels[1]), self.now_ns)
            mid = Price((bid + ask) // 20 * 10)
            mark = MarkChanged(**times, mark_price=mid, oracle_price=mid, funding_rate=Rate(0))
            self.venue.on_market(mark, self.now_ns)

    def raw(self, body, claimed=""):
        return self.counter.exchange(body, self.now_ns, claimed)

    def post(self, payload, claimed=""):
        """Post a payload as the SDK does and read the answer; HTTP 422 is the status and the text."""
        answer = self.raw(json.dumps(payload).encode(), claimed)
        if answer.status != 200:
            return answer.status, answer.body.decode()
        return json.loads(answer.body)

    def send(self, action, wallet=MASTER, *, vault=None, nonce=None, expires=None, is_mainnet=False, **more):
        """Sign an L1 action with the SDK's function and post it."""
        self.now_ms += 1
        nonce = self.now_ms if nonce is None else nonce
        signature = sign_l1_action(wallet, action, vault, nonce, expires, is_mainnet)
        envelope = {
            "action": action,
            "nonce": nonce,
            "signature": signature,
            "vaultAddress": vault,
            "expiresAfter": expires,
        }
        return self.post({**envelope, **more})

    def statuses(self, action, wallet=MASTER, **more):
        reply = self.send(action, wallet, **more)
        assert reply["status"] == "ok", reply
        return reply["response"]["data"]["statuses"]

    def sign(self, sign, action, wallet=MASTER, *, clock="nonce", is_mainnet=False, **more):
        """Let an SDK function sign a user-signed action, and post it."""
        self.now_ms += 1
        action = {**action, clock: self.now_ms}
        signature = sign(wallet, action, is_mainnet)
        envelope = {
            "action": action,
            "nonce": self.now_ms,
            "signature": signature,
            "vaultAddress": None,
            "expiresAfter": None,
        }
        return self.post({**envelope, **more})

    def sdk(self, monkeypatch, wallet=MASTER, vault=None):
        """Return the unmodified SDK, whose posts come here instead of to a socket."""
        ticks = itertools.count(self.now_ms + 1)

        def now():
            self.now_ms = next(ticks)
            return self.now_ms

        monkeypatch.setattr("hyperliquid.exchange.get_timestamp_ms", now)
        exchange = Exchange(wallet, LOCAL, META, vault, None, SPOT_META)
        exchange.post = lambda path, payload: self.post(payload)
        exchange.info.post = lambda path, payload: {"BTC": "100000.5", "ETH": "10000.05"}
        return exchange

    def money(self):
        """Everything there is: it never changes but by trades."""
        purse = self.counter.purse
        cash = sum(account.cash + sum(account.isolated.values()) for account in self.venue.accounts.values())
        spot = sum(person.spot for person in self.counter.registry.people.values())
        return cash + spot + purse.withdrawn + purse.charged
