"""What must be true before the first order: instruments as we think, a signer that may sign, leverage as wanted.

Laws: nothing is signed but what sets leverage, and only where it differs; each refusal is one sentence with its key.
Source: HYPERLIQUID 2.2, 2.4 (userRole, userAbstraction), 12.5 (query with the account, sign with the agent).
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from domain.errors import ConfigInvalid, DataInvalid
from domain.instrument import Instrument
from domain.units import Money
from exchange.hyperliquid.codec_numbers import money
from exchange.hyperliquid.cold_path import ColdPath
from exchange.hyperliquid.listing import listing
from exchange.hyperliquid.wire_account import ActiveAsset, ClearinghouseState, RateLimit, Role, SpotState
from exchange.hyperliquid.wire_actions import TypedAction, UpdateLeverageAction

ONE_PURSE = frozenset({"unifiedAccount", "portfolioMargin"})
"""Modes in which collateral lies on the spot side."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. Units: Money. vault is the account when the signer acts for a sub-account, else empty.

    spot_usdc is None unless the account has one purse for spot and perpetuals.
    """

    vault: str
    mode: str
    account_value: Money
    spot_usdc: Money | None
    budget: RateLimit
    listed: Mapping[str, Instrument]
    """What the venue listed, by symbol."""
    leverage_set: tuple[str, ...] = ()


async def check(cold: ColdPath, instruments: Sequence[Instrument], account: str, signer: str) -> Opening:
    """Return the account as found. Raises: ConfigInvalid for what a person must set right; DataInvalid."""
    listed = await _check_instruments(cold, instruments)
    vault = await _vault(cold, account, signer)
    state = await cold.ask(ClearinghouseState, "clearinghouseState", user=account)
    mode = await _mode(cold, account)
    return Opening(
        vault=vault,
        mode=mode,
        account_value=_money("clearinghouseState", state.margin_summary.account_value),
        spot_usdc=await _spot_usdc(cold, account) if mode in ONE_PURSE else None,
        budget=await cold.ask(RateLimit, "userRateLimit", user=account),
        listed=listed,
    )


async def _check_instruments(cold: ColdPath, instruments: Sequence[Instrument]) -> dict[str, Instrument]:
    """Refuse to trade what is listed otherwise than we think: a wrong index trades another coin. Return the listing."""
    listed = listing(await cold.ask(object, "meta"))
    for ours in instruments:
        theirs = listed.get(ours.symbol)
        if theirs is None:
            raise ConfigInvalid("market.instruments", ours.symbol, "a perpetual that the venue lists")
        for name in ("asset_id", "size_decimals", "price_decimals"):
            mine, other = getattr(ours, name), getattr(theirs, name)
            if mine != other:
                raise ConfigInvalid(f"{ours.symbol}.{name}", mine, f"{other}, as the venue lists it")
    return listed


async def _vault(cold: ColdPath, account: str, signer: str) -> str:
    """Return the address actions are for when it is not the signer's master; empty when it is."""
    role = await cold.ask(Role, "userRole", user=account)
    master = account
    if role.role == "subAccount":
        master = (role.data or {}).get("master", "").lower()
    elif role.role != "user":
        found = "an agent's address" if role.role == "agent" else f"of role {role.role!r}"
        raise ConfigInvalid("network.account", account, f"a funded account or sub-account; this is {found}")
    if signer != master:
        agent = await cold.ask(Role, "userRole", user=signer)
        acts_for = (agent.data or {}).get("user", "").lower() if agent.role == "agent" else ""
        if acts_for != master:
            raise ConfigInvalid(
                "network.agent",
                signer,
                f"an agent that {master} has approved; this one acts for {acts_for or 'nobody'}: "
                "approve it on the venue's API page",
            )
    return account if role.role == "subAccount" else ""


async def _mode(cold: ColdPath, account: str) -> str:
    """Return how the account keeps its collateral; `default` where the venue does not know the question."""
    try:
        return await cold.ask(str, "userAbstraction", user=account)
    except DataInvalid:
        return "default"


async def _spot_usdc(cold: ColdPath, account: str) -> Money:
    state = await cold.ask(SpotState, "spotClearinghouseState", user=account)
    for balance in state.balances:
        if balance.coin == "USDC":
            return _money("spotClearinghouseState", balance.total)
    return Money(0)


def _money(place: str, text: str) -> Money:
    try:
        return money(text)
    except ValueError as error:
        raise DataInvalid(place, str(error)) from None


async def set_leverage(
    cold: ColdPath,
    instruments: Sequence[Instrument],
    account: str,
    leverage: int,
    is_cross: bool,
    signed: Callable[[TypedAction], bytes],
) -> tuple[str, ...]:
    """Set the leverage wherever it differs, at most the instrument's own, and return where it was set.

    Raises: DataInvalid with the venue's sentence when it refuses.
    """
    changed = []
    for instrument in instruments:
        wanted = min(leverage, instrument.leverage_max)
        data = await cold.ask(ActiveAsset, "activeAssetData", user=account, coin=instrument.symbol)
        if (data.leverage.value, data.leverage.type == "cross") != (wanted, is_cross):
            action = UpdateLeverageAction(asset=instrument.asset_id, is_cross=is_cross, leverage=wanted)
            await cold.act(f"updateLeverage of {instrument.symbol}", signed(action))
            changed.append(instrument.symbol)
    return tuple(changed)
