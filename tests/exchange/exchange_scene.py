"""A whole adapter opened against a server on loopback, and what tests ask of it."""

import asyncio
import time
from contextlib import asynccontextmanager

import msgspec

from domain.commands import PlaceOrder
from domain.order import Side, TimeInForce
from domain.units import Lots, Price
from exchange.hyperliquid.exchange import ExchangeSettings, HyperliquidExchange
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.nonces import Nonces
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer, recover_l1
from exchange.hyperliquid.universe import UNIVERSE
from exchange.hyperliquid.wire import Signature
from tests.exchange.loopback_venue import LoopbackVenue, until

ACCOUNT = "0x" + "ab" * 20
BTC = UNIVERSE["BTC"]
SIGNER = Signer(SecretKey(b"\x01" * 32), is_mainnet=False)
SETTINGS = ExchangeSettings(answer_ns_max=1_000_000_000, open_ns_max=3_000_000_000)
ZERO = {"accountValue": "1000.0", "totalNtlPos": "0.0", "totalRawUsd": "1000.0", "totalMarginUsed": "0.0"}


def account_state(_body=None):
    return {
        "marginSummary": ZERO,
        "crossMarginSummary": ZERO,
        "crossMaintenanceMarginUsed": "0.0",
        "withdrawable": "1000.0",
        "assetPositions": [],
        "time": time.time_ns() // 1_000_000,
    }


def venue_of(**answers) -> LoopbackVenue:
    """Return a venue with one funded account and our agent."""
    venue = LoopbackVenue()
    leverage = {"type": "cross", "value": 20}
    venue.answers = {
        "meta": {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}]},
        "userRole": lambda body: (
            {"role": "agent", "data": {"user": ACCOUNT}} if body["user"] == SIGNER.address else {"role": "user"}
        ),
        "clearinghouseState": account_state,
        "userAbstraction": "default",
        "userRateLimit": {"cumVlm": "0.0", "nRequestsUsed": 10, "nRequestsCap": 10_000},
        "activeAssetData": {
            "user": ACCOUNT,
            "coin": "BTC",
            "leverage": leverage,
            "maxTradeSzs": ["1", "1"],
            "availableToTrade": ["1", "1"],
        },
        **{key: [] for key in ("openOrders", "userFillsByTime", "userFunding", "userNonFundingLedgerUpdates")},
        "orderStatus": {"status": "unknownOid"},
        **answers,
    }
    return venue


@asynccontextmanager
async def opened(venue, tmp_path, settings=SETTINGS, *, opens=True):
    """Yield an exchange that is open, and the count of its wakes."""
    wakes = []
    async with venue.serving():
        exchange = HyperliquidExchange(
            Network.at("local", venue.url),
            [BTC],
            ACCOUNT,
            SIGNER,
            Nonces(tmp_path / "nonces", lambda: time.time_ns() // 1_000_000),
            time.time_ns,
            settings,
            lambda: wakes.append(1),
            steady_clock=time.monotonic_ns,
        )
        async with exchange.connected():
            if opens:
                await exchange.open()
            yield exchange, wakes


def taken(exchange) -> list:
    events = []
    while (event := exchange.advance()) is not None:
        events.append(event)
    return events


async def next_of(exchange, kind):
    """Return the next event of a kind, and leave those after it."""
    found = []

    def look():
        while not found and (event := exchange.advance()) is not None:
            found.extend([event] if isinstance(event, kind) else [])
        return found

    await until(look)
    return found[0]


def place(name: int, price: int = 60_000_0, **changes) -> PlaceOrder:
    terms = {
        "symbol": "BTC",
        "side": Side.BUY,
        "price": Price(price),
        "lots": Lots(100),
        "time_in_force": TimeInForce.GTC,
        "post_only": True,
        "reduce_only": False,
    }
    return PlaceOrder(client_order_id=f"0x{name:032x}", ts_ns=time.time_ns(), **(terms | changes))


def recovered(body: dict, action_type: type) -> str | None:
    """Return who signed a body."""
    action = msgspec.json.decode(msgspec.json.encode(body["action"]), type=action_type)
    signature = msgspec.convert(body["signature"], Signature)
    vault = body.get("vaultAddress")
    return recover_l1(
        msgspec.msgpack.encode(action),
        body["nonce"],
        signature,
        bytes.fromhex(vault[2:]) if vault else None,
        body.get("expiresAfter"),
        is_mainnet=False,
    )


def run(test) -> None:
    asyncio.run(test())


BOOK = {
    "coin": "BTC",
    "levels": [[{"px": "60000.0", "sz": "1.0", "n": 1}], [{"px": "60001.0", "sz": "1.0", "n": 1}]],
}


async def push_book(venue) -> None:
    await venue.push("l2Book", BOOK | {"time": time.time_ns() // 1_000_000})
