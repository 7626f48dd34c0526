"""The same seed, the same requests at the same times: the same answers and pushes, byte for byte, misfortune included."""

import json
import os
import random
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import msgspec

from domain.events import BookChanged, MarkChanged, TradePrinted
from domain.identifiers import TradeId
from domain.order import Side
from domain.units import MONEY_UNIT, NS_PER_MS, Lots, Money, Price, Rate
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer
from services.venue_server.accounts_file import OpeningAccount
from services.venue_server.hall import EXCHANGE, INFO
from services.venue_server.misfortune import MisfortuneSettings
from services.venue_server.opening import ServerSettings, open_hall
from tests.services.counter_scene import INSTRUMENTS, NOW_MS, order, place

SIGNERS = tuple(Signer(SecretKey(bytes([number]) * 32), is_mainnet=False) for number in (1, 2, 3))
SHARE = 60_000
MISFORTUNE = MisfortuneSettings(
    seed=7,
    too_many=SHARE,
    internal_error=SHARE,
    bad_gateway=SHARE,
    late=SHARE,
    slow=SHARE,
    silent=SHARE,
    drop=SHARE // 10,
    stall=SHARE,
    duplicate=3 * SHARE,
    reorder=3 * SHARE,
    skip_snapshot=5 * SHARE,
)
CHANNELS = (
    *("orderUpdates", "userFills", "userEvents", "userFundings", "webData2", "activeAssetData"),
    *("l2Book", "trades", "bbo", "candle", "allMids", "activeAssetCtx"),
)


def feed(seed):
    """A market that wanders: a book, a trade or marks every 50 ms."""
    chance, price = random.Random(seed), 100_000
    for number in range(4_000):
        price += chance.randint(-9, 9)
        symbol = chance.choice(sorted(INSTRUMENTS))
        ts_ns = (NOW_MS + 50 * number) * NS_PER_MS
        times = {"ts_event_ns": ts_ns, "ts_recv_ns": ts_ns, "symbol": symbol}
        kind = number % 3
        if kind == 0:
            sides = [tuple((10 * (price + side * (1 + step)), 900) for step in range(5)) for side in (-1, 1)]
            yield BookChanged(**times, bids=sides[0], asks=sides[1])
        elif kind == 1:
            side, lots = chance.choice([Side.BUY, Side.SELL]), Lots(chance.randint(1, 2_000))
            yield TradePrinted(**times, price=Price(10 * price), lots=lots, side=side, trade_id=TradeId(number))
        else:
            mark = Price(10 * price)
            yield MarkChanged(
                **times, mark_price=mark, oracle_price=mark, funding_rate=Rate(chance.randint(-9, 9) * 1_000)
            )


def action(chance, now_ms):
    """One signed request of somebody."""
    signer = chance.choice(SIGNERS)
    orders = [
        order(asset, chance.random() < 0.5, str((100_000 + chance.randint(-60, 60)) // (1, 10)[asset]), "0.02", tif=tif)
        for asset, tif in zip(chance.choices([0, 1], k=3), chance.choices(["Gtc", "Ioc", "Alo"], k=3), strict=True)
    ]
    wish = chance.choice([place(*orders), place(*orders), {"type": "cancel", "cancels": [{"a": 0, "o": 1}]}])
    signature = signer.sign_l1(msgspec.msgpack.encode(wish), now_ms)
    return {"action": wish, "nonce": now_ms, "signature": msgspec.to_builtins(signature)}


def question(chance):
    kind = chance.choice(
        ["clearinghouseState", "openOrders", "userFills", "historicalOrders", "l2Book", "metaAndAssetCtxs"]
    )
    return {"type": kind, "user": chance.choice(SIGNERS).address, "coin": "BTC"}


def day(seed, misfortune=MISFORTUNE):
    """Everything that leaves the hall on one day."""
    accounts = [OpeningAccount(address=one.address, usdc=Money(900 * MONEY_UNIT)) for one in SIGNERS]
    now_ns = NOW_MS * NS_PER_MS
    hall = open_hall(
        ServerSettings(seed=seed, misfortune=misfortune), tuple(INSTRUMENTS.values()), accounts, feed(seed), now_ns
    )
    chance, told, sockets = random.Random(seed), [], []
    for number in range(600):
        now_ms = NOW_MS + 150 * number + chance.randrange(100)
        now_ns = now_ms * NS_PER_MS
        chosen = chance.random()
        if number % 60 == 0:
            connection, first = hall.connect("10.0.0.1", now_ns)
            sockets.append(connection)
            told += first
            wish = {"user": chance.choice(SIGNERS).address, "coin": "BTC", "interval": "1m"}
            for kind in CHANNELS:
                frame = json.dumps({"method": "subscribe", "subscription": {"type": kind, **wish}}).encode()
                told += hall.receive(connection, frame, now_ns)
        elif chosen < 0.7:
            path = EXCHANGE if chosen < 0.5 else INFO
            body = json.dumps(action(chance, now_ms) if path == EXCHANGE else question(chance)).encode()
            told.append(repr(hall.handle(path, body, "10.0.0.1", hall.fate_of(path), now_ns)).encode())
        elif sockets:
            request = {"type": "action", "payload": action(chance, now_ms)}
            frame = json.dumps({"method": "post", "id": number, "request": request}).encode()
            told += hall.receive(chance.choice(sockets), frame, now_ns)
        told += [b"%d %b" % push for push in hall.take_pushes(now_ns)]
        fates = hall.fates_of_lines(now_ns)
        told.append(repr(fates).encode())
        for connection in [one for one, fate in fates.items() if fate.is_dropped]:
            hall.disconnect(connection)
            sockets.remove(connection)
    return told, hall


def digest(seed):
    return sha256(b"\n".join(day(seed)[0])).hexdigest()


def test_a_day_repeats_byte_for_byte():
    told, hall = day(5)
    assert told == day(5)[0]
    assert told != day(6)[0]
    assert set(hall.misfortune.counts) == {
        *("too_many", "internal_error", "bad_gateway", "late", "slow", "silent"),
        *("drop", "stall", "duplicate", "reorder", "skip_snapshot"),
    }
    assert sum(len(account.executions) for account in hall.venue.accounts.values()) > 30


def test_a_day_repeats_in_another_process_whose_texts_hash_otherwise():
    code = "from tests.services.test_services_determinism import digest; print(digest(5))"
    root = Path(__file__).parents[2]
    for hash_seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert ran.stdout.strip() == digest(5)
