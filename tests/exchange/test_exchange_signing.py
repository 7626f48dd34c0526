"""Signatures of trading actions against the official SDK: its own vectors, random actions, and what must name nobody."""

import json
import pickle

import msgpack
import msgspec
import pytest
from eth_account import Account
from hyperliquid.utils import signing as sdk
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.hyperliquid.hashing import address_bytes, keccak
from exchange.hyperliquid.secret_key import CURVE_ORDER, SecretKey
from exchange.hyperliquid.signing import (
    Signer,
    action_hash,
    recover,
    recover_l1,
    recover_multi_sig,
)
from exchange.hyperliquid.signing_user import (
    completed,
)
from exchange.hyperliquid.wire import Signature
from exchange.hyperliquid.wire_actions import LimitTerms, OrderKind, OrderTerms, PlaceAction
from tests.bot_runs import DATA

ONES = bytes([1]) * 32
NONCE = 1_700_000_000_000
ADDRESS = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
VAULT = bytes.fromhex("ab" * 20)
EXPIRY = 1_700_000_010_000
WALLET = Account.from_key(ONES)
SIGNERS = {is_mainnet: Signer(SecretKey(ONES), is_mainnet) for is_mainnet in (False, True)}

ORDER = PlaceAction(
    orders=(
        OrderTerms(
            asset=1,
            is_buy=True,
            price="1891.4",
            size="0.02",
            reduce_only=False,
            kind=OrderKind(limit=LimitTerms(time_in_force="Gtc")),
        ),
    ),
    grouping="na",
)
ORDER_HEX = (
    "83a474797065a56f72646572a66f72646572739186a16101a162c3a170a6313839312e34a173a4302e3032a172c2a17481a56c696d697481"
    "a3746966a3477463a867726f7570696e67a26e61"
)
ORDER_BYTES = bytes.fromhex(ORDER_HEX)
NOOP_BYTES = msgspec.msgpack.encode({"type": "noop"})

# HYPERLIQUID 4.7: bytes, vault, expiry, hash, is_mainnet, r, s, v.
VECTORS = [
    (
        *(ORDER_BYTES, None, None, "64dd2f633ba1980c8af122cf64f0d85fc289437795bdef2b240870d35b09b19a", False),
        "0xedd67edf40fbd3d46baea637bd12ee72814642bccfb857f6bd3c055b38e017d4",
        "0x63130d540b7142fcf413d44a1361c106070a0302ecca9e3fb44c36a38865893b",
        27,
    ),
    (
        *(ORDER_BYTES, None, None, "64dd2f633ba1980c8af122cf64f0d85fc289437795bdef2b240870d35b09b19a", True),
        "0x6bf1930a476bd6839f78038e2218f08af654c1f140baf3e55bd3aa350e1148d1",
        "0x16da328b0a381ccab5205e54143bc3d095186a9287bae6139ebd55a8b0e75c59",
        28,
    ),
    (
        *(ORDER_BYTES, VAULT, None, "886ac66bcf458c0e11d2c88c7d0539ecadcde55e765e4aff0cb2ade9acbdb034", False),
        "0x250d1baa47bc1e4ac18b8fd875c5d4c0067c20b8098a7b179ee0bc3e5384b5bf",
        "0x1ce0680b1542efd1ae99a64f7815e2306f418cc6b45fec29ee14ac2eed2e4194",
        28,
    ),
    (
        *(ORDER_BYTES, None, EXPIRY, "a6285c8bf1c0a0997d2afeab44e7759746d4095b3698bf8819f95ebaca10076c", False),
        "0x925a59dae7bf3c8ffac3caaebd7a10457b02723cba6d3bc759f19d98ba8978e",
        "0x296a037977c88873745bb94412ddbaa31e92f80aa1dc2f55fd890068223387f5",
        27,
    ),
    (
        *(NOOP_BYTES, None, None, "ef5dcef9775ebb2c5a6553314e66a6a57bd7e9b2319a869a8b17f08fa48bdcaf", False),
        "0x774955d40993e5c41a772a5e932dd34bc5800d49835ee99d19aede35eccb314a",
        "0x5f78f364aaf523aeda00890ceebe1c4a0a6d6f4c43565712b28a306b6dadb0b9",
        27,
    ),
]


def as_wire(found):
    return Signature(**found)


def test_keccak_is_the_hash_of_ethereum_and_not_sha3():
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_bytes_of_an_order_are_those_the_sdk_hashes():
    assert msgspec.msgpack.encode(ORDER).hex() == ORDER_HEX


@pytest.mark.parametrize(("data", "vault", "expiry", "connection_id", "is_mainnet", "r", "s", "v"), VECTORS)
def test_l1_signature_equals_the_noted_one(data, vault, expiry, connection_id, is_mainnet, r, s, v):
    signature = SIGNERS[is_mainnet].sign_l1(data, NONCE, vault, expiry)

    assert action_hash(data, NONCE, vault, expiry).hex() == connection_id
    assert signature == Signature(r=r, s=s, v=v)
    assert recover_l1(data, NONCE, signature, vault, expiry, is_mainnet=is_mainnet) == ADDRESS


@pytest.mark.recorded
def test_signatures_equal_the_vectors_of_the_official_sdk():
    place = DATA / "hyperliquid" / "api" / "signing" / "l1_action_vectors.json"
    if not place.exists():
        pytest.skip(f"no recorded signing vectors at {place}")
    noted = json.loads(place.read_text())
    key = SecretKey(bytes.fromhex(noted["private_key"][2:]))
    signers = {name: Signer(key, name == "mainnet") for name in ("mainnet", "testnet")}
    assert signers["mainnet"].address == noted["address"].lower()

    for vector in noted["vectors"]:
        vault = address_bytes(vector["vault_address"]) if vector["vault_address"] else None
        data = msgspec.msgpack.encode(vector["action"])
        for network, expected in vector["expected"].items():
            found = signers[network].sign_l1(data, vector["nonce"], vault, vector["expires_after"])
            assert found == as_wire(expected), vector["case"]
    for phantom in noted["phantom_agent"]:
        data = msgspec.msgpack.encode(phantom["action"])
        assert "0x" + action_hash(data, phantom["nonce"], None, None).hex() == phantom["connectionId"]
    for vector in noted["user_signed"]:
        action = completed({"type": "usdSend", **vector["message"]}, is_mainnet=vector["network"] == "mainnet")
        assert signers[vector["network"]].sign_user(action) == as_wire(vector["expected"])
    assert {"vectors", "phantom_agent", "user_signed"} <= set(noted)


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | WORDS
ACTIONS = st.dictionaries(
    WORDS, st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(WORDS, inner, max_size=20))
)
NONCES = st.integers(0, 2**64 - 1)


@settings(max_examples=150, deadline=None)
@given(
    ACTIONS, NONCES, st.none() | st.binary(min_size=20, max_size=20), st.none() | NONCES, st.booleans(), st.integers(1)
)
def test_random_actions_are_signed_and_recovered_as_the_sdk_does(action, nonce, vault, expiry, is_mainnet, seed):
    key = (seed % (CURVE_ORDER - 1) + 1).to_bytes(32, "big")
    wallet, signer = Account.from_key(key), Signer(SecretKey(key), is_mainnet)
    address = "0x" + vault.hex() if vault is not None else None
    data = msgspec.msgpack.encode(action)

    signature = signer.sign_l1(data, nonce, vault, expiry)

    assert data == msgpack.packb(action)
    assert signature == as_wire(sdk.sign_l1_action(wallet, action, address, nonce, expiry, is_mainnet))
    assert recover_l1(data, nonce, signature, vault, expiry, is_mainnet=is_mainnet) == wallet.address.lower()
    assert signer.address == wallet.address.lower()


def test_anything_changed_names_a_stranger():
    signature = SIGNERS[False].sign_l1(ORDER_BYTES, NONCE, VAULT, EXPIRY)
    changed = [
        recover_l1(ORDER_BYTES.replace(b"1891.4", b"1891.5"), NONCE, signature, VAULT, EXPIRY, is_mainnet=False),
        recover_l1(ORDER_BYTES, NONCE + 1, signature, VAULT, EXPIRY, is_mainnet=False),
        recover_l1(ORDER_BYTES, NONCE, signature, None, EXPIRY, is_mainnet=False),
        recover_l1(ORDER_BYTES, NONCE, signature, VAULT, None, is_mainnet=False),
        recover_l1(ORDER_BYTES, NONCE, signature, VAULT, EXPIRY, is_mainnet=True),
        recover_l1(ORDER_BYTES, NONCE, Signature(r=signature.s, s=signature.r, v=signature.v), is_mainnet=False),
    ]

    assert recover_l1(ORDER_BYTES, NONCE, signature, VAULT, EXPIRY, is_mainnet=False) == ADDRESS
    assert ADDRESS not in changed


def test_zeros_that_lead_may_be_there_or_not_and_v_may_be_short():
    data, vault, expiry, _, _, r, s, v = VECTORS[3]
    assert len(r) < 66
    padded = Signature(r="0x" + r[2:].rjust(64, "0"), s=s, v=v - 27)

    assert recover_l1(data, NONCE, padded, vault, expiry, is_mainnet=False) == ADDRESS


@pytest.mark.parametrize(
    ("r", "s", "v"),
    [
        ("0x0", "0x1", 27),
        ("0x1", "0x0", 28),
        ("0x", "0x", 27),
        ("", "", 27),
        ("0xzz", "0x1", 27),
        ("1", "1", 27),
        ("0x1", "0x1", 29),
        ("0x1", "0x1", -1),
        ("0x" + "f" * 64, "0x1", 27),
        ("0x" + "1" * 65, "0x1", 27),
        ("0x" + "1" * 66, "0x" + "1" * 62, 27),
        ("0x" + " " * 64, "0x1", 27),
        (hex(CURVE_ORDER), "0x1", 27),
    ],
)
def test_broken_signature_names_nobody(r, s, v):
    signature = Signature(r=r, s=s, v=v)

    assert recover(ONES, signature) is None
    assert recover_l1(ORDER_BYTES, NONCE, signature, is_mainnet=False) is None


@pytest.mark.parametrize(("nonce", "expiry"), [(-1, None), (2**64, None), (1, -1), (1, 2**64)])
def test_numbers_that_cannot_be_hashed_name_nobody(nonce, expiry):
    signature = SIGNERS[False].sign_l1(ORDER_BYTES, NONCE)

    assert recover_l1(ORDER_BYTES, nonce, signature, None, expiry, is_mainnet=False) is None
    assert recover_multi_sig({}, nonce, signature, None, expiry, is_mainnet=False) is None
    with pytest.raises(OverflowError):
        SIGNERS[False].sign_l1(ORDER_BYTES, nonce, None, expiry)


@pytest.mark.parametrize("key", [b"", b"\x00" * 32, b"\x01" * 31, b"\x01" * 33, CURVE_ORDER.to_bytes(32, "big")])
def test_bytes_that_are_no_key_are_refused(key):
    with pytest.raises(ValueError, match="not a secret key"):
        SecretKey(key)


def test_signer_shows_its_address_only_and_is_not_pickled():
    signer = SIGNERS[True]

    assert repr(signer) == f"Signer({ADDRESS}, mainnet)"
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        pickle.dumps(signer)
