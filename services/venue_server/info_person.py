"""Answers about who somebody is: roles, agents, sub-accounts, budgets, fees, referrals, approvals; and what is not here.

Laws: reads, never changes; the fee schedule is the one the venue charges by. Staking, vaults and TWAPs do not exist
here and are told as empty. Source: HYPERLIQUID 2.4, 8.
"""

import datetime as dt

from domain.units import MONEY_UNIT, NS_PER_DAY, NS_PER_MS, format_scaled
from exchange.hyperliquid.wire_account import AgentEntry, RateLimit, Role
from exchange.simulated.accounts import Account
from exchange.simulated.clearing import clearinghouse
from exchange.simulated.fee_tiers import (
    MAKER_REBATES,
    REFERRAL_DISCOUNT,
    TIERS,
    WINDOW_DAYS,
    FeeTier,
    fee_rates,
    window_volume,
)
from services.venue_server.encoding import money_text, rate_text
from services.venue_server.info_account import USER, account_of, clearing_state, spot_state
from services.venue_server.questions import Maker, Query, Question, Sources
from services.venue_server.registry import UNNAMED

PERMILLE_DECIMALS = 3
REFERRAL_VOLUME = 10_000 * MONEY_UNIT
"""What somebody has to trade before he gets a code of his own. Units: Money."""
PERIODS = {"day": 1, "week": 7, "month": 30, "allTime": 1_000_000}
"""Period to days."""

STAKING_TIERS = (
    ("0.0", "0.0"),
    ("0.0001", "0.05"),
    ("0.001", "0.1"),
    ("0.01", "0.15"),
    ("0.1", "0.2"),
    ("1.0", "0.3"),
    ("5.0", "0.4"),
)
"""(Basis points of all HYPE, discount); of a supply of 10^9 they are the amounts of HYPERLIQUID 8."""


def _row(tier: FeeTier) -> dict[str, str]:
    rates = tier.rates
    return {
        "cross": rate_text(rates.taker),
        "add": rate_text(rates.maker),
        "spotCross": rate_text(rates.spot_taker),
        "spotAdd": rate_text(rates.spot_maker),
    }


SCHEDULE = {
    **_row(TIERS[0]),
    "tiers": {
        "vip": [{"ntlCutoff": money_text(tier.volume_above), **_row(tier)} for tier in TIERS[1:]],
        "mm": [
            {
                "makerFractionCutoff": format_scaled(rebate.share_above_permille, PERMILLE_DECIMALS),
                "add": rate_text(rebate.rate),
            }
            for rebate in MAKER_REBATES
        ],
    },
    "referralDiscount": rate_text(REFERRAL_DISCOUNT),
    "stakingDiscountTiers": [{"bpsOfMaxSupply": share, "discount": discount} for share, discount in STAKING_TIERS],
}


def role_of(sources: Sources, address: str) -> Role:
    """Return what an address is. An account nobody registered is a user: the venue's own."""
    role, master = sources.registry.role(address)
    if role == "missing" and address in sources.venue.accounts:
        return Role(role="user")
    if role == "agent":
        return Role(role=role, data={"user": master})
    return Role(role=role, data={"master": master}) if role == "subAccount" else Role(role=role)


def _portfolio(sources: Sources, asked: Question, now_ms: int) -> list[tuple[str, dict[str, object]]]:
    """Return what the account is worth now, gained and traded; the venue keeps no history of values."""
    account = account_of(sources, asked)
    value = gained = 0
    if account is not None:
        found = clearinghouse(sources.venue, account)
        value = found.account_value
        gained = sum(one.unrealized for one in found.positions) + _realized(account)
    by_day = account.volume_by_day if account is not None else {}
    today = now_ms * NS_PER_MS // NS_PER_DAY
    rows: list[tuple[str, dict[str, object]]] = []
    for prefix in ("", "perp"):
        for period, days in PERIODS.items():
            volume = sum(sum(pair) for day, pair in by_day.items() if day > today - days)
            told: dict[str, object] = {
                "accountValueHistory": [(now_ms, money_text(value))],
                "pnlHistory": [(now_ms, money_text(gained))],
                "vlm": money_text(volume),
            }
            rows.append((prefix + period[0].upper() + period[1:] if prefix else period, told))
    return rows


def _realized(account: Account) -> int:
    """Return what the executions and settlements still remembered brought, net of fees. Units: Money."""
    traded = sum(one.closed_pnl - one.fee for one in account.executions)
    return traded + sum(one.amount for one in account.fundings)


def _sub_accounts(sources: Sources, asked: Question, now_ms: int) -> list[dict[str, object]] | None:
    person = sources.registry.person(asked.user or "")
    if person is None or not person.sub_accounts:
        return None
    return [
        {
            "name": sources.registry.people[address].name,
            "subAccountUser": address,
            "master": person.address,
            "clearinghouseState": clearing_state(sources, address, now_ms),
            "spotState": spot_state(sources, address),
        }
        for address in person.sub_accounts
    ]


def _role(sources: Sources, asked: Question, _: int) -> Role:
    return role_of(sources, asked.user or "")


def _agents(sources: Sources, asked: Question, now_ms: int) -> list[AgentEntry]:
    return [
        AgentEntry(name=one.name, address=one.address, valid_until=one.valid_until_ms)
        for one in sources.registry.live_agents(asked.user or "", now_ms * NS_PER_MS)
        if one.name != UNNAMED
    ]


def _rate_limit(sources: Sources, asked: Question, _: int) -> RateLimit:
    account, limits = account_of(sources, asked), sources.limits
    account = account if account is not None else Account(0)
    return RateLimit(
        volume=money_text(account.volume_total),
        requests_used=account.requests_used,
        requests_cap=limits.cap(account),
        surplus=limits.bought(account.address),
    )


def _fees(sources: Sources, asked: Question, now_ms: int) -> dict[str, object]:
    found = account_of(sources, asked)
    settings = sources.venue.settings
    account = found if found is not None else Account(0, "", settings.maker_rate, settings.taker_rate)
    today = now_ms * NS_PER_MS // NS_PER_DAY
    spot = fee_rates(sum(window_volume(account.volume_by_day, today)), discount=account.fee_discount)
    is_referred = account.referred_until > account.volume_total
    return {
        "dailyUserVlm": [_day(sources, account, day) for day in range(today - WINDOW_DAYS, today + 1)],
        "feeSchedule": SCHEDULE,
        "userCrossRate": rate_text(account.taker_rate),
        "userAddRate": rate_text(account.maker_rate),
        "userSpotCrossRate": rate_text(spot.spot_taker),
        "userSpotAddRate": rate_text(spot.spot_maker),
        "activeReferralDiscount": rate_text(REFERRAL_DISCOUNT) if is_referred else "0.0",
        "trial": None,
        "feeTrialReward": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }


def _day(sources: Sources, account: Account, day: int) -> dict[str, str]:
    """Return the volumes of one day: the user's as taker and as maker, and everybody's."""
    made, took = account.volume_by_day.get(day, (0, 0))
    everybody = sum(sum(one.volume_by_day.get(day, (0, 0))) for one in sources.venue.accounts.values())
    return {
        "date": _date(day),
        "userCross": money_text(took),
        "userAdd": money_text(made),
        "exchange": money_text(everybody),
    }


def _date(day: int) -> str:
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def _referral(sources: Sources, asked: Question, _: int) -> dict[str, object]:
    registry, account = sources.registry, account_of(sources, asked)
    person = registry.person(asked.user or "")
    volume = account.volume_total if account is not None else 0
    referrer = registry.person(person.referrer) if person is not None and person.referrer else None
    state: dict[str, object] = {"stage": "needToTrade", "data": {"required": money_text(REFERRAL_VOLUME)}}
    if person is not None and person.code:
        state = {
            "stage": "ready",
            "data": {"code": person.code, "nReferrals": len(person.referred), "referralStates": []},
        }
    elif volume >= REFERRAL_VOLUME:
        state = {"stage": "needToCreateCode"}
    nothing = {
        "cumVlm": money_text(volume),
        "unclaimedRewards": "0.0",
        "claimedRewards": "0.0",
        "builderRewards": "0.0",
    }
    return {
        "referredBy": None if referrer is None else {"referrer": referrer.address, "code": referrer.code},
        **nothing,
        "tokenToState": [(0, nothing)],
        "referrerState": state,
        "rewardHistory": [],
    }


def _builder_fee(sources: Sources, asked: Question, _: int) -> int:
    person = sources.registry.person(asked.user or "")
    return person.builders.get(asked.builder or "", 0) if person is not None else 0


def _builders(sources: Sources, asked: Question, _: int) -> list[str]:
    person = sources.registry.person(asked.user or "")
    return list(person.builders) if person is not None else []


def _abstraction(sources: Sources, asked: Question, _: int) -> str:
    person = sources.registry.person(asked.user or "")
    return person.abstraction if person is not None else "default"


def _dex_abstraction(sources: Sources, asked: Question, _: int) -> bool | None:
    person = sources.registry.person(asked.user or "")
    return person.is_dex_abstracted if person is not None else None


def _signers(sources: Sources, asked: Question, _: int) -> dict[str, object] | None:
    person = sources.registry.person(asked.user or "")
    if person is None or person.multi_sig is None:
        return None
    return {"authorizedUsers": list(person.multi_sig.signers), "threshold": person.multi_sig.threshold}


def _always(told: object) -> Maker:
    def make(_: Sources, __: Question, ___: int) -> object:
        return told

    return make


NO_STAKE = {"delegated": "0.0", "undelegated": "0.0", "totalPendingWithdrawal": "0.0", "nPendingWithdrawals": 0}
NO_AUCTION = {
    "startTimeSeconds": 0,
    "durationSeconds": 0,
    "startGas": "0.0",
    "currentGas": None,
    "endGas": None,
}

PERSON_QUERIES = {
    "userRole": Query(make=_role, needs=USER, weight=60),
    "extraAgents": Query(make=_agents, needs=USER),
    "subAccounts": Query(make=_sub_accounts, needs=USER),
    "userRateLimit": Query(make=_rate_limit, needs=USER),
    "portfolio": Query(make=_portfolio, needs=USER),
    "userFees": Query(make=_fees, needs=USER),
    "referral": Query(make=_referral, needs=USER),
    "maxBuilderFee": Query(make=_builder_fee, needs=("user", "builder")),
    "approvedBuilders": Query(make=_builders, needs=USER),
    "userAbstraction": Query(make=_abstraction, needs=USER),
    "userDexAbstraction": Query(make=_dex_abstraction, needs=USER),
    "userToMultiSigSigners": Query(make=_signers, needs=USER),
    "delegatorSummary": Query(make=_always(NO_STAKE), needs=USER),
    "delegations": Query(make=_always([]), needs=USER),
    "delegatorRewards": Query(make=_always([]), needs=USER, items_per_weight=20),
    "delegatorHistory": Query(make=_always([]), needs=USER, items_per_weight=20),
    "userTwapSliceFills": Query(make=_always([]), needs=USER, items_per_weight=20),
    "userTwapSliceFillsByTime": Query(make=_always([]), needs=USER, items_per_weight=20),
    "twapHistory": Query(make=_always([]), needs=USER, items_per_weight=20),
    "userVaultEquities": Query(make=_always([]), needs=USER),
    "vaultDetails": Query(make=_always(None), needs=("vault_address",)),
    "vaultSummaries": Query(make=_always([])),
    "leadingVaults": Query(make=_always([]), needs=USER),
    "perpDeployAuctionStatus": Query(make=_always(NO_AUCTION)),
    "spotDeployState": Query(make=_always({"states": [], "gasAuction": NO_AUCTION}), needs=USER),
    "validatorSummaries": Query(make=_always([])),
}
