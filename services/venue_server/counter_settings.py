"""Settings of the counter: who is trusted, what costs what, and what nobody outside knows for sure.

Laws: frozen; every default is the venue's own number, or the likeliest answer to a question it leaves open.
"""

from enum import StrEnum

import msgspec

from domain.units import MONEY_UNIT, Money

DAY_MS = 86_400_000


class Policy(StrEnum):
    """How the counter learns who acts. Source: HYPERLIQUID 12.1.6."""

    RECOVER = "recover"
    """From the signature."""
    OFF = "off"
    """Signatures are not looked at: the caller names the account, or there is one that is trusted."""


class OpenQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue does where its papers are silent. Source: HYPERLIQUID 13, 3.2, 3.5, 3.6.

    reports_partial_as_resting: an order that fills in part and rests answers `resting`, else `filled`.
    appends_asset: per-order errors end in ` asset=N`. checks_decimals: prices and sizes are hashed in their shortest
    form, so text that is not in it recovers a stranger, as a server does that encodes again what it has read.
    expired_takes_nonce: an action past its `expiresAfter` uses its nonce up.
    """

    reports_partial_as_resting: bool = True
    appends_asset: bool = True
    checks_decimals: bool = True
    expired_takes_nonce: bool = False


class CounterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the counter can be told.

    Units: Money; milliseconds; weights and requests are counts.
    trusted_account acts for everybody under Policy.OFF; lower-case address. opens_accounts: whoever is sent money gets
    an account. limits_on switches the budget of addresses (HYPERLIQUID 7.2).
    """

    policy: Policy = Policy.RECOVER
    is_mainnet: bool = False
    trusted_account: str = ""
    limits_on: bool = True
    open_questions: OpenQuestions = OpenQuestions()
    action_weight_max: int = 200
    agent_validity_ms: int = 90 * DAY_MS
    agent_validity_ms_max: int = 180 * DAY_MS
    withdrawal_fee: Money = Money(MONEY_UNIT)
    request_price: Money = Money(MONEY_UNIT // 2_000)
    sub_account_volume_min: Money = Money(100_000 * MONEY_UNIT)
    referral_volume_min: Money = Money(10_000 * MONEY_UNIT)
