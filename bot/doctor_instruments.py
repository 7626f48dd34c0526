"""What `hat doctor` says of each configured instrument: listed, large enough to be ordered, leverage as configured.

Why it exists: a size that risk cuts to fit, or that the lot rounds down, ends below the venue's least order, and then a
bot runs for days and never quotes. All of it follows from one price and the configuration, so it is told beforehand.

Source: HYPERLIQUID 2.2 (meta, isDelisted), 2.4 (activeAssetData), 6.2, 6.3 (least notional), 9.3.
"""

from collections.abc import Iterator
from functools import partial

from bot.config import HatConfig, risk_limits, strategy
from bot.doctor_venue import Venue
from bot.findings import Finding, failed, guarded, of_error, ok, skipped, warning
from domain.errors import DataInvalid, HouseError
from domain.instrument import Instrument, perpetual
from domain.units import RATE_UNIT, Lots, Money, Price, format_money, format_scaled, money_times_rate
from exchange.hyperliquid.codec_numbers import rounded
from exchange.hyperliquid.wire_account import ActiveAsset, ClearinghouseState
from exchange.hyperliquid.wire_market import Asset, Meta, PerpContext

ROUNDED_AWAY_SHARE_WARN = RATE_UNIT // 10
"""A lot so large that rounding takes more than a tenth of the configured size."""


def instrument_findings(venue: Venue) -> list[Finding]:
    """Return two lines for each configured instrument: size, and leverage."""
    symbols = venue.config.market.instruments
    try:
        meta, contexts = venue.ask(tuple[Meta, list[PerpContext]], "metaAndAssetCtxs")
    except DataInvalid as error:
        return [of_error("instruments", error), *(skipped(symbol, "the venue lists nothing") for symbol in symbols)]
    listed = {asset.name: (number, asset) for number, asset in enumerate(meta.universe)}
    equity = _equity(venue)
    findings: list[Finding] = []
    for symbol in symbols:
        if symbol not in listed:
            near = ", ".join(list(listed)[:5])
            fix = f"Correct market.instruments: {venue.config.network.name} lists {near} and {len(listed)} in all."
            findings.append(failed(symbol, f"not listed on {venue.config.network.name}", fix))
            continue
        number, asset = listed[symbol]
        context = contexts[number] if number < len(contexts) else None
        findings += guarded(symbol, partial(_instrument, venue.config, number, asset, context, equity))
        if not asset.is_delisted and venue.account:
            findings += guarded(f"{symbol} leverage", partial(_leverage, venue, asset))
    return findings


def _equity(venue: Venue) -> Money | None:
    """Return what the account is worth; None when nobody says."""
    if not venue.account:
        return None
    try:
        state = venue.ask(ClearinghouseState, "clearinghouseState", user=venue.account)
        return venue.amount("clearinghouseState", state.margin_summary.account_value)
    except HouseError:
        return None


def _instrument(
    config: HatConfig, number: int, asset: Asset, context: PerpContext | None, equity: Money | None
) -> Iterator[Finding]:
    symbol = asset.name
    if asset.is_delisted:
        yield failed(symbol, "delisted: orders are refused", "Take it out of market.instruments.")
        return
    if asset.only_isolated or asset.margin_mode in {"strictIsolated", "noCross"}:
        yield failed(
            symbol, "isolated margin only", "Take it out of market.instruments: the bot trades on cross margin."
        )
        return
    instrument = perpetual(symbol, number, asset.size_decimals, asset.max_leverage)
    try:
        price = Price(rounded(context.mark_price, instrument.price_decimals) if context is not None else 0)
    except ValueError as error:
        raise DataInvalid(f"{symbol} mark price", str(error)) from None
    if price <= 0:
        yield warning(symbol, "listed, but without a mark price", "Look at the venue's page: it may not trade now.")
        return
    yield size_finding(config, instrument, price, equity)


def bounds_of(config: HatConfig, symbol: str, equity: Money | None) -> dict[str, Money]:
    """Return what bounds one order of an instrument, by the key that sets it. Units: Money."""
    limits = risk_limits(config)
    own = limits.of(symbol)
    bounds = {
        "risk.order_notional_usd_max": own.order_notional_max,
        "risk.position_notional_usd_max": own.position_notional_max,
        "risk.total_exposure_usd_max": limits.total_exposure_max,
    }
    wanted = getattr(getattr(strategy(config), "settings", None), "order_notional_usd", None)
    if isinstance(wanted, int | float):
        bounds["strategy.order_notional_usd"] = Money(round(wanted * 10**8))
    if equity is not None and equity > 0:
        bounds["risk.leverage_max times the account's value"] = Money(money_times_rate(equity, limits.leverage_max))
    return bounds


def size_finding(config: HatConfig, instrument: Instrument, price: Price, equity: Money | None) -> Finding:
    """Say whether the largest order that may be sent at this price is one the venue takes."""
    symbol = instrument.symbol
    step = instrument.notional(price, Lots(1))
    bounds = bounds_of(config, symbol, equity)
    key = min(bounds, key=lambda name: bounds[name])
    bound = bounds[key]
    lots = Lots(bound // step)
    value = Money(lots * step)
    least_lots = Lots(-(-instrument.notional_min // step))
    told = (
        f"{format_scaled(price, instrument.price_decimals)} USDC, size step "
        f"{format_scaled(1, instrument.size_decimals)} is worth {cents(step)} USDC"
    )
    size = format_scaled(lots, instrument.size_decimals)
    least = cents(Money(least_lots * step), up=True)
    if value < instrument.notional_min:
        found = (
            f"{told}; {key} = {format_money(bound)} makes orders of {size}, worth {cents(value)}: "
            f"below the venue's least of {format_money(instrument.notional_min)}"
        )
        return failed(symbol, found, f"Raise {key} to {least} or more.")
    ordered = f"{told}; orders of {size}, worth {cents(value)}"
    if (bound - value) * RATE_UNIT > ROUNDED_AWAY_SHARE_WARN * bound:
        share = (bound - value) * 100 // bound
        found = f"{ordered}: rounding to the step takes {share} % of {key} = {format_money(bound)}"
        return warning(symbol, found, f"Set {key} to a multiple of {cents(step)}, or trade a finer instrument.")
    wanted = bounds.get("strategy.order_notional_usd", bound)
    if bound < wanted:
        found = f"{ordered}: {key} = {format_money(bound)} cuts strategy.order_notional_usd = {format_money(wanted)}"
        return warning(symbol, found, f"Raise {key}, or lower strategy.order_notional_usd to it.")
    return ok(symbol, ordered)


def cents(amount: Money, *, up: bool = False) -> str:
    """Return Money in whole cents for people, rounded down, or up where it is a least."""
    unit = 10**6
    return format_money(Money((amount + (unit - 1 if up else 0)) // unit * unit))


def _leverage(venue: Venue, asset: Asset) -> Iterator[Finding]:
    """Say whether the leverage set at the venue is the configured one; the bot sets it when it opens."""
    name = f"{asset.name} leverage"
    data = venue.ask(ActiveAsset, "activeAssetData", user=venue.account, coin=asset.name)
    wanted = min(venue.config.venue.leverage, asset.max_leverage)
    told = f"{data.leverage.value}x {data.leverage.type} set at the venue, {wanted}x cross configured"
    if (data.leverage.value, data.leverage.type) == (wanted, "cross"):
        yield ok(name, f"{wanted}x cross, as configured")
        return
    state = venue.ask(ClearinghouseState, "clearinghouseState", user=venue.account)
    held = next((one.position for one in state.asset_positions if one.position.coin == asset.name), None)
    if held is None:
        yield ok(name, f"{told}: set by the bot when it opens, there is no position")
        return
    fix = f"Set venue.leverage = {data.leverage.value}, or close the position: changing it moves margin, or is refused."
    yield warning(name, f"{told}, with a position of {held.size}", fix)
