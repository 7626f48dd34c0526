"""Actions that need several signatures: who counts, who does not, and for what."""

import json

import pytest
from hyperliquid.utils.signing import (
    USD_CLASS_TRANSFER_SIGN_TYPES,
    USER_SET_ABSTRACTION_SIGN_TYPES,
    sign_convert_to_multi_sig_user_action,
    sign_multi_sig_action,
    sign_multi_sig_l1_action_payload,
    sign_multi_sig_user_signed_action_payload,
)

from domain.units import MONEY_UNIT
from services.venue_server.counter_settings import CounterSettings, Policy
from tests.services.counter_scene import (
    AGENT,
    DEFAULT,
    MASTER,
    OTHER,
    STRANGER,
    CounterScene,
    address,
    err,
    order,
    place,
)


def convert(scene, signers, threshold):
    text = json.dumps({"authorizedUsers": [address(each) for each in signers], "threshold": threshold})
    return scene.sign(sign_convert_to_multi_sig_user_action, {"type": "convertToMultiSigUser", "signers": text})


def multi_sig(scene, action, signers, outer=OTHER, user=MASTER):
    scene.now_ms += 1
    nonce = scene.now_ms
    names = address(user), address(outer)
    signatures = [sign_multi_sig_l1_action_payload(each, action, False, None, nonce, None, *names) for each in signers]
    payload = {"multiSigUser": names[0], "outerSigner": names[1], "action": action}
    whole = {"type": "multiSig", "signatureChainId": "0x66eee", "signatures": signatures, "payload": payload}
    signature = sign_multi_sig_action(outer, whole, False, None, nonce, None)
    return scene.post(
        {"action": whole, "nonce": nonce, "signature": signature, "vaultAddress": None, "expiresAfter": None}
    )


def test_several_signatures_are_needed_and_counted():
    scene = CounterScene()
    assert multi_sig(scene, place(order()), [OTHER]) == err("Invalid multi-sig outer signer")
    assert convert(scene, [OTHER, STRANGER], 2) == DEFAULT
    assert scene.send({"type": "noop"}) == err("Multi-sig required")
    assert multi_sig(scene, place(order()), [OTHER, STRANGER])["status"] == "ok"
    assert list(scene.account.orders) == [1]
    assert multi_sig(scene, place(order()), [OTHER]) == err("Multi-sig threshold not met")
    assert multi_sig(scene, place(order()), [OTHER, OTHER]) == err("Invalid multi-sig inner signer")
    assert multi_sig(scene, place(order()), [OTHER, AGENT]) == err("Invalid multi-sig inner signer")
    assert multi_sig(scene, place(order()), [OTHER, STRANGER], outer=AGENT) == err("Invalid multi-sig outer signer")


def multi_sig_user_signed(scene, action, name, fields, signed=None, outer=OTHER, chain="0x66eee"):
    scene.now_ms += 1
    nonce = scene.now_ms
    action = {**action, "nonce": nonce, "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
    names = address(MASTER), address(outer)
    seen = {**action, **(signed or {})}
    inner = sign_multi_sig_user_signed_action_payload(STRANGER, seen, False, fields, name, *names)
    sent = {**action, "signatureChainId": chain}
    payload = {"multiSigUser": names[0], "outerSigner": names[1], "action": sent}
    whole = {"type": "multiSig", "signatureChainId": "0x66eee", "signatures": [inner], "payload": payload}
    signature = sign_multi_sig_action(outer, whole, False, None, nonce, None)
    return scene.post({"action": whole, "nonce": nonce, "signature": signature})


def test_several_may_sign_what_a_wallet_signs():
    scene = CounterScene()
    convert(scene, [OTHER, STRANGER], 1)
    transfer = {"type": "usdClassTransfer", "amount": "2", "toPerp": False}
    name = "HyperliquidTransaction:UsdClassTransfer"
    assert multi_sig_user_signed(scene, transfer, name, USD_CLASS_TRANSFER_SIGN_TYPES) == DEFAULT
    assert scene.person.spot == 2 * MONEY_UNIT
    forged = multi_sig_user_signed(scene, transfer, name, USD_CLASS_TRANSFER_SIGN_TYPES, {"amount": "1"})
    assert forged == err("Invalid multi-sig inner signer")
    mode = {"type": "userSetAbstraction", "user": address(MASTER), "abstraction": "i"}
    name = "HyperliquidTransaction:UserSetAbstraction"
    in_full = {"abstraction": "disabled"}
    assert multi_sig_user_signed(scene, mode, name, USER_SET_ABSTRACTION_SIGN_TYPES, in_full) == DEFAULT
    assert scene.person.abstraction == "disabled"


@pytest.mark.parametrize("signers", ["", "{}", "[]", '{"authorizedUsers":["x"],"threshold":1}', "[" * 5_000])
def test_signers_that_cannot_be_are_refused(signers):
    scene = CounterScene()
    action = {"type": "convertToMultiSigUser", "signers": signers}
    assert scene.sign(sign_convert_to_multi_sig_user_action, action)["status"] == "err"
    assert convert(scene, [OTHER, OTHER], 1)["status"] == "err"
    assert convert(scene, [OTHER], 2)["status"] == "err"
    assert scene.person.multi_sig is None


def test_a_multi_sig_user_may_become_an_ordinary_one():
    scene = CounterScene()
    assert (
        scene.sign(sign_convert_to_multi_sig_user_action, {"type": "convertToMultiSigUser", "signers": "null"})
        == DEFAULT
    )
    assert scene.send({"type": "noop"}) == DEFAULT


def test_without_verification_several_signatures_are_believed():
    scene = CounterScene(CounterSettings(policy=Policy.OFF, trusted_account=address(OTHER)))
    assert multi_sig(scene, place(order()), [])["status"] == "ok"
    assert list(scene.account.orders) == [1]
    assert not scene.other.orders


def test_what_several_sign_must_be_readable_and_not_nested():
    scene = CounterScene()
    convert(scene, [OTHER, STRANGER], 1)
    unreadable = 422, "Failed to deserialize the JSON body into the target type"
    assert multi_sig(scene, {"type": "nothing"}, [OTHER]) == unreadable
    payload = {"multiSigUser": address(MASTER), "outerSigner": address(OTHER), "action": {"type": "noop"}}
    nested = {"type": "multiSig", "signatureChainId": "0x66eee", "signatures": [], "payload": payload}
    assert multi_sig(scene, nested, [OTHER]) == unreadable


def test_an_inner_action_without_its_fields_names_nobody():
    scene = CounterScene()
    convert(scene, [OTHER, STRANGER], 1)
    transfer = {"type": "usdClassTransfer", "amount": "2", "toPerp": False}
    name = "HyperliquidTransaction:UsdClassTransfer"
    reply = multi_sig_user_signed(scene, transfer, name, USD_CLASS_TRANSFER_SIGN_TYPES, chain="zz")
    assert reply == err("Invalid multi-sig inner signer")
