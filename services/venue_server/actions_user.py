"""What a wallet signs itself: moving money, letting agents trade and builders charge, choosing the account mode.

Laws: agents never get here. Amounts are text and become integers once; what is no amount, or finer than the venue's
money, is `Invalid send`. Source: HYPERLIQUID 3.4, 3.5, 3.6.
"""

import re

import msgspec

from domain.units import NS_PER_MS, parse_scaled
from exchange.hyperliquid.hashing import address_bytes
from exchange.simulated.venue import Venue
from services.venue_server import texts
from services.venue_server.actions_account import NAME_CHARS_MAX, USDC_TOKENS, told
from services.venue_server.answer import Answer
from services.venue_server.counter_settings import CounterSettings
from services.venue_server.gate import Entry
from services.venue_server.multi_sig import SHORT_ABSTRACTIONS
from services.venue_server.purse import Purse, amount_of, micro
from services.venue_server.registry import BUILDERS_MAX, Agent, MultiSig, Person, Registry
from services.venue_server.signer_nonces import SignerNonces
from services.venue_server.wire_other_actions import (
    AgentSendAsset,
    ApproveAgent,
    ApproveBuilderFee,
    ConvertToMultiSigUser,
    SendAsset,
    SpotSend,
    UsdClassTransfer,
    UsdSend,
    UserDexAbstraction,
    UserSetAbstraction,
    Withdraw,
)

DEXES = {"": False, "spot": True}
"""The dexes of this venue, and whether each is the spot balance."""

NOBODY = "0x" + "00" * 20
SUB_ACCOUNT_MARK = " subaccount:"
ABSTRACTIONS = frozenset(SHORT_ABSTRACTIONS.values())
UNIFIED = frozenset({"unifiedAccount", "portfolioMargin"})
BUILDER_TENTHS_BP_MAX = 1_000
"""One percent, the bound of spot. Source: HYPERLIQUID 8."""

SIGNERS_MAX = 10
_VALID_UNTIL = re.compile(r"(?P<name>.*?)(?: valid_until (?P<ms>[0-9]{1,19}))?", re.DOTALL)


class _Signers(msgspec.Struct, rename="camel"):
    """The text in convertToMultiSigUser."""

    authorized_users: list[str]
    threshold: int


class UserActions:
    """Carries out what a wallet signed itself."""

    def __init__(
        self, venue: Venue, registry: Registry, purse: Purse, nonces: SignerNonces, settings: CounterSettings
    ) -> None:
        """Know people and money."""
        self._venue = venue
        self._registry = registry
        self._purse = purse
        self._nonces = nonces
        self._settings = settings

    def send_usd(self, entry: Entry, action: UsdSend, now_ns: int) -> Answer:
        """Send margin USDC to somebody."""
        amount = micro(action.amount)
        if not amount:
            return told(texts.BAD_SEND)
        if amount > self._venue.withdrawable(entry.account):
            # Asked before anybody is reached: a refused transfer opens no account.
            return told(texts.NO_BALANCE_PERP)
        other = self._purse.reach(action.destination.lower())
        text = self._purse.between_margins(entry.account, other, amount, "internalTransfer", now_ns, fee="0.0")
        return told(text)

    def send_spot(self, entry: Entry, action: SpotSend, now_ns: int) -> Answer:
        """Send spot USDC to somebody; nobody has another token."""
        amount = amount_of(action.amount)
        if not amount:
            return told(texts.BAD_SEND)
        if action.token not in USDC_TOKENS or amount > entry.person.spot:
            return told(texts.NO_BALANCE_SPOT)
        self._purse.reach(action.destination.lower())
        other = self._registry.people[action.destination.lower()]
        return told(self._purse.between_spots(entry.person, other, amount, now_ns))

    def withdraw(self, entry: Entry, action: Withdraw, now_ns: int) -> Answer:
        """Let USDC leave the venue."""
        fee = self._settings.withdrawal_fee
        return told(self._purse.withdraw(entry.account, micro(action.amount), fee, now_ns, action.nonce))

    def transfer_class(self, entry: Entry, action: UsdClassTransfer, now_ns: int) -> Answer:
        """Move USDC between spot and margin, of the master or of the sub-account that the amount names."""
        text, mark, address = action.amount.partition(SUB_ACCOUNT_MARK)
        person = self._own(entry.person, address.lower()) if mark else entry.person
        if person is None:
            return told(texts.NOT_YOUR_SUB_ACCOUNT.format(address=address.lower(), master=entry.person.address))
        if person.abstraction in UNIFIED:
            return told(texts.UNIFIED)
        account = self._venue.open_account(person.address)
        amount = micro(text)
        return told(self._purse.between_classes(person, account, amount, now_ns, to_perp=action.to_perp))

    def send_asset(self, entry: Entry, action: SendAsset | AgentSendAsset, now_ns: int) -> Answer:
        """Move USDC between dexes and people. An agent moves it only between accounts of its master."""
        master = entry.master
        source = self._own(master, action.from_sub_account.lower()) if action.from_sub_account else entry.person
        if source is None:
            address = action.from_sub_account.lower()
            return told(texts.NOT_YOUR_SUB_ACCOUNT.format(address=address, master=master.address))
        dexes = DEXES.get(action.source_dex), DEXES.get(action.destination_dex)
        if dexes[0] is None or dexes[1] is None:
            return told(texts.BAD_SEND)
        address = action.destination.lower()
        if isinstance(action, AgentSendAsset) and self._own(master, address) is None:
            return told(texts.BAD_SEND)
        amount = amount_of(action.amount) if all(dexes) else micro(action.amount)
        if not amount:
            return told(texts.BAD_SEND)
        held = source.spot if dexes[0] else self._venue.withdrawable(self._venue.open_account(source.address))
        if action.token not in USDC_TOKENS or amount > held:
            return told(texts.NO_BALANCE_SPOT)
        self._purse.reach(address)
        destination = self._registry.people[address]
        return told(self._purse.send(source, destination, amount, (dexes[0], dexes[1]), now_ns, entry.nonce))

    def approve_agent(self, entry: Entry, action: ApproveAgent, now_ns: int) -> Answer:
        """Let a key trade for the master."""
        written = action.agent_name if isinstance(action.agent_name, str) else ""
        found = _VALID_UNTIL.fullmatch(written)
        name, until = (found["name"], found["ms"]) if found is not None else (written, None)
        return told(
            self.let_agent(
                entry.person, action.agent_address.lower(), name, int(until) if until is not None else None, now_ns
            )
        )

    def let_agent(self, master: Person, address: str, name: str, until_ms: int | None, now_ns: int) -> str:
        """Let a key trade for a master until a time (ms; None: as long as usual); return why not, empty when done.

        The address of nobody takes the right of this name away.
        """
        now_ms = now_ns // NS_PER_MS
        if len(name) > NAME_CHARS_MAX:
            return texts.AGENT_NAME
        if until_ms is not None and until_ms <= now_ms:
            return texts.AGENT_EXPIRED
        registry = self._registry
        registry.drop_expired(master.address, now_ns)
        if address == NOBODY:
            registry.remove_agent(master.address, name)
            return ""
        if address in registry.agents or registry.person(address) is not None:
            return texts.AGENT_USED
        named = sum(1 for each in master.agents if each)
        most = registry.named_agents_max(master)
        if name and name not in master.agents and named >= most:
            return texts.TOO_MANY_AGENTS.format(limit=most)
        validity_ms = self._settings.agent_validity_ms if until_ms is None else until_ms - now_ms
        until_ms = now_ms + min(validity_ms, self._settings.agent_validity_ms_max)
        replaced = registry.approve(Agent(address, master.address, name, until_ms))
        if replaced is not None:
            self._nonces.forget(replaced.address)
        return ""

    def approve_builder(self, entry: Entry, action: ApproveBuilderFee) -> Answer:
        """Let a builder charge up to a rate; a rate of zero takes it back."""
        builders, builder = entry.person.builders, action.builder.lower()
        rate = action.max_fee_rate
        try:
            tenths_bp = parse_scaled(rate.removesuffix("%"), 3) if rate.endswith("%") else -1
        except ValueError:
            tenths_bp = -1
        if not 0 <= tenths_bp <= BUILDER_TENTHS_BP_MAX:
            return told(texts.BUILDER_RATE)
        if not tenths_bp:
            builders.pop(builder, None)
        elif builder not in builders and len(builders) >= BUILDERS_MAX:
            return told(texts.TOO_MANY_BUILDERS)
        else:
            builders[builder] = tenths_bp
        return told("")

    def convert_to_multi_sig(self, entry: Entry, action: ConvertToMultiSigUser) -> Answer:
        """Need several signatures from now on, or one again."""
        try:
            wanted = msgspec.json.decode(action.signers, type=_Signers | None)
            signers = tuple("0x" + address_bytes(each).hex() for each in wanted.authorized_users) if wanted else ()
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return told(texts.MULTI_SIG_SIGNERS)
        if wanted is None:
            entry.person.multi_sig = None
            return told("")
        if not 0 < len(signers) <= SIGNERS_MAX or not 0 < wanted.threshold <= len(frozenset(signers)) == len(signers):
            return told(texts.MULTI_SIG_SIGNERS)
        entry.person.multi_sig = MultiSig(signers, wanted.threshold)
        return told("")

    def abstract_dex(self, entry: Entry, action: UserDexAbstraction) -> Answer:
        """Let collateral follow orders between dexes: remembered, there is one dex."""
        person = self._own(entry.person, action.user.lower())
        if person is None:
            return told(texts.BAD_ABSTRACTION)
        person.is_dex_abstracted = action.enabled
        return told("")

    def set_abstraction(self, entry: Entry, action: UserSetAbstraction) -> Answer:
        """Choose the account mode."""
        person = self._own(entry.person, action.user.lower())
        if person is None:
            return told(texts.BAD_ABSTRACTION)
        return told(choose_abstraction(person, action.abstraction))

    def _own(self, master: Person, address: str) -> Person | None:
        """Return a master's own person: himself or one of his sub-accounts."""
        if address == master.address:
            return master
        return self._registry.people[address] if address in master.sub_accounts else None


def choose_abstraction(person: Person, abstraction: str) -> str:
    """Set the account mode, written in full or in one letter; return why not, empty when done."""
    mode = SHORT_ABSTRACTIONS.get(abstraction, abstraction)
    if mode not in ABSTRACTIONS:
        return texts.BAD_ABSTRACTION
    person.abstraction = mode
    return ""
