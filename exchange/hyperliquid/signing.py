"""Signatures: made by whoever holds a key, recovered to an address by whoever verifies.

Why it exists: the SDK builds typed data anew for each order, which costs several times the signature itself. Here
everything that is constant is hashed once, and the 32 bytes go straight to libsecp256k1.

Laws: pure. What is signed are the bytes of the action as encoded by `msgspec.msgpack`, so equal bytes mean equal
hashes; signatures are deterministic (RFC 6979) and equal to the SDK's. A signature that names nobody is None, not an
error: it is a thing the world may send.
Source: HYPERLIQUID 4.1-4.4; checked against `hyperliquid.utils.signing` 0.24.0 on its vectors and on random actions.
"""

from collections.abc import Mapping
from typing import Any, Never

from coincurve import PrivateKey, PublicKey

from domain.errors import DataInvalid
from exchange.hyperliquid.hashing import HASH_BYTES, address_text, keccak, signed_prefix
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing_user import (
    CHAIN_ID,
    UserType,
    multi_sig_action_bytes,
    multi_sig_envelope_digest,
    user_digest,
)
from exchange.hyperliquid.wire import Signature

_UINT64_END = 1 << 64
_PREFIX = signed_prefix("Exchange", 1337)
_AGENT_TYPE = keccak(b"Agent(string source,bytes32 connectionId)")
_AGENT_HEADS = (_AGENT_TYPE + keccak(b"b"), _AGENT_TYPE + keccak(b"a"))
"""By is_mainnet: every network that is not mainnet signs as testnet."""
_HEX_DIGITS = 64
_RECOVERY = {0: b"\x00", 1: b"\x01", 27: b"\x00", 28: b"\x01"}
"""The venue writes 27 and 28; some clients 0 and 1 (HYPERLIQUID 4.4)."""


def action_hash(action_bytes: bytes, nonce: int, vault: bytes | None, expires_after_ms: int | None) -> bytes:
    """Return the hash of an L1 action, which the venue calls the connection id.

    Units: nonce in ms since 1970; vault: the 20 bytes of the account acted for.
    Raises: OverflowError when a number does not fit 64 bits.
    """
    data = action_bytes + nonce.to_bytes(8, "big") + (b"\x00" if vault is None else b"\x01" + vault)
    if expires_after_ms is not None:
        data += b"\x00" + expires_after_ms.to_bytes(8, "big")
    return keccak(data)


def l1_digest(connection_id: bytes, *, is_mainnet: bool) -> bytes:
    """Return the 32 bytes that are signed for an L1 action: those of the venue's "phantom agent"."""
    return keccak(_PREFIX + keccak(_AGENT_HEADS[is_mainnet] + connection_id))


class Signer:
    """Signs for one key on one kind of network. It shows its address and nothing else."""

    __slots__ = ("_key", "address", "is_mainnet")

    def __init__(self, secret_key: SecretKey, is_mainnet: bool) -> None:
        """Take a key over."""
        # A traceback may show a signer that failed half way.
        self.address, self.is_mainnet = "", is_mainnet
        self._key = PrivateKey(secret_key.reveal())
        self.address = address_text(self._key.public_key.format(compressed=False))

    def sign_l1(
        self, action_bytes: bytes, nonce: int, vault: bytes | None = None, expires_after_ms: int | None = None
    ) -> Signature:
        """Sign an action that trades. Raises: OverflowError when a number does not fit 64 bits."""
        connection_id = action_hash(action_bytes, nonce, vault, expires_after_ms)
        return self.sign_digest(l1_digest(connection_id, is_mainnet=self.is_mainnet))

    def sign_user(self, action: Mapping[str, Any], kind: UserType | None = None) -> Signature:
        """Sign an action only a wallet may sign; it must be `completed` (signing_user.py).

        Raises: DataInvalid when the action does not fit its structure.
        """
        return self.sign_digest(user_digest(action, kind))

    def sign_multi_sig(
        self, action: Mapping[str, Any], nonce: int, vault: bytes | None = None, expires_after_ms: int | None = None
    ) -> Signature:
        """Sign a `multiSig` action as its outer signer. Raises: OverflowError as sign_l1."""
        found = action_hash(multi_sig_action_bytes(action), nonce, vault, expires_after_ms)
        return self.sign_digest(multi_sig_envelope_digest(found, nonce, is_mainnet=self.is_mainnet))

    def sign_digest(self, digest: bytes) -> Signature:
        """Sign 32 bytes as they are; the text is the SDK's: zeros that lead are dropped (HYPERLIQUID 1.7).

        Raises: ValueError when they are no 32 bytes: found here, because further in the key has a name.
        """
        if not isinstance(digest, bytes) or len(digest) != HASH_BYTES:
            raise ValueError(f"expected a digest of {HASH_BYTES} bytes")
        raw = self._key.sign_recoverable(digest, hasher=None)
        return Signature(
            r=hex(int.from_bytes(raw[:32], "big")), s=hex(int.from_bytes(raw[32:64], "big")), v=27 + raw[64]
        )

    def __repr__(self) -> str:
        return f"Signer({self.address}, {'mainnet' if self.is_mainnet else 'testnet'})"

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a Signer is neither copied nor pickled")


def recover(digest: bytes, signature: Signature) -> str | None:
    """Return whose signature this is, as a lower-case address; None when it is nobody's."""
    last = _RECOVERY.get(signature.v)
    r, s = signature.r, signature.s
    if last is None or r[:2] != "0x" or s[:2] != "0x":
        return None
    try:
        raw = bytes.fromhex(r[2:].rjust(_HEX_DIGITS, "0")) + bytes.fromhex(s[2:].rjust(_HEX_DIGITS, "0"))
        # A wrong length, or numbers outside the curve, are what libsecp256k1 refuses.
        key = PublicKey.from_signature_and_message(raw + last, digest, hasher=None)
    except ValueError:
        return None
    return address_text(key.format(compressed=False))


def recover_l1(
    action_bytes: bytes,
    nonce: int,
    signature: Signature,
    vault: bytes | None = None,
    expires_after_ms: int | None = None,
    *,
    is_mainnet: bool,
) -> str | None:
    """Return who signed an L1 action, as a lower-case address; None when nobody did.

    Anything changed in between names somebody, but a stranger: the caller looks whether it knows the address.
    """
    if not 0 <= nonce < _UINT64_END or not 0 <= (expires_after_ms or 0) < _UINT64_END:
        return None
    connection_id = action_hash(action_bytes, nonce, vault, expires_after_ms)
    return recover(l1_digest(connection_id, is_mainnet=is_mainnet), signature)


def recover_user(action: Mapping[str, Any], signature: Signature, kind: UserType | None = None) -> str | None:
    """Return who signed a user-signed action, as a lower-case address; None when nobody did, or it is malformed.

    The network is the action's own `hyperliquidChain`: the caller compares it with its own.
    """
    try:
        digest = user_digest(action, kind)
    except DataInvalid:
        return None
    return recover(digest, signature)


def recover_multi_sig(
    action: Mapping[str, Any],
    nonce: int,
    signature: Signature,
    vault: bytes | None = None,
    expires_after_ms: int | None = None,
    *,
    is_mainnet: bool,
) -> str | None:
    """Return the outer signer of a `multiSig` action, as a lower-case address; None when nobody is."""
    if not 0 <= nonce < _UINT64_END or not 0 <= (expires_after_ms or 0) < _UINT64_END:
        return None
    found = action_hash(multi_sig_action_bytes(action), nonce, vault, expires_after_ms)
    chain = action.get("signatureChainId")
    try:
        digest = multi_sig_envelope_digest(
            found, nonce, is_mainnet=is_mainnet, chain=chain if isinstance(chain, str) else CHAIN_ID
        )
    except DataInvalid:
        return None
    return recover(digest, signature)
