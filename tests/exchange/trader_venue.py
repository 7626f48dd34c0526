"""A little honest venue that speaks the wire: what the trader is tried against. One account, no signatures.

It executes what reaches it, remembers everything, and puts what it would push on a list; the test decides what arrives.
"""

from typing import Any

import msgspec

from domain.instrument import Instrument, perpetual
from domain.units import NS_PER_MS, format_scaled, parse_scaled
from exchange.hyperliquid.requests import Ask, SendAction
from exchange.hyperliquid.wire_actions import (
    BatchModifyAction,
    CancelByNameAction,
    NoopAction,
    OrderTerms,
    PlaceAction,
)

ACCOUNT = "0x" + "ab" * 20
START_MS = 1_757_000_000_000
BTC, ETH = perpetual("BTC", 0, 5, 40), perpetual("ETH", 1, 4, 25)
INSTRUMENTS = {BTC.symbol: BTC, ETH.symbol: ETH}
UNKNOWN_CANCEL = "Order was never placed, already canceled, or filled. asset=1"
HASH = "0x" + "0" * 63


class Order(msgspec.Struct):
    """One number of the venue. Units: price units, lots."""

    number: int
    name: str
    coin: str
    is_buy: bool
    price: int
    size: int
    left: int
    placed_ms: int
    reduce_only: bool
    time_in_force: str
    status: str = "open"
    status_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it rests."""
        return self.status == "open"


class LittleVenue:
    """Orders, fills, cash, positions."""

    def __init__(self) -> None:
        """Open an account with 10,000 USDC."""
        self.now_ms = START_MS
        self.cash = 10_000 * 10**8
        self.positions: dict[str, int] = {}
        self.orders: dict[int, Order] = {}
        self.nonces: set[int] = set()
        self.fills: list[dict[str, Any]] = []
        self.fundings: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.pushes: list[tuple[str, bytes]] = []
        self.takers_get = 0
        """Lots that an order which takes finds at once."""
        self._numbers = 100
        self._trades = 0

    # Answers.

    def execute(self, sent: SendAction) -> bytes:
        """Let an action arrive."""
        if sent.nonce in self.nonces:
            return _err(f"Invalid nonce: duplicate nonce {sent.nonce}")
        if sent.expires_after_ms is not None and sent.expires_after_ms < self.now_ms:
            return _err("Action already expired")
        self.nonces.add(sent.nonce)
        action = sent.action
        if isinstance(action, PlaceAction):
            return _ok("order", [self._place(terms) for terms in action.orders])
        if isinstance(action, CancelByNameAction):
            return _ok("cancel", [self._cancel(one.client_order_id) for one in action.cancels])
        if isinstance(action, BatchModifyAction):
            return _ok("order", [self._modify(str(one.target), one.order) for one in action.modifies])
        assert isinstance(action, NoopAction)
        return msgspec.json.encode({"status": "ok", "response": {"type": "default"}})

    def answer(self, asked: Ask) -> bytes:
        """Answer a question."""
        body = asked.body
        assert body["user"] == ACCOUNT
        since = body.get("startTime", 0)
        found: Any
        match body["type"]:
            case "clearinghouseState":
                found = self._state()
            case "userFillsByTime":
                found = [fill for fill in self.fills if fill["time"] >= since]
            case "userFunding":
                found = [self._wrapped(paid) for paid in self.fundings if paid["time"] >= since]
            case "userNonFundingLedgerUpdates":
                found = [one for one in self.updates if one["time"] >= since]
            case "openOrders":
                found = [self._shown(one) for one in self.orders.values() if one.is_open]
            case "orderStatus":
                found = self._status(body["oid"])
        return msgspec.json.encode(found)

    def find(self, name: str) -> Order | None:
        """Return the newest number of a name."""
        return next((one for one in reversed(self.orders.values()) if one.name == name), None)

    # What happens.

    def fill(self, number: int, lots: int, *, is_taker: bool = False) -> None:
        """Fill an order at its price."""
        order = self.orders[number]
        lots = min(lots, order.left)
        instrument = INSTRUMENTS[order.coin]
        before = self.positions.get(order.coin, 0)
        signed = lots if order.is_buy else -lots
        fee = 12_000
        self.cash -= order.price * signed * instrument.money_per_unit + fee
        self.positions[order.coin] = before + signed
        order.left -= lots
        self._trades += 1
        fill = {
            "coin": order.coin,
            "px": _price(instrument, order.price),
            "sz": _size(instrument, lots),
            "side": "B" if order.is_buy else "A",
            "time": self.now_ms,
            "startPosition": _size(instrument, before),
            "dir": "Open Long",
            "closedPnl": "0.0",
            "hash": HASH + str(self._trades % 10),
            "oid": number,
            "crossed": is_taker,
            "fee": "0.00012",
            "tid": self._trades,
            "feeToken": "USDC",
        }
        if order.name:
            fill["cloid"] = order.name
        self.fills.append(fill)
        self._push("userFills", {"user": ACCOUNT, "fills": [fill]})
        if order.left:
            self._push_order(order)
        else:
            self.end(number, "filled")

    def end(self, number: int, status: str) -> None:
        """End an order and tell it."""
        order = self.orders[number]
        order.status, order.status_ms = status, self.now_ms
        self._push_order(order)

    def pay_funding(self, coin: str, amount: int) -> None:
        """Settle an hour. Units: Money."""
        self.cash += amount
        paid = {
            "time": self.now_ms,
            "coin": coin,
            "usdc": format_scaled(amount, 8),
            "szi": _size(INSTRUMENTS[coin], self.positions.get(coin, 0)),
            "fundingRate": "0.0000125",
            "nSamples": None,
        }
        self.fundings.append(paid)
        self._push("userFundings", {"user": ACCOUNT, "fundings": [paid]})

    def deposit(self, amount: int) -> None:
        """Let money come. Units: Money."""
        self.cash += amount
        entry = {
            "time": self.now_ms,
            "hash": f"0x{len(self.updates):064x}",
            "delta": {"type": "deposit", "usdc": format_scaled(amount, 8)},
        }
        self.updates.append(entry)
        self._push("userNonFundingLedgerUpdates", {"user": ACCOUNT, "nonFundingLedgerUpdates": [entry]})

    # Inside.

    def _place(self, terms: OrderTerms) -> Any:
        coin = BTC if terms.asset == BTC.asset_id else ETH
        assert terms.kind.limit is not msgspec.UNSET
        name = terms.client_order_id if isinstance(terms.client_order_id, str) else ""
        self._numbers += 1
        size = parse_scaled(terms.size, coin.size_decimals)
        order = Order(
            number=self._numbers,
            name=name,
            coin=coin.symbol,
            is_buy=terms.is_buy,
            price=parse_scaled(terms.price, coin.price_decimals),
            size=size,
            left=size,
            placed_ms=self.now_ms,
            reduce_only=terms.reduce_only,
            time_in_force=terms.kind.limit.time_in_force,
        )
        self.orders[order.number] = order
        if coin.notional(order.price, order.size) < coin.notional_min:  # type: ignore[arg-type]
            self.end(order.number, "minTradeNtlRejected")
            return {"error": f"Order must have minimum value of $10. asset={coin.asset_id}"}
        taken = 0 if order.time_in_force == "Alo" else min(self.takers_get, size)
        if order.time_in_force == "Ioc" and not taken:
            self.end(order.number, "iocCancelRejected")
            return {"error": f"Order could not immediately match against any resting orders. asset={coin.asset_id}"}
        self._push_order(order)
        if taken:
            self.takers_get -= taken
            self.fill(order.number, taken, is_taker=True)
            if order.time_in_force == "Ioc" and order.left:
                self.end(order.number, "canceled")
            if order.time_in_force == "Ioc" or not order.left:
                shown = {"totalSz": _size(coin, taken), "avgPx": terms.price, "oid": order.number, "cloid": name}
                return {"filled": shown}
        return {"resting": {"oid": order.number, "cloid": name}}

    def _cancel(self, name: str) -> Any:
        order = self.find(name)
        if order is None or not order.is_open:
            return {"error": UNKNOWN_CANCEL}
        self.end(order.number, "canceled")
        return "success"

    def _modify(self, name: str, terms: OrderTerms) -> Any:
        order = self.find(name)
        if order is None or not order.is_open:
            return {"error": "Cannot modify canceled or filled order"}
        self.end(order.number, "canceled")
        return self._place(terms)

    def _state(self) -> Any:
        zero = {"accountValue": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": "0.0"}
        held = [(coin, lots) for coin, lots in self.positions.items() if lots]
        return {
            "marginSummary": zero | {"totalRawUsd": format_scaled(self.cash, 8)},
            "crossMarginSummary": zero,
            "crossMaintenanceMarginUsed": "0.0",
            "withdrawable": "0.0",
            "assetPositions": [
                {
                    "type": "oneWay",
                    "position": {
                        "coin": coin,
                        "szi": _size(INSTRUMENTS[coin], lots),
                        "leverage": {"type": "cross", "value": 5},
                        "entryPx": "2000.123456",
                        "positionValue": "0.0",
                        "unrealizedPnl": "0.0",
                        "returnOnEquity": "0.0",
                        "liquidationPx": None,
                        "marginUsed": "0.0",
                    },
                }
                for coin, lots in held
            ],
            "time": self.now_ms,
        }

    def _status(self, target: str | int) -> Any:
        order = self.orders.get(target) if isinstance(target, int) else self.find(target)
        if order is None:
            return {"status": "unknownOid"}
        shown = self._shown(order) | {
            "triggerCondition": "N/A",
            "isTrigger": False,
            "triggerPx": "0.0",
            "children": [],
            "isPositionTpsl": False,
            "reduceOnly": order.reduce_only,
            "orderType": "Limit",
            "tif": order.time_in_force,
        }
        return {"status": "order", "order": {"order": shown, "status": order.status, "statusTimestamp": self.now_ms}}

    def _shown(self, order: Order) -> dict[str, Any]:
        instrument = INSTRUMENTS[order.coin]
        return {
            "coin": order.coin,
            "side": "B" if order.is_buy else "A",
            "limitPx": _price(instrument, order.price),
            "sz": _size(instrument, order.left),
            "oid": order.number,
            "timestamp": order.placed_ms,
            "origSz": _size(instrument, order.size),
            "cloid": order.name or None,
        }

    def _wrapped(self, paid: dict[str, Any]) -> dict[str, Any]:
        delta = {key: value for key, value in paid.items() if key != "time"}
        return {"time": paid["time"], "hash": HASH + "0", "delta": {"type": "funding", **delta}}

    def _push_order(self, order: Order) -> None:
        update = {"order": self._shown(order), "status": order.status, "statusTimestamp": self.now_ms}
        self._push("orderUpdates", [update])

    def _push(self, channel: str, data: Any) -> None:
        self.pushes.append((channel, msgspec.json.encode(data)))


def now_ns(venue: LittleVenue) -> int:
    """Return the venue's time in ns: our clock, too."""
    return venue.now_ms * NS_PER_MS


def _ok(kind: str, statuses: list[Any]) -> bytes:
    return msgspec.json.encode({"status": "ok", "response": {"type": kind, "data": {"statuses": statuses}}})


def _err(text: str) -> bytes:
    return msgspec.json.encode({"status": "err", "response": text})


def _price(instrument: Instrument, price: int) -> str:
    text = format_scaled(price, instrument.price_decimals)
    return text if "." in text else f"{text}.0"


def _size(instrument: Instrument, lots: int) -> str:
    text = format_scaled(lots, instrument.size_decimals)
    return text if "." in text else f"{text}.0"
