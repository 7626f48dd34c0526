"""Actions about an account, signed like orders: leverage, margin, the dead man's switch, sub-accounts, codes, requests.

Source: HYPERLIQUID 3.3, 3.5, 3.6.
"""

from msgspec import UNSET

from domain.units import MICRO_USDC, MONEY_UNIT, NS_PER_MS, parse_rate
from exchange.hyperliquid.wire_actions import (
    CreateSubAccountAction,
    RegisterReferrerAction,
    ReserveRequestWeightAction,
    ScheduleCancelAction,
    SetReferrerAction,
    SubAccountSpotTransferAction,
    SubAccountTransferAction,
    TopUpIsolatedOnlyMarginAction,
    UpdateIsolatedMarginAction,
    UpdateLeverageAction,
    VaultTransferAction,
)
from exchange.simulated import refusals
from exchange.simulated.refusals import Refusal
from exchange.simulated.venue import Venue
from services.venue_server import texts
from services.venue_server.address_limits import AddressLimits
from services.venue_server.answer import Answer
from services.venue_server.counter_settings import CounterSettings
from services.venue_server.gate import Entry
from services.venue_server.purse import Purse, amount_of
from services.venue_server.registry import SUB_ACCOUNTS_MAX, Person, Registry
from services.venue_server.replies import DEFAULT, cents, data_reply, done, refused

USDC_TOKENS = ("USDC", "USDC:0x6d1e7cde53ba9467b783cb7c530ce054")
"""The token this venue has in spot. Source: HYPERLIQUID 2.2 (spotMeta)."""

NAME_CHARS_MAX = 16
CODE_CHARS_MAX = 20
MICRO_END = 10**24
REFERRED_VOLUME = 25_000_000 * MONEY_UNIT
"""The volume of a referred account that is cheaper. Source: HYPERLIQUID 8."""


def told(text: str) -> Answer:
    """Return the plain answer: done when there is nothing to object."""
    return refused(text) if text else done(DEFAULT)


def ruled(refusal: Refusal | None) -> Answer:
    """Return the plain answer to what the venue decided."""
    return done(DEFAULT) if refusal is None else refused(refusal.text)


class AccountActions:
    """Carries out what is asked about accounts."""

    def __init__(
        self,
        venue: Venue,
        registry: Registry,
        purse: Purse,
        limits: AddressLimits,
        settings: CounterSettings,
        symbols: dict[int, str],
    ) -> None:
        """Know venue, people and money."""
        self._venue = venue
        self._registry = registry
        self._purse = purse
        self._limits = limits
        self._settings = settings
        self._symbols = symbols

    def set_leverage(self, entry: Entry, action: UpdateLeverageAction, now_ns: int) -> Answer:
        """Choose leverage and margin mode of a coin."""
        symbol = self._symbols.get(action.asset)
        if symbol is None:
            return refused(refusals.UNKNOWN_ASSET)
        is_cross = action.is_cross
        return ruled(self._venue.set_leverage(entry.account, symbol, action.leverage, now_ns, is_cross=is_cross))

    def change_isolated_margin(self, entry: Entry, action: UpdateIsolatedMarginAction, now_ns: int) -> Answer:
        """Move margin in or out of an isolated position."""
        symbol = self._symbols.get(action.asset)
        if symbol is None or abs(action.micro_usdc) >= MICRO_END:
            return refused(refusals.UNKNOWN_ASSET if symbol is None else texts.NO_BALANCE_PERP)
        amount = action.micro_usdc * MICRO_USDC
        return ruled(self._venue.change_isolated_margin(entry.account, symbol, amount, now_ns))

    def top_up(self, entry: Entry, action: TopUpIsolatedOnlyMarginAction, now_ns: int) -> Answer:
        """Move margin so that an isolated position has a leverage."""
        symbol = self._symbols.get(action.asset)
        if symbol is None:
            return refused(refusals.UNKNOWN_ASSET)
        try:
            leverage = int(parse_rate(action.leverage))
        except ValueError:
            leverage = 0
        if not 0 < leverage < MICRO_END:
            return refused(texts.BAD_LEVERAGE)
        return ruled(self._venue.top_up_isolated(entry.account, symbol, leverage, now_ns))

    def schedule_cancel(self, entry: Entry, action: ScheduleCancelAction, now_ns: int) -> Answer:
        """Arm or disarm the dead man's switch."""
        time_ns = action.time * NS_PER_MS if action.time is not UNSET else None
        return ruled(self._venue.schedule_cancel(entry.account, time_ns, now_ns))

    def set_referrer(self, entry: Entry, action: SetReferrerAction) -> Answer:
        """Name who referred us, once and for all."""
        owner = self._registry.codes.get(action.code)
        if owner is None or owner == entry.person.address:
            return refused(texts.NO_CODE)
        if entry.person.referrer:
            return refused(texts.REFERRER_SET)
        entry.person.referrer = owner
        entry.account.referred_until = REFERRED_VOLUME
        self._registry.people[owner].referred.append(entry.person.address)
        return done(DEFAULT)

    def register_referrer(self, entry: Entry, action: RegisterReferrerAction) -> Answer:
        """Open a referral code."""
        if entry.account.volume_total < self._settings.referral_volume_min:
            return refused(texts.NO_CODE_YET)
        if action.code in self._registry.codes or entry.person.code or not 0 < len(action.code) <= CODE_CHARS_MAX:
            return refused(texts.CODE_TAKEN)
        entry.person.code = action.code
        self._registry.codes[action.code] = entry.person.address
        return done(DEFAULT)

    def create_sub_account(self, entry: Entry, action: CreateSubAccountAction) -> Answer:
        """Open a sub-account and tell its address."""
        master, least = entry.person, self._settings.sub_account_volume_min
        if entry.account.volume_total < least:
            text = texts.NO_SUB_ACCOUNT_YET
            return refused(text.format(required=cents(least), traded=cents(entry.account.volume_total)))
        if not 0 < len(action.name) <= NAME_CHARS_MAX:
            return refused(texts.SUB_ACCOUNT_NAME)
        if len(master.sub_accounts) >= SUB_ACCOUNTS_MAX:
            return refused(texts.TOO_MANY_SUB_ACCOUNTS)
        person = self._registry.open_sub_account(master, action.name)
        self._venue.open_account(person.address).pool = master.address
        return done(data_reply("createSubAccount", person.address))

    def sub_account_transfer(self, entry: Entry, action: SubAccountTransferAction, now_ns: int) -> Answer:
        """Move margin USDC between master and sub-account."""
        owned = self._owned(entry, action.sub_account_user, is_deposit=action.is_deposit)
        if isinstance(owned, Answer):
            return owned
        if not 0 < action.usd < MICRO_END:
            return refused(texts.BAD_SEND)
        other = self._venue.open_account(owned.address)
        source, destination = (entry.account, other) if action.is_deposit else (other, entry.account)
        amount = action.usd * MICRO_USDC
        return told(self._purse.between_margins(source, destination, amount, "subAccountTransfer", now_ns))

    def sub_account_spot_transfer(self, entry: Entry, action: SubAccountSpotTransferAction, now_ns: int) -> Answer:
        """Move spot USDC between master and sub-account; there is no other token."""
        owned = self._owned(entry, action.sub_account_user, is_deposit=action.is_deposit)
        if isinstance(owned, Answer):
            return owned
        if action.token not in USDC_TOKENS:
            return refused(texts.NO_BALANCE_SPOT)
        source, destination = (entry.person, owned) if action.is_deposit else (owned, entry.person)
        return told(self._purse.between_spots(source, destination, amount_of(action.amount), now_ns))

    def _owned(self, entry: Entry, address: str, *, is_deposit: bool) -> Person | Answer:
        """Return a sub-account of the one who asks, or the answer when it is none."""
        address = address.lower()
        if address not in entry.person.sub_accounts:
            ends = (entry.person.address, address) if is_deposit else (address, entry.person.address)
            return refused(texts.BAD_SUB_ACCOUNT_TRANSFER.format(source=ends[0], destination=ends[1]))
        return self._registry.people[address]

    def vault_transfer(self, action: VaultTransferAction) -> Answer:
        """Refuse: there are no vaults here."""
        return refused(texts.NO_VAULT.format(address=action.vault_address.lower()))

    def reserve_requests(self, entry: Entry, action: ReserveRequestWeightAction, now_ns: int) -> Answer:
        """Sell requests for an address, our own unless another is named."""
        address = action.destination.lower() if action.destination is not UNSET else entry.account.address
        if not 0 < action.weight < MICRO_END:
            return refused(texts.BAD_SEND)
        price = action.weight * self._settings.request_price
        text = self._purse.charge(entry.account, price, "requestWeight", now_ns, weight=action.weight)
        if not text:
            self._limits.buy(address, action.weight)
        return told(text)
