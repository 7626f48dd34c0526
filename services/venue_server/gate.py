"""The gate of the counter: who is asking, for whom, and whether this action may run at all.

Theory of operation. A body is decoded (or is nobody's), its signer recovered, mapped to the master it may act for, and
to the sub-account it names. Then come the deadline, the nonce, the size of the batch and the budget of the address. An
action that passes has used up its nonce and its requests; what it asks for is no business of the gate.

Laws: what is refused here changes nothing, but that a late action costs five times its requests; the signer's nonces
are the signer's, whoever is acted for. Source: HYPERLIQUID 3.1, 3.5, 4.4, 4.5, 7.2.
"""

from collections.abc import Sequence

import msgspec

from domain.units import NS_PER_MS
from exchange.hyperliquid.signing import recover_l1, recover_user
from exchange.hyperliquid.signing_user import chain_name
from exchange.hyperliquid.wire import encoded
from exchange.hyperliquid.wire_actions import (
    BatchModifyAction,
    CancelAction,
    CancelByNameAction,
    CreateSubAccountAction,
    PlaceAction,
    RegisterReferrerAction,
    SetReferrerAction,
    SubAccountSpotTransferAction,
    SubAccountTransferAction,
    VaultTransferAction,
)
from exchange.simulated.accounts import Account
from exchange.simulated.venue import Venue
from services.venue_server import multi_sig, texts
from services.venue_server.address_limits import EXPIRED_FACTOR, AddressLimits
from services.venue_server.answer import Answer, undecodable
from services.venue_server.counter_settings import CounterSettings, Policy
from services.venue_server.decoding import AnyAction, Decoded, action_of, decoded
from services.venue_server.registry import Person, Registry
from services.venue_server.replies import refused
from services.venue_server.signer_nonces import SignerNonces
from services.venue_server.wire_other_actions import (
    AgentSendAsset,
    EvmUserModify,
    MultiSigAction,
    PerpDeploy,
    SignerDuty,
    SpotDeploy,
    UserSigned,
    ValidatorDuty,
)

MASTER_ONLY = (
    SetReferrerAction,
    RegisterReferrerAction,
    CreateSubAccountAction,
    SubAccountTransferAction,
    SubAccountSpotTransferAction,
    VaultTransferAction,
    EvmUserModify,
    SpotDeploy,
    PerpDeploy,
    SignerDuty,
    ValidatorDuty,
)
"""What is signed without a vault, so no vault or sub-account can do it. Source: HYPERLIQUID 1.7."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An action that may run: what, on whose account, and for which person (a master, or his sub-account)."""

    action: AnyAction
    nonce: int
    signer: str
    master: Person
    person: Person
    account: Account
    batch: int


class Gate:
    """Lets actions in."""

    def __init__(self, venue: Venue, registry: Registry, limits: AddressLimits, settings: CounterSettings) -> None:
        """Know the venue's accounts and who owns them."""
        self._venue = venue
        self._registry = registry
        self._limits = limits
        self._settings = settings
        self.nonces = SignerNonces()

    def admit(self, body: bytes, now_ns: int, claimed: str = "") -> Entry | Answer:
        """Let an action in, or answer why not. claimed is who the caller says it is; heard under Policy.OFF only."""
        questions = self._settings.open_questions
        outer = decoded(body, checks_decimals=questions.checks_decimals)
        if outer is None:
            return undecodable()
        inner = outer
        if isinstance(outer.action, MultiSigAction):
            unpacked = _unpacked(outer, outer.action, checks_decimals=questions.checks_decimals)
            if unpacked is None:
                return undecodable()
            inner = unpacked
        batch = batch_of(inner.action)
        found = self._identified(outer, inner, claimed.lower(), now_ns)
        if isinstance(found, str):
            return refused(found, batch)
        signer, master = found
        person = self._acting(inner, master)
        if isinstance(person, str):
            return refused(person, batch)
        account = self._venue.open_account(person.address)
        text = self._objection(inner, signer, account, batch, now_ns)
        if text:
            return refused(text, batch)
        self.nonces.take(signer, inner.nonce)
        return Entry(
            action=inner.action,
            nonce=inner.nonce,
            signer=signer,
            master=master,
            person=person,
            account=account,
            batch=batch,
        )

    def _identified(self, outer: Decoded, inner: Decoded, claimed: str, now_ns: int) -> tuple[str, Person] | str:
        """Return the signer and the master he acts for, or the venue's words for not knowing him."""
        text = self._chain_objection(inner)
        if text:
            return text
        is_trusting = self._settings.policy is Policy.OFF
        if isinstance(outer.action, MultiSigAction):
            if not is_trusting:
                is_mainnet = self._settings.is_mainnet
                text = multi_sig.objection(outer, inner, outer.action, self._registry, now_ns, is_mainnet=is_mainnet)
                if text:
                    return text
            payload = outer.action.payload
            user = self._registry.person(payload.multi_sig_user.lower())
            return texts.MULTI_SIG_OUTER if user is None else (payload.outer_signer.lower(), user)
        signer = (claimed or self._settings.trusted_account) if is_trusting else self._recovered(inner)
        if not signer:
            return texts.NO_SIGNER
        return self._known(inner, signer, now_ns)

    def _chain_objection(self, inner: Decoded) -> str:
        """Return what speaks against a user-signed action before its signature is looked at."""
        action = inner.action
        if isinstance(action, AgentSendAsset):
            return texts.NONCE_MISMATCH if action.nonce != inner.nonce else ""
        if not isinstance(action, UserSigned):
            return ""
        if action.hyperliquid_chain != chain_name(is_mainnet=self._settings.is_mainnet):
            return texts.WRONG_CHAIN
        if inner.expires_after is not None:
            return texts.EXPIRES_AFTER_USER_SIGNED
        return texts.NONCE_MISMATCH if action.nonce != inner.nonce else ""

    def _recovered(self, inner: Decoded) -> str:
        """Return the address that signed, empty for nobody."""
        if inner.is_user_signed:
            return recover_user(inner.raw, inner.signature) or ""
        vault = bytes.fromhex(inner.vault[2:]) if inner.vault else None
        is_mainnet = self._settings.is_mainnet
        found = recover_l1(
            inner.canonical, inner.nonce, inner.signature, vault, inner.expires_after, is_mainnet=is_mainnet
        )
        return found or ""

    def _known(self, inner: Decoded, signer: str, now_ns: int) -> tuple[str, Person] | str:
        """Return signer and master, or why he may not do this."""
        if inner.is_user_signed:
            # Agents may not sign these: to the venue such a signer is a wallet that never deposited.
            master = self._registry.wallet(signer)
            if master is None:
                return texts.MUST_DEPOSIT.format(address=signer)
        else:
            master = self._registry.person(self._registry.master_of(signer, now_ns))
        if master is None:
            return texts.UNKNOWN_SIGNER.format(address=signer)
        if master.multi_sig is not None and signer == master.address:
            return texts.MULTI_SIG_NEEDED
        return signer, master

    def _acting(self, inner: Decoded, master: Person) -> Person | str:
        """Return who is acted for: the master, or the sub-account that the envelope names."""
        if not inner.vault or inner.is_user_signed:
            return master
        person = self._registry.person(inner.vault)
        if person is None or not person.master:
            return texts.NO_VAULT.format(address=inner.vault)
        if person.master != master.address:
            return texts.NOT_YOUR_SUB_ACCOUNT.format(address=inner.vault, master=master.address)
        return texts.NOT_BY_VAULT if isinstance(inner.action, MASTER_ONLY) else person

    def _objection(self, inner: Decoded, signer: str, account: Account, batch: int, now_ns: int) -> str:
        """Return what speaks against running the action now; count its requests when nothing does."""
        settings = self._settings
        requests = max(batch, 1)
        is_cancel = isinstance(inner.action, CancelAction | CancelByNameAction)
        text = self.nonces.objection(signer, inner.nonce, now_ns)
        if text:
            return text
        if inner.expires_after is not None and now_ns > inner.expires_after * NS_PER_MS:
            if settings.open_questions.expired_takes_nonce:
                self.nonces.take(signer, inner.nonce)
            self._limits.count(account, EXPIRED_FACTOR * requests, now_ns, is_cancel=is_cancel)
            return texts.EXPIRED
        if batch > settings.action_weight_max:
            return texts.OVER_WEIGHT.format(limit=settings.action_weight_max)
        text = self._limits.refusal(account, requests, now_ns, is_cancel=is_cancel)
        if not text:
            self._limits.count(account, requests, now_ns, is_cancel=is_cancel)
        return text


def batch_of(action: AnyAction) -> int:
    """Return how many orders an action is about; 1 for what is no batch."""
    items: Sequence[object]
    match action:
        case PlaceAction(orders=items):
            return len(items)
        case BatchModifyAction(modifies=items):
            return len(items)
        case CancelAction(cancels=items) | CancelByNameAction(cancels=items):
            return len(items)
        case _:
            return 1


def _unpacked(outer: Decoded, action: MultiSigAction, *, checks_decimals: bool) -> Decoded | None:
    """Return the action inside a multi-sig action, None when it cannot be read; they are not nested."""
    try:
        inner, canonical, raw = action_of(encoded(action.payload.action), checks_decimals=checks_decimals)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None
    if isinstance(inner, MultiSigAction):
        return None
    return msgspec.structs.replace(outer, action=inner, canonical=canonical, raw=raw)
