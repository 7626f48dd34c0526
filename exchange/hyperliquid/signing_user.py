"""What a wallet signs itself: transfers, approvals, and the two layers of multi-sig, as EIP-712 typed data.

Why it exists: these structures move money, so they have names and fields of their own (`hat` never sends the first
kind while it trades; `hat venue` verifies all of them). The structures of HYPERLIQUID 4.2 are in USER_TYPES.

Laws: pure. The digest is made from the action as it stands on the wire: `signatureChainId` and `hyperliquidChain` are
the action's own, and a caller who cares about the network compares `hyperliquidChain` itself. A name that is missing
on the wire is signed as "". A field of a wrong shape is DataInvalid, never a digest of something else.
Source: HYPERLIQUID 3.4, 4.2, 4.3; checked against `hyperliquid.utils.signing` 0.24.0.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from domain.errors import DataInvalid
from exchange.hyperliquid.hashing import HASH_BYTES, address_bytes, keccak, signed_prefix

DOMAIN = "HyperliquidSignTransaction"
CHAIN_ID = "0x66eee"
"""What the official SDK signs with; any other chain is allowed."""
MAINNET, TESTNET = "Mainnet", "Testnet"
_UINT64_END = 1 << 64
_BLANK_WHEN_ABSENT = frozenset({"agentName"})


class UserType(msgspec.Struct, frozen=True):
    """One structure: its name, its fields as (type, name) in signed order, and the hash of both."""

    name: str
    fields: tuple[tuple[str, str], ...]
    type_hash: bytes


def user_type(name: str, *fields: tuple[str, str]) -> UserType:
    """Return a structure with the venue's prefix to its name; `string hyperliquidChain` is always the first field."""
    return _hashed(f"HyperliquidTransaction:{name}", (("string", "hyperliquidChain"), *fields))


def _hashed(name: str, fields: tuple[tuple[str, str], ...]) -> UserType:
    members = ",".join(f"{kind} {field}" for kind, field in fields)
    return UserType(name, fields, keccak(f"{name}({members})".encode()))


_NONCE, _TIME = ("uint64", "nonce"), ("uint64", "time")
_TO, _AMOUNT, _TOKEN = ("string", "destination"), ("string", "amount"), ("string", "token")
_DEXES = (("string", "sourceDex"), ("string", "destinationDex"))

USER_TYPES: Mapping[str, UserType] = {
    "usdSend": user_type("UsdSend", _TO, _AMOUNT, _TIME),
    "spotSend": user_type("SpotSend", _TO, _TOKEN, _AMOUNT, _TIME),
    "withdraw3": user_type("Withdraw", _TO, _AMOUNT, _TIME),
    "usdClassTransfer": user_type("UsdClassTransfer", _AMOUNT, ("bool", "toPerp"), _NONCE),
    "sendAsset": user_type("SendAsset", _TO, *_DEXES, _TOKEN, _AMOUNT, ("string", "fromSubAccount"), _NONCE),
    "approveAgent": user_type("ApproveAgent", ("address", "agentAddress"), ("string", "agentName"), _NONCE),
    "approveBuilderFee": user_type("ApproveBuilderFee", ("string", "maxFeeRate"), ("address", "builder"), _NONCE),
    "tokenDelegate": user_type(
        "TokenDelegate", ("address", "validator"), ("uint64", "wei"), ("bool", "isUndelegate"), _NONCE
    ),
    "convertToMultiSigUser": user_type("ConvertToMultiSigUser", ("string", "signers"), _NONCE),
    "userDexAbstraction": user_type("UserDexAbstraction", ("address", "user"), ("bool", "enabled"), _NONCE),
    "userSetAbstraction": user_type("UserSetAbstraction", ("address", "user"), ("string", "abstraction"), _NONCE),
}
"""By the action's type on the wire."""
SEND_MULTI_SIG = user_type("SendMultiSig", ("bytes32", "multiSigActionHash"), _NONCE)


def chain_name(*, is_mainnet: bool) -> str:
    """Return what `hyperliquidChain` says on a network."""
    return MAINNET if is_mainnet else TESTNET


def completed(action: Mapping[str, Any], *, is_mainnet: bool) -> dict[str, Any]:
    """Return an action with the two keys at its end that every user-signed action has on the wire."""
    return {**action, "signatureChainId": CHAIN_ID, "hyperliquidChain": chain_name(is_mainnet=is_mainnet)}


def user_digest(action: Mapping[str, Any], kind: UserType | None = None) -> bytes:
    """Return the 32 bytes that are signed; the structure is that of the action's type unless another is given.

    Raises: DataInvalid when no structure belongs to the action, or a field is missing or of a wrong shape.
    """
    found = kind if kind is not None else USER_TYPES.get(str(action.get("type")))
    if found is None:
        raise DataInvalid("type", f"{action.get('type')!r} is no action that a wallet signs")
    parts = [found.type_hash]
    for solidity, name in found.fields:
        value = action.get(name, "" if name in _BLANK_WHEN_ABSENT else None)
        word = _word(solidity, value)
        if word is None:
            raise DataInvalid(f"{found.name}.{name}", f"{value!r} found, a value of type {solidity} expected")
        parts.append(word)
    return keccak(_prefix(action) + keccak(b"".join(parts)))


def _prefix(action: Mapping[str, Any]) -> bytes:
    chain = action.get("signatureChainId")
    try:
        return signed_prefix(DOMAIN, int(chain, 16) if isinstance(chain, str) else -1)
    except (ValueError, OverflowError):
        problem = f"{chain!r} found, a number in hex expected"
    raise DataInvalid("signatureChainId", problem)


def _word(solidity: str, value: object) -> bytes | None:
    """Return a value as the 32 bytes that stand for it in the structure; None when it is not of that type."""
    match solidity, value:
        case "string", str():
            return _text_hash(value)
        case "bool", bool():
            return int(value).to_bytes(HASH_BYTES, "big")
        case "uint64", int() if not isinstance(value, bool) and 0 <= value < _UINT64_END:
            return value.to_bytes(HASH_BYTES, "big")
        case "address", str():
            return _address_word(value)
        case "bytes32", bytes() if len(value) == HASH_BYTES:
            return value
        case _:
            return None


def _text_hash(text: str) -> bytes | None:
    try:
        return keccak(text.encode())
    except UnicodeEncodeError:
        return None


def _address_word(address: str) -> bytes | None:
    try:
        return address_bytes(address).rjust(HASH_BYTES, b"\x00")
    except ValueError:
        return None


def multi_sig_type(kind: UserType) -> UserType:
    """Return the structure an inner signer signs: two addresses more, right behind `hyperliquidChain`."""
    first, *others = kind.fields
    return _hashed(kind.name, (first, ("address", "payloadMultiSigUser"), ("address", "outerSigner"), *others))


def multi_sig_digest(action: Mapping[str, Any], user: str, outer_signer: str, kind: UserType | None = None) -> bytes:
    """Return the 32 bytes an inner signer of a user-signed action signs.

    Raises: DataInvalid as user_digest.
    """
    found = kind if kind is not None else USER_TYPES.get(str(action.get("type")))
    if found is None:
        raise DataInvalid("type", f"{action.get('type')!r} is no action that a wallet signs")
    whole = {**action, "payloadMultiSigUser": user.lower(), "outerSigner": outer_signer.lower()}
    return user_digest(whole, multi_sig_type(found))


def multi_sig_l1_bytes(action_bytes: bytes, user: str, outer_signer: str) -> bytes:
    """Return what an inner signer of an L1 action signs in place of the action: a list of both addresses and it."""
    return b"\x93" + msgspec.msgpack.encode(user.lower()) + msgspec.msgpack.encode(outer_signer.lower()) + action_bytes


def multi_sig_action_bytes(action: Mapping[str, Any]) -> bytes:
    """Return the bytes of a `multiSig` action that its outer signer hashes: all of it but its type."""
    return msgspec.msgpack.encode({key: value for key, value in action.items() if key != "type"})


def multi_sig_envelope_digest(multi_sig_hash: bytes, nonce: int, *, is_mainnet: bool, chain: str = CHAIN_ID) -> bytes:
    """Return the 32 bytes the outer signer signs, from the hash of the action without its type.

    Raises: DataInvalid when nonce or chain are no such thing.
    """
    envelope = {
        "hyperliquidChain": chain_name(is_mainnet=is_mainnet),
        "signatureChainId": chain,
        "multiSigActionHash": multi_sig_hash,
        "nonce": nonce,
    }
    return user_digest(envelope, SEND_MULTI_SIG)
