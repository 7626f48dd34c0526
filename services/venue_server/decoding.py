"""Reads the body of an action: the envelope, the action as a type, and the bytes that its signer hashed.

Why it exists: the hash covers exact bytes. Actions whose structure we know are encoded again in the canonical order, as
the venue does, so whoever sends another order, or decimals that are not in their shortest form, recovers a stranger
(HYPERLIQUID 4.4.1). Rarer actions are hashed in the order in which they came.

Laws: pure; whatever comes, the answer is a `Decoded` or None, and None is answered with HTTP 422.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from exchange.hyperliquid.hashing import address_bytes
from exchange.hyperliquid.signing_user import USER_TYPES
from exchange.hyperliquid.wire import Envelope, Signature
from exchange.hyperliquid.wire_actions import (
    BatchModifyAction,
    CancelAction,
    CancelByNameAction,
    ModifyAction,
    OrderTerms,
    PlaceAction,
    TypedAction,
)
from services.venue_server.wire_other_actions import (
    MULTI_SIG_DECODER,
    RARE_DECODER,
    USER_DECODER,
    MultiSigAction,
    RareAction,
    UserAction,
    UserSigned,
)

AnyAction = TypedAction | UserAction | RareAction | MultiSigAction

MULTI_SIG = "multiSig"
TIMES_IN_FORCE = frozenset({"Gtc", "Ioc", "Alo", "FrontendMarket"})
ADDRESS_FIELDS = frozenset(
    {"agent_address", "builder", "destination", "sub_account_user", "user", "validator", "vault_address"}
)
GROUPINGS = frozenset({"na", "normalTpsl", "positionTpsl"})
UINT64_END = 1 << 64
DECIMAL_CHARS_MAX = 64
_NAME = re.compile(r"0x[0-9a-fA-F]{32}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_SHORTEST = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?")
_ENVELOPE = msgspec.json.Decoder(Envelope)
_TYPED = msgspec.json.Decoder(TypedAction)
_PLAIN = msgspec.json.Decoder(dict[str, Any])


class _Malformed(ValueError):
    """The action cannot be what it says; never leaves this file."""


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """What came in. canonical is what an L1 action's hash is made of; raw are the fields as they came.

    Units: nonce and expires_after in ms. vault is a lower-case address, empty for none.
    """

    action: AnyAction
    canonical: bytes
    raw: Mapping[str, Any]
    nonce: int
    signature: Signature
    vault: str
    expires_after: int | None

    @property
    def is_user_signed(self) -> bool:
        """Say whether the wallet itself signed it as typed data."""
        return isinstance(self.action, UserSigned)


def decoded(body: bytes, *, checks_decimals: bool) -> Decoded | None:
    """Return what a body holds, None when nobody can read it."""
    try:
        envelope = _ENVELOPE.decode(body)
        action, canonical, raw = action_of(bytes(envelope.action), checks_decimals=checks_decimals)
        vault = envelope.vault_address
        expires_after = envelope.expires_after
        if not 0 <= envelope.nonce < UINT64_END:
            return None
        return Decoded(
            action=action,
            canonical=canonical,
            raw=raw,
            nonce=envelope.nonce,
            signature=envelope.signature,
            vault="0x" + address_bytes(vault).hex() if isinstance(vault, str) else "",
            expires_after=_uint64(expires_after) if isinstance(expires_after, int) else None,
        )
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        # Broken JSON, texts that are no addresses, numbers beyond 64 bits, nesting beyond the stack.
        return None


def action_of(text: bytes, *, checks_decimals: bool) -> tuple[AnyAction, bytes, Mapping[str, Any]]:
    """Return an action, its canonical bytes (none for user-signed ones) and its raw fields (none for typed ones).

    Raises: ValueError, OverflowError, RecursionError when it is no action.
    """
    try:
        typed = _TYPED.decode(text)
    except msgspec.ValidationError:
        return _other(text)
    checked(typed)
    shortest = _canonical(typed) if checks_decimals else typed
    return typed, msgspec.msgpack.encode(shortest), {}


def _other(text: bytes) -> tuple[AnyAction, bytes, Mapping[str, Any]]:
    """Return an action that is not one of the typed ones."""
    raw = _PLAIN.decode(text)
    kind = raw.get("type")
    if not isinstance(kind, str):
        raise _Malformed("type")
    if kind in USER_TYPES:
        signed = USER_DECODER.decode(text)
        _check_addresses(signed)
        return signed, b"", raw
    _refuse_floats(raw)
    if kind == MULTI_SIG:
        several = MULTI_SIG_DECODER.decode(text)
        address_bytes(several.payload.multi_sig_user)
        address_bytes(several.payload.outer_signer)
        return several, b"", raw
    rare = RARE_DECODER.decode(text)
    _check_addresses(rare)
    return rare, msgspec.msgpack.encode(raw), raw


def _refuse_floats(value: object) -> None:
    """Raise unless the value is free of floats: nobody signs those (HYPERLIQUID 4.1)."""
    if isinstance(value, float):
        raise _Malformed("a float")
    if isinstance(value, dict):
        for each in value.values():
            _refuse_floats(each)
    elif isinstance(value, list):
        for each in value:
            _refuse_floats(each)


def checked(action: TypedAction) -> None:
    """Look at what the types cannot tell. Raises: ValueError."""
    match action:
        case PlaceAction():
            if isinstance(action.grouping, str) and action.grouping not in GROUPINGS:
                raise _Malformed("grouping")
            if action.builder is not UNSET:
                address_bytes(action.builder.address)
            for order in action.orders:
                _check_order(order)
        case ModifyAction():
            _check_target(action.target)
            _check_order(action.order)
        case BatchModifyAction():
            for one in action.modifies:
                _check_target(one.target)
                _check_order(one.order)
        case CancelByNameAction():
            for cancel in action.cancels:
                _check_target(cancel.client_order_id)
        case _:
            _check_addresses(action)


def _check_addresses(action: AnyAction) -> None:
    """Raise unless every field that holds an address does."""
    for name in ADDRESS_FIELDS.intersection(action.__struct_fields__):
        address = getattr(action, name)
        if isinstance(address, str):
            address_bytes(address)


def _check_order(order: OrderTerms) -> None:
    limit, trigger = order.kind.limit, order.kind.trigger
    if (limit is UNSET) == (trigger is UNSET):
        raise _Malformed("neither limit nor trigger, or both")
    if limit is not UNSET and limit.time_in_force not in TIMES_IN_FORCE:
        raise _Malformed("tif")
    if trigger is not UNSET and trigger.kind not in {"tp", "sl"}:
        raise _Malformed("tpsl")
    if order.client_order_id is not UNSET:
        _check_target(order.client_order_id)
    for text in (order.price, order.size, trigger.trigger_price if trigger is not UNSET else "0"):
        if len(text) > DECIMAL_CHARS_MAX or not _DECIMAL.fullmatch(text):
            raise _Malformed("no decimal number")


def _check_target(target: int | str) -> None:
    if isinstance(target, str) and not _NAME.fullmatch(target):
        raise _Malformed("no client order id")


def _uint64(value: int) -> int:
    if not 0 <= value < UINT64_END:
        raise _Malformed("beyond 64 bits")
    return value


def _canonical(action: TypedAction) -> TypedAction:
    """Return the action as the venue writes it: decimals in their shortest form, flags only where they are true."""
    match action:
        case PlaceAction():
            orders = tuple(_shortest_order(order) for order in action.orders)
            return action if orders == action.orders else replace(action, orders=orders)
        case ModifyAction():
            flag = True if action.always_place is True else UNSET
            return replace(action, order=_shortest_order(action.order), always_place=flag)
        case BatchModifyAction():
            modifies = tuple(
                replace(
                    one,
                    order=_shortest_order(one.order),
                    always_place=True if one.always_place is True else UNSET,
                )
                for one in action.modifies
            )
            return replace(action, modifies=modifies, always_place=True if action.always_place is True else UNSET)
        case CancelAction() | CancelByNameAction():
            return replace(action, fast=UNSET) if action.fast is False else action
        case _:
            return action


def _shortest_order(order: OrderTerms) -> OrderTerms:
    trigger = order.kind.trigger
    if trigger is not UNSET and not _is_shortest(trigger.trigger_price):
        waits = replace(trigger, trigger_price=shortest(trigger.trigger_price))
        order = replace(order, kind=replace(order.kind, trigger=waits))
    if _is_shortest(order.price) and _is_shortest(order.size):
        return order
    return replace(order, price=shortest(order.price), size=shortest(order.size))


def _is_shortest(text: str) -> bool:
    return _SHORTEST.fullmatch(text) is not None and text != "-0"


def shortest(text: str) -> str:
    """Return decimal text without zeros or signs that say nothing: "+01.50" is "1.5", "-0" is "0"."""
    sign = "-" if text.startswith("-") else ""
    whole, _, fraction = text.lstrip("+-").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    number = f"{whole}.{fraction}" if fraction else whole
    return number if number == "0" else sign + number
