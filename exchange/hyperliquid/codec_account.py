"""The account: fills, funding, money that came or went, positions; wire structures to facts.

Laws: pure; money is exact to the venue's last digit (float noise beyond eight decimals is rounded away); what cannot be
read raises ValueError with one sentence, which the caller counts. None means: read, but nothing of it can be booked.
Source: HYPERLIQUID 2.4, 5.4, 9.1, 9.4, 9.5.
"""

from typing import Final

import msgspec
from msgspec import UNSET

from domain.events import FundingPaid, OrderFilled, TransferBooked
from domain.identifiers import NO_ORDER, ClientOrderId, TradeId, VenueOrderId
from domain.order import FillCause, Liquidity
from domain.units import MONEY_DECIMALS, NS_PER_HOUR, Lots, Money, Price
from exchange.hyperliquid.codec_market import SIDES, Coins, time_ns
from exchange.hyperliquid.codec_numbers import money, rate, rounded
from exchange.hyperliquid.wire_account import ClearinghouseState, Fill, FundingPayment, LedgerEntry

USDC = "USDC"
ENTRY_DECIMALS: Final = 12
"""Entry prices are averages, with more digits than a price."""
FillKey = tuple[int, str, int]
"""(venue time ms, coin, trade id): only together they are unique (HYPERLIQUID 5.3)."""

RECEIVED: Final = {"deposit": "usdc", "vaultDistribution": "usdc", "vaultLeaderCommission": "usdc"}
PAID: Final = {"withdraw": "usdc", "vaultCreate": "usdc", "vaultDeposit": "usdc"}
MOVED: Final = {"internalTransfer": "usdc", "subAccountTransfer": "usdc"}
ELSEWHERE: Final = frozenset(
    {
        "spotTransfer",
        "spotGenesis",
        "rewardsClaim",
        "liquidation",
        "cStakingTransfer",
        "borrowLend",
        "activateDexAbstraction",
    }
)
"""Ledger updates that move nothing of the perpetual account's cash by themselves; fills tell what a liquidation did."""


class UnknownUpdate(ValueError):
    """A kind of ledger update nobody here has seen: its money cannot be booked, the next statement shows it."""


class AccountRead(msgspec.Struct, frozen=True, kw_only=True):
    """What `clearinghouseState` says. Units: cash in Money, positions (signed lots, entry cost in Money) by symbol.

    strange are coins this bot does not trade: their positions count 10**-(digits written) base units.
    """

    time_ms: int
    cash: Money
    positions: dict[str, tuple[int, int]]
    strange: dict[str, tuple[int, int]] = {}
    account_value: Money = Money(0)
    marks: dict[str, int] = {}
    """The mark price of a position in price units, where its value is exactly size times a price."""


def fill_key(fill: Fill) -> FillKey:
    """Return what makes a fill unique; very old recordings have no trade id, their order number stands in."""
    return fill.time, fill.coin, fill.order_id if fill.trade_id is UNSET else fill.trade_id


def order_filled(fill: Fill, coins: Coins, account: str, now_ns: int) -> OrderFilled:
    """Return a fill of a coin we trade. account is ours, in lower case. Raises: ValueError; KeyError for other coins."""
    numbers = coins[fill.coin]
    side = SIDES.get(fill.side)
    price, lots = numbers.price(fill.price), numbers.lots(fill.size)
    if side is None or price <= 0 or lots <= 0:
        raise ValueError(f"fill of {fill.size[:40]} at {fill.price[:40]}, side {fill.side[:20]!r}")
    cause = _cause(fill, account)
    name = ClientOrderId(fill.client_order_id) if isinstance(fill.client_order_id, str) else NO_ORDER
    return OrderFilled(
        ts_event_ns=time_ns(fill.time),
        ts_recv_ns=now_ns,
        client_order_id=name if cause is FillCause.ORDER else NO_ORDER,
        venue_order_id=VenueOrderId(fill.order_id),
        symbol=fill.coin,
        side=side,
        trade_id=TradeId(fill_key(fill)[2]),
        price=price,
        lots=lots,
        liquidity=Liquidity.TAKER if fill.is_taker else Liquidity.MAKER,
        fee=money(fill.fee) if is_fee_in_usdc(fill) else Money(0),
        start_position=numbers.position(fill.start_position),
        cause=cause,
        evidence=fill.hash,
    )


def is_fee_in_usdc(fill: Fill) -> bool:
    """Return whether the fee left the USDC of this account."""
    return fill.fee_token is UNSET or fill.fee_token == USDC


def _cause(fill: Fill, account: str) -> FillCause:
    """Return why a fill happened; the other side of somebody's liquidation was an ordinary order of ours."""
    if fill.direction == "Auto-Deleveraging":
        return FillCause.DELEVERAGING
    liquidation = fill.liquidation
    if isinstance(liquidation, msgspec.Struct):
        liquidated = liquidation.liquidated_user
        is_ours = fill.direction.startswith("Liquidated") if liquidated is UNSET else liquidated.lower() == account
        return FillCause.LIQUIDATION if is_ours else FillCause.ORDER
    return FillCause.LIQUIDATION if fill.direction.startswith("Liquidated") else FillCause.ORDER


def in_venue_order(fills: list[Fill], coins: Coins) -> list[Fill]:
    """Return fills oldest first; fills of one coin and time so that each starts where one before it ended.

    Lists of the venue come newest first or oldest first; within one time both orders were seen.
    """
    groups: dict[tuple[int, str], list[Fill]] = {}
    for fill in fills:
        groups.setdefault((fill.time, fill.coin), []).append(fill)
    ordered: list[Fill] = []
    for key in sorted(groups, key=lambda key: key[0]):
        group = groups[key]
        ordered += _chained(group, coins) if len(group) > 1 and key[1] in coins else group
    return ordered


def _chained(group: list[Fill], coins: Coins) -> list[Fill]:
    numbers = coins[group[0].coin]
    try:
        steps = [(numbers.position(fill.start_position), numbers.lots(fill.size), fill) for fill in group]
    except ValueError:
        return group
    begins: dict[int, list[tuple[int, Fill]]] = {}
    ends: dict[int, int] = {}
    for start, lots, fill in steps:
        end = start + (lots if fill.side == "B" else -lots)
        begins.setdefault(start, []).append((end, fill))
        ends[end] = ends.get(end, 0) + 1
    at: int = next((start for start, _, _ in steps if len(begins[start]) > ends.get(start, 0)), steps[0][0])
    chain: list[Fill] = []
    while begins.get(at):
        at, fill = begins[at].pop(0)
        chain.append(fill)
    # What does not hang together (something is missing between) follows in the order in which it came.
    return chain + [fill for fill in group if not any(fill is told for told in chain)]


def funding_paid(paid: FundingPayment, coins: Coins, oracle: Price, now_ns: int) -> FundingPaid:
    """Return one hourly settlement; its hour is the full hour nearest to its time. oracle is the last one we were told.

    Raises: ValueError; KeyError for coins we do not trade.
    """
    numbers, ts_ns = coins[paid.coin], time_ns(paid.time)
    return FundingPaid(
        ts_event_ns=ts_ns,
        ts_recv_ns=now_ns,
        symbol=paid.coin,
        hour_ns=(ts_ns + NS_PER_HOUR // 2) // NS_PER_HOUR * NS_PER_HOUR,
        position=numbers.position(paid.size),
        rate=rate(paid.funding_rate),
        oracle_price=oracle,
        amount=money(paid.usdc),
    )


def transfer_booked(entry: LedgerEntry, account: str, now_ns: int) -> TransferBooked | None:
    """Return what a ledger update did to the cash of the account; None when it did nothing to it.

    Raises: UnknownUpdate for kinds nobody here knows; ValueError for amounts that are none.
    """
    kind = str(entry.delta.get("type", ""))
    amount = _amount(kind, entry.delta, account)
    if not amount:
        return None
    return TransferBooked(
        ts_event_ns=time_ns(entry.time),
        ts_recv_ns=now_ns,
        transfer_id=f"{entry.time}:{entry.hash}:{kind}:{amount}",
        amount=Money(amount),
    )


def _amount(kind: str, delta: dict[str, object], account: str) -> int:
    """Return the signed Money of a ledger update."""
    if kind in ELSEWHERE:
        return 0
    if kind in RECEIVED:
        return _field(delta, RECEIVED[kind])
    if kind in PAID:
        return -_field(delta, PAID[kind]) - _field(delta, "fee", 0)
    if kind == "vaultWithdraw":
        return _field(delta, "netWithdrawnUsd")
    if kind == "accountClassTransfer":
        return _field(delta, "usdc") * (1 if delta.get("toPerp") else -1)
    if kind in MOVED:
        return _moved(delta, MOVED[kind], account)
    if kind == "send":
        return _sent(delta, account)
    raise UnknownUpdate(kind)


def _moved(delta: dict[str, object], key: str, account: str) -> int:
    amount, fee = _field(delta, key), _field(delta, "fee", 0)
    received = amount if _address(delta, "destination") == account else 0
    paid = amount + fee if _address(delta, "user") == account else 0
    return received - paid


def _sent(delta: dict[str, object], account: str) -> int:
    """Return what `send` moved of USDC from or to the perpetual account, whose place is the empty name."""
    # Tokens are named with and without their id; no other token of that name reaches the perpetual account.
    if str(delta.get("token", "")).partition(":")[0] != USDC:
        return 0
    amount = _field(delta, "amount")
    received = _address(delta, "destination") == account and delta.get("destinationDex") == ""
    paid = _address(delta, "user") == account and delta.get("sourceDex") == ""
    return amount * received - (amount + _field(delta, "fee", 0)) * paid


def _field(delta: dict[str, object], key: str, default: int | None = None) -> int:
    value = delta.get(key)
    if isinstance(value, str):
        return money(value)
    if default is None:
        raise ValueError(f"{key} of a ledger update is {value!r}"[:200])
    return default


def _address(delta: dict[str, object], key: str) -> str:
    return str(delta.get(key, "")).lower()


def account_read(state: ClearinghouseState, coins: Coins) -> AccountRead:
    """Return cash and positions. Raises: ValueError when a number or the time is missing or none."""
    if state.time is UNSET:
        raise ValueError("clearinghouseState without a time")
    positions: dict[str, tuple[int, int]] = {}
    strange: dict[str, tuple[int, int]] = {}
    marks: dict[str, int] = {}
    for one in state.asset_positions:
        held = one.position
        numbers = coins.get(held.coin)
        decimals = len(held.size.partition(".")[2]) if numbers is None else numbers.size_decimals
        lots = rounded(held.size, decimals)
        if not lots:
            continue
        entry = rounded(held.entry_price or "0", ENTRY_DECIMALS)
        cost = _divided(lots * entry, 10 ** (decimals + ENTRY_DECIMALS - MONEY_DECIMALS))
        (strange if numbers is None else positions)[held.coin] = (lots, cost)
        if numbers is not None:
            mark, rest = divmod(abs(money(held.position_value)), abs(lots) * numbers.instrument.money_per_unit)
            if not rest:
                marks[held.coin] = mark
    time_ns(state.time)
    return AccountRead(
        time_ms=state.time,
        cash=money(state.margin_summary.total_raw_usd),
        account_value=money(state.margin_summary.account_value),
        positions=positions,
        strange=strange,
        marks=marks,
    )


def _divided(value: int, unit: int) -> int:
    """Return value / unit, rounded half away from zero."""
    size = (abs(value) + unit // 2) // unit
    return size if value >= 0 else -size


def lots_of(positions: dict[str, tuple[int, int]]) -> dict[str, Lots]:
    """Return the signed lots by symbol, without the costs."""
    return {symbol: Lots(lots) for symbol, (lots, _) in positions.items()}
