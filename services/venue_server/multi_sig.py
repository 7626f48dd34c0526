"""Several people sign one action: who signed, and whether they were enough.

Laws: pure but for what the registry says; every inner signature must be a different authorized signer's; the outer
signer is one of them, or an agent of one. Source: HYPERLIQUID 4.3.
"""

from collections.abc import Mapping
from typing import Any

from domain.errors import DataInvalid
from exchange.hyperliquid.signing import recover, recover_l1, recover_multi_sig
from exchange.hyperliquid.signing_user import USER_TYPES, multi_sig_digest, multi_sig_l1_bytes
from exchange.hyperliquid.wire import Signature
from services.venue_server import texts
from services.venue_server.decoding import Decoded
from services.venue_server.registry import Registry
from services.venue_server.wire_other_actions import MultiSigAction

SHORT_ABSTRACTIONS = {"i": "disabled", "u": "unifiedAccount", "p": "portfolioMargin"}
"""What the SDK writes inside a multi-sig payload, for what was signed. Source: HYPERLIQUID 1.1."""


def objection(
    outer: Decoded, inner: Decoded, action: MultiSigAction, registry: Registry, now_ns: int, *, is_mainnet: bool
) -> str:
    """Return why a multi-sig action does not count, in the venue's words; empty when it does."""
    vault = bytes.fromhex(outer.vault[2:]) if outer.vault else None
    payload = action.payload
    outer_signer = recover_multi_sig(
        outer.raw, outer.nonce, outer.signature, vault, outer.expires_after, is_mainnet=is_mainnet
    )
    user = registry.person(payload.multi_sig_user.lower())
    rule = user.multi_sig if user is not None else None
    if outer_signer is None or outer_signer != payload.outer_signer.lower() or rule is None:
        return texts.MULTI_SIG_OUTER
    if outer_signer not in rule.signers and registry.master_of(outer_signer, now_ns) not in rule.signers:
        return texts.MULTI_SIG_OUTER
    found: list[str] = []
    for signature in action.signatures:
        signer = _inner_signer(outer, inner, payload.multi_sig_user, outer_signer, signature, is_mainnet=is_mainnet)
        if signer not in rule.signers or signer in found:
            return texts.MULTI_SIG_INNER
        found.append(signer)
    return texts.MULTI_SIG_SHORT if len(found) < rule.threshold else ""


def _inner_signer(
    outer: Decoded, inner: Decoded, user: str, outer_signer: str, signature: Signature, *, is_mainnet: bool
) -> str:
    """Return who signed the inner action, empty for nobody."""
    if not inner.is_user_signed:
        vault = bytes.fromhex(outer.vault[2:]) if outer.vault else None
        listed = multi_sig_l1_bytes(inner.canonical, user, outer_signer)
        return recover_l1(listed, outer.nonce, signature, vault, outer.expires_after, is_mainnet=is_mainnet) or ""
    try:
        return recover(multi_sig_digest(signed_form(inner.raw), user, outer_signer), signature) or ""
    except DataInvalid:
        return ""


def signed_form(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a user-signed payload as its signers saw it."""
    if raw.get("type") != "userSetAbstraction" or raw["type"] not in USER_TYPES:
        return raw
    short = raw.get("abstraction")
    return {**raw, "abstraction": SHORT_ABSTRACTIONS.get(short, short) if isinstance(short, str) else short}
