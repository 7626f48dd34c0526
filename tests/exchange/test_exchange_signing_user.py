"""What a wallet signs itself, and both layers of multi-sig, against the official SDK, in both directions."""

import json

import msgspec
import pytest
from eth_account import Account
from hyperliquid.utils import signing as sdk
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import DataInvalid
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer, recover, recover_l1, recover_multi_sig, recover_user
from exchange.hyperliquid.signing_user import (
    SEND_MULTI_SIG,
    USER_TYPES,
    completed,
    multi_sig_action_bytes,
    multi_sig_digest,
    multi_sig_l1_bytes,
    user_digest,
    user_type,
)
from exchange.hyperliquid.wire import Signature

ONES = bytes([1]) * 32
NONCE = 1_700_000_000_000
ADDRESS = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
WALLET = Account.from_key(ONES)
SIGNERS = {is_mainnet: Signer(SecretKey(ONES), is_mainnet) for is_mainnet in (False, True)}
USER, OUTER = "0x" + "Ab" * 20, "0x" + "cD" * 20
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
NONCES = st.integers(0, 2**64 - 1)
LEAVES = st.none() | st.booleans() | NONCES | WORDS
ACTIONS = st.dictionaries(WORDS, LEAVES | st.lists(LEAVES, max_size=20) | st.dictionaries(WORDS, LEAVES, max_size=20))


def as_wire(found):
    return Signature(**found)


def field_values():
    """Values of each type as the wire carries them."""
    return {
        "string": WORDS,
        "uint64": NONCES,
        "bool": st.booleans(),
        "address": st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
        "bytes32": st.binary(min_size=32, max_size=32),
    }


SDK_TYPES = {
    "usdSend": (sdk.USD_SEND_SIGN_TYPES, sdk.sign_usd_transfer_action),
    "spotSend": (sdk.SPOT_TRANSFER_SIGN_TYPES, sdk.sign_spot_transfer_action),
    "withdraw3": (sdk.WITHDRAW_SIGN_TYPES, sdk.sign_withdraw_from_bridge_action),
    "usdClassTransfer": (sdk.USD_CLASS_TRANSFER_SIGN_TYPES, sdk.sign_usd_class_transfer_action),
    "sendAsset": (sdk.SEND_ASSET_SIGN_TYPES, sdk.sign_send_asset_action),
    "approveAgent": (None, sdk.sign_agent),
    "approveBuilderFee": (None, sdk.sign_approve_builder_fee),
    "tokenDelegate": (sdk.TOKEN_DELEGATE_TYPES, sdk.sign_token_delegate_action),
    "convertToMultiSigUser": (sdk.CONVERT_TO_MULTI_SIG_USER_SIGN_TYPES, sdk.sign_convert_to_multi_sig_user_action),
    "userDexAbstraction": (sdk.USER_DEX_ABSTRACTION_SIGN_TYPES, sdk.sign_user_dex_abstraction_action),
    "userSetAbstraction": (sdk.USER_SET_ABSTRACTION_SIGN_TYPES, sdk.sign_user_set_abstraction_action),
}


def sdk_fields(kind):
    return [{"name": name, "type": solidity} for solidity, name in USER_TYPES[kind].fields]


def test_every_structure_of_the_sdk_is_there_field_by_field():
    assert set(USER_TYPES) == set(SDK_TYPES)
    for kind, (fields, _) in SDK_TYPES.items():
        assert fields is None or sdk_fields(kind) == fields
    assert [{"name": name, "type": solidity} for solidity, name in SEND_MULTI_SIG.fields] == (
        sdk.MULTI_SIG_ENVELOPE_SIGN_TYPES
    )


@pytest.mark.parametrize("kind", SDK_TYPES)
@settings(max_examples=15, deadline=None)
@given(data=st.data(), is_mainnet=st.booleans())
def test_user_signed_action_is_signed_and_recovered_as_the_sdk_does(kind, data, is_mainnet):
    values = field_values()
    action = {"type": kind}
    for solidity, name in USER_TYPES[kind].fields[1:]:
        action[name] = data.draw(values[solidity], name)
    wired = completed(action, is_mainnet=is_mainnet)

    signature = SIGNERS[is_mainnet].sign_user(wired)

    assert signature == as_wire(SDK_TYPES[kind][1](WALLET, dict(action), is_mainnet))
    assert recover_user(json.loads(json.dumps(wired)), signature) == ADDRESS
    assert (
        sdk.recover_user_from_user_signed_action(
            dict(wired), msgspec.to_builtins(signature), sdk_fields(kind), USER_TYPES[kind].name, is_mainnet
        ).lower()
        == ADDRESS
    )
    swapped = {**wired, "hyperliquidChain": "Testnet" if is_mainnet else "Mainnet"}
    assert recover_user(swapped, signature) != ADDRESS


def test_user_signed_vectors_of_the_notes_come_out():
    send = completed(
        {"type": "usdSend", "destination": "0x" + "cd" * 20, "amount": "1.5", "time": NONCE}, is_mainnet=False
    )
    assert SIGNERS[False].sign_user(send) == Signature(
        r="0x94146d274f594570f6ac8329e6540dcbc6677de3fbf2f3bbcbe11e31097b88fc",
        s="0x7f15980603aa27629665366efe2a4afd43a75d717040e69f9c814d791ac095df",
        v=28,
    )


def test_unnamed_agent_is_absent_on_the_wire_and_signed_as_an_empty_name():
    wired = completed(
        {"type": "approveAgent", "agentAddress": "0x" + "ef" * 20, "nonce": NONCE},
        is_mainnet=False,
    )

    signature = SIGNERS[False].sign_user(wired)

    assert signature == Signature(
        r="0x4f25e504cd5fe400e434e30e3bc5e1f70e08d78ff6509101f39f7b6ef73dbc89",
        s="0x694c462b0fc4ad7120be47670085e130780e430b2a9edf92e32ff8399afa9bc7",
        v=28,
    )
    assert recover_user(wired, signature) == ADDRESS
    assert recover_user({**wired, "agentName": ""}, signature) == ADDRESS


def test_any_chain_may_sign_and_counts():
    wired = completed({"type": "usdSend", "destination": USER, "amount": "1", "time": NONCE}, is_mainnet=True)
    elsewhere = {**wired, "signatureChainId": "0xa4b1"}

    signature = SIGNERS[True].sign_user(elsewhere)

    assert recover_user(elsewhere, signature) == ADDRESS
    assert recover_user(wired, signature) != ADDRESS


@pytest.mark.parametrize(
    "change",
    [
        {"type": "order"},
        {"type": None},
        {"amount": 1},
        {"amount": None},
        {"amount": "\ud800"},
        {"time": "1"},
        {"time": True},
        {"time": -1},
        {"time": 2**64},
        {"signatureChainId": None},
        {"signatureChainId": "zz"},
        {"signatureChainId": hex(2**256)},
        {"signatureChainId": "-0x1"},
        {"hyperliquidChain": 1},
    ],
)
def test_malformed_user_signed_action_is_refused_and_names_nobody(change):
    wired = completed({"type": "usdSend", "destination": USER, "amount": "1", "time": NONCE}, is_mainnet=False)
    signature = SIGNERS[False].sign_user(wired)
    broken = {**wired, **change}

    assert recover_user(broken, signature) is None
    with pytest.raises(DataInvalid):
        user_digest(broken)


@pytest.mark.parametrize("address", ["", "0x", "cd" * 20, "0x" + "cd" * 19, "0x" + "zz" * 20, "0x" + " c" * 20, 7])
def test_malformed_address_is_refused(address):
    wired = completed({"type": "approveAgent", "agentAddress": address, "nonce": 1}, is_mainnet=False)

    with pytest.raises(DataInvalid, match="agentAddress"):
        user_digest(wired)


@settings(max_examples=25, deadline=None)
@given(ACTIONS, NONCES, st.none() | st.binary(min_size=20, max_size=20), st.none() | NONCES, st.booleans())
def test_inner_signers_of_a_multi_sig_l1_action_sign_as_in_the_sdk(action, nonce, vault, expiry, is_mainnet):
    address = "0x" + vault.hex() if vault is not None else None
    expected = sdk.sign_multi_sig_l1_action_payload(WALLET, action, is_mainnet, address, nonce, expiry, USER, OUTER)

    data = multi_sig_l1_bytes(msgspec.msgpack.encode(action), USER, OUTER)
    signature = SIGNERS[is_mainnet].sign_l1(data, nonce, vault, expiry)

    assert signature == as_wire(expected)
    assert recover_l1(data, nonce, signature, vault, expiry, is_mainnet=is_mainnet) == ADDRESS


@pytest.mark.parametrize("kind", SDK_TYPES)
def test_inner_signers_of_a_multi_sig_user_action_sign_as_in_the_sdk(kind):
    values = {"string": "x", "uint64": 7, "bool": True, "address": "0x" + "12" * 20}
    action = {"type": kind, **{name: values[solidity] for solidity, name in USER_TYPES[kind].fields[1:]}}
    expected = sdk.sign_multi_sig_user_signed_action_payload(
        WALLET, action, False, sdk_fields(kind), USER_TYPES[kind].name, USER, OUTER
    )

    digest = multi_sig_digest(completed(action, is_mainnet=False), USER, OUTER)

    assert SIGNERS[False].sign_digest(digest) == as_wire(expected)
    assert recover(digest, as_wire(expected)) == ADDRESS


@settings(max_examples=25, deadline=None)
@given(NONCES, st.none() | st.binary(min_size=20, max_size=20), st.none() | NONCES, st.booleans())
def test_outer_signer_of_a_multi_sig_signs_as_in_the_sdk(nonce, vault, expiry, is_mainnet):
    address = "0x" + vault.hex() if vault is not None else None
    action = {
        "type": "multiSig",
        "signatureChainId": "0x66eee",
        "signatures": [{"r": "0x1", "s": "0x2", "v": 27}],
        "payload": {"multiSigUser": USER.lower(), "outerSigner": OUTER.lower(), "action": {"type": "noop"}},
    }
    expected = sdk.sign_multi_sig_action(WALLET, action, is_mainnet, address, nonce, expiry)

    signature = SIGNERS[is_mainnet].sign_multi_sig(action, nonce, vault, expiry)

    assert signature == as_wire(expected)
    assert recover_multi_sig(action, nonce, signature, vault, expiry, is_mainnet=is_mainnet) == ADDRESS
    assert recover_multi_sig(action, nonce, signature, vault, expiry, is_mainnet=not is_mainnet) != ADDRESS
    assert recover_multi_sig({**action, "signatureChainId": "x"}, nonce, signature, is_mainnet=is_mainnet) is None
    assert "type" not in msgspec.msgpack.decode(multi_sig_action_bytes(action))


def test_structure_of_ones_own_can_be_signed():
    kind = user_type("CDeposit", ("uint64", "wei"), ("uint64", "nonce"))
    wired = completed({"type": "cDeposit", "wei": 5, "nonce": 1}, is_mainnet=False)
    fields = [{"name": name, "type": solidity} for solidity, name in kind.fields]

    signature = SIGNERS[False].sign_user(wired, kind)

    assert signature == as_wire(sdk.sign_user_signed_action(WALLET, dict(wired), fields, kind.name, False))
    assert recover_user(wired, signature, kind) == ADDRESS
    assert recover_user(wired, signature) is None
    with pytest.raises(DataInvalid):
        multi_sig_digest(wired, USER, OUTER)
