"""What one signed order costs: ours against the official SDK's, with and without its native curve library.

The SDK signs through eth-account, which takes coincurve when it is installed and computes in Python otherwise. What it
does without is measured in a process of its own, in each round, that is told so by eth-keys' own variable. Each call has
a nonce of its own. All that is compared is equal first.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from statistics import quantiles
from time import perf_counter_ns
from typing import Any

import msgspec
from eth_account import Account
from hyperliquid.utils import signing as sdk

from benchmarks.report import Options, Report, Table, medians
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer, recover_l1
from exchange.hyperliquid.wire import Envelope, Signature
from exchange.hyperliquid.wire_actions import LimitTerms, OrderKind, OrderTerms, PlaceAction

KEY = bytes([1]) * 32
NONCE = 1_700_000_000_000
CALLS, CALLS_SDK, CALLS_SDK_PYTHON = 4_000, 400, 40
BATCH = 40
WITHOUT = {"ECC_BACKEND_CLASS": "eth_keys.backends.NativeECCBackend"}
Work = Callable[[int], object]
"""Does one call with this nonce."""


def measure(options: Options) -> Report:
    """Sign and recover, each way in its turn, round by round."""
    ways = _ours() | _sdk("SDK with coincurve", CALLS_SDK)
    rounds = [_taken(ways) | _without() for _ in range(options.rounds)]
    figures = medians(rounds)
    names = dict.fromkeys(name.rpartition("/")[0] for name in figures)
    rows = [
        (name, *(figures[f"{name}/{at}"] for at in ("p50", "p95", "p99")), 1e6 / figures[f"{name}/p50"])
        for name in names
    ]
    return Report(
        "signing",
        {
            "calls a round": CALLS,
            "of the SDK": CALLS_SDK,
            "without coincurve": CALLS_SDK_PYTHON,
            "rounds": options.rounds,
        },
        [Table("Microseconds a call", ("what", "p50", "p95", "p99", "a second"), rows)],
        [
            "sign: build the action, encode it, hash, sign. The SDK is given its action ready built.",
            "An order in a batch costs no signature of its own; `to body` is the JSON that is posted, too.",
        ],
    )


def _order(price: int) -> OrderTerms:
    return OrderTerms(
        asset=1,
        is_buy=True,
        price=f"{price}.4",
        size="0.02",
        reduce_only=False,
        kind=OrderKind(limit=LimitTerms(time_in_force="Alo")),
        client_order_id=f"0x{price:032x}",
    )


def _action(orders: int, price: int = 1_891) -> PlaceAction:
    return PlaceAction(orders=tuple(_order(price + number) for number in range(orders)), grouping="na")


def _plain(action: PlaceAction) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(action))
    return found


def _ours() -> dict[str, tuple[Work, int]]:
    signer = Signer(SecretKey(KEY), is_mainnet=False)
    encode, to_json = msgspec.msgpack.Encoder().encode, msgspec.json.Encoder().encode
    data = encode(_action(1))
    signature = signer.sign_l1(data, NONCE)

    def sign(orders: int) -> Work:
        return lambda nonce: signer.sign_l1(encode(_action(orders)), nonce)

    def to_body(nonce: int) -> bytes:
        action = _action(1)
        made = signer.sign_l1(encode(action), nonce)
        return to_json(Envelope(action=msgspec.Raw(to_json(action)), nonce=nonce, signature=made))

    def recover(_: int) -> str | None:
        return recover_l1(data, NONCE, signature, is_mainnet=False)

    assert recover(0) == signer.address
    return {
        "hat: sign 1 order": (sign(1), CALLS),
        "hat: 1 order to body": (to_body, CALLS),
        f"hat: sign {BATCH} orders": (sign(BATCH), CALLS),
        "hat: recover": (recover, CALLS),
    }


def _sdk(name: str, calls: int) -> dict[str, tuple[Work, int]]:
    wallet, signer = Account.from_key(KEY), Signer(SecretKey(KEY), is_mainnet=False)
    one, many = _plain(_action(1)), _plain(_action(BATCH))
    text = sdk.sign_l1_action(wallet, one, None, NONCE, None, False)

    def sign(action: dict[str, Any]) -> Work:
        return lambda nonce: sdk.sign_l1_action(wallet, action, None, nonce, None, False)

    def recover(_: int) -> str:
        found: str = sdk.recover_agent_or_user_from_l1_action(one, text, None, NONCE, None, False)
        return found

    assert signer.sign_l1(msgspec.msgpack.encode(_action(1)), NONCE) == Signature(**text)
    assert recover(0).lower() == signer.address
    return {
        f"{name}: sign 1 order": (sign(one), calls),
        f"{name}: sign {BATCH} orders": (sign(many), calls),
        f"{name}: recover": (recover, calls),
    }


def _without() -> dict[str, float]:
    """Return what the SDK takes in a process in which eth-account computes the curve in Python."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.signing"],
        env={**os.environ, **WITHOUT},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _taken(ways: dict[str, tuple[Work, int]]) -> dict[str, float]:
    """Return microseconds by name and percentile."""
    return {
        f"{name}/{at}": figure
        for name, (work, calls) in ways.items()
        for at, figure in _microseconds(work, calls).items()
    }


def _microseconds(work: Work, calls: int) -> dict[str, float]:
    """Return percentiles of single calls."""
    for nonce in range(max(2, calls // 20)):
        work(NONCE + nonce)
    taken = []
    for nonce in range(calls):
        started = perf_counter_ns()
        work(NONCE + nonce)
        taken.append((perf_counter_ns() - started) / 1_000)
    cuts = quantiles(taken, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


if __name__ == "__main__":
    print(json.dumps(_taken(_sdk("SDK without", CALLS_SDK_PYTHON))))
