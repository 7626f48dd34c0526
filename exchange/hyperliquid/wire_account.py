"""An account on the wire: positions, margin, orders, fills, funding, what moved money.

The laws are those of `wire.py`. Source: HYPERLIQUID 2.4, 5.4, 5.5, 9.4.
"""

from msgspec import UNSET, field

from exchange.hyperliquid.wire import Maybe, Wire, keys


class Leverage(Wire, frozen=True, kw_only=True, gc=False):
    """type is `cross` or `isolated`; raw_usd only for isolated."""

    type: str
    value: int
    raw_usd: str | Maybe = UNSET


class FundingSums(Wire, frozen=True, kw_only=True, gc=False):
    """Funding paid (> 0) so far."""

    all_time: str
    since_open: str
    since_change: str


class Position(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(size="szi", entry_price="entryPx", liquidation_price="liquidationPx"),
):
    """One open position; size is signed base units."""

    coin: str
    size: str
    leverage: Leverage
    entry_price: str | None
    position_value: str
    unrealized_pnl: str
    return_on_equity: str
    liquidation_price: str | None
    margin_used: str
    max_leverage: int | Maybe = UNSET
    cumulative_funding: FundingSums | Maybe = field(default=UNSET, name="cumFunding")
    max_trade_sizes: tuple[str, ...] | Maybe = field(default=UNSET, name="maxTradeSzs")


class AssetPosition(Wire, frozen=True, kw_only=True, gc=False):
    """type is `oneWay`."""

    type: str
    position: Position


class MarginSummary(Wire, frozen=True, kw_only=True, gc=False, rename=keys(total_notional="totalNtlPos")):
    """Sums over positions; total_raw_usd is cash with the negative cost of longs in it."""

    account_value: str
    total_notional: str
    total_raw_usd: str
    total_margin_used: str


class ClearinghouseState(Wire, frozen=True, kw_only=True, gc=False):
    """`clearinghouseState`."""

    margin_summary: MarginSummary
    cross_margin_summary: MarginSummary
    cross_maintenance_margin_used: str | Maybe = UNSET
    withdrawable: str
    asset_positions: tuple[AssetPosition, ...]
    time: int | Maybe = UNSET


class Balance(Wire, frozen=True, kw_only=True, gc=False, rename=keys(entry_notional="entryNtl")):
    """One token held."""

    coin: str
    token: int | Maybe = UNSET
    total: str
    hold: str
    entry_notional: str | Maybe = UNSET


class SpotState(Wire, frozen=True, kw_only=True, gc=False):
    """`spotClearinghouseState`."""

    balances: tuple[Balance, ...]


class OpenOrder(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(limit_price="limitPx", size="sz", order_id="oid", original_size="origSz", client_order_id="cloid"),
):
    """One row of `openOrders`, and the order inside an order update; size is what remains."""

    coin: str
    side: str
    limit_price: str
    size: str
    order_id: int
    timestamp: int
    original_size: str | Maybe = UNSET
    client_order_id: str | Maybe | None = UNSET
    reduce_only: bool | Maybe = UNSET


class FrontendOrder(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(
        limit_price="limitPx",
        size="sz",
        order_id="oid",
        trigger_price="triggerPx",
        is_position_tpsl="isPositionTpsl",
        original_size="origSz",
        time_in_force="tif",
        client_order_id="cloid",
    ),
):
    """One order with everything the venue shows of it."""

    coin: str
    side: str
    limit_price: str
    size: str
    order_id: int
    timestamp: int
    trigger_condition: str
    is_trigger: bool
    trigger_price: str
    children: tuple["FrontendOrder", ...]
    is_position_tpsl: bool
    reduce_only: bool
    order_type: str
    original_size: str
    time_in_force: str | None
    client_order_id: str | Maybe | None = UNSET


class OrderRecord(Wire, frozen=True, kw_only=True, gc=False):
    """An order and what became of it."""

    order: FrontendOrder
    status: str
    status_timestamp: int


class OrderAnswer(Wire, frozen=True, kw_only=True, gc=False):
    """`orderStatus`: status is `order` or `unknownOid`."""

    status: str
    order: OrderRecord | Maybe = UNSET


def order_status(account: str, target: int | str) -> dict[str, object]:
    """Return the question for an order, by its number or our name for it."""
    return {"type": "orderStatus", "user": account, "oid": target}


class OrderUpdate(Wire, frozen=True, kw_only=True, gc=False):
    """One element of `orderUpdates`."""

    order: OpenOrder
    status: str
    status_timestamp: int


class FillLiquidation(Wire, frozen=True, kw_only=True, gc=False, rename=keys(mark_price="markPx")):
    """Whose liquidation a fill was part of; method is `market` or `backstop`."""

    liquidated_user: str | Maybe = UNSET
    mark_price: str
    method: str


class Fill(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(
        price="px",
        size="sz",
        direction="dir",
        order_id="oid",
        is_taker="crossed",
        trade_id="tid",
        client_order_id="cloid",
    ),
):
    """One execution. fee includes the builder's, negative is a rebate; closed_pnl is gross of fees."""

    coin: str
    price: str
    size: str
    side: str
    time: int
    start_position: str
    direction: str
    closed_pnl: str
    hash: str
    order_id: int
    is_taker: bool
    fee: str
    trade_id: int | Maybe = UNSET
    client_order_id: str | Maybe | None = UNSET
    liquidation: FillLiquidation | Maybe | None = UNSET
    builder_fee: str | Maybe | None = UNSET
    fee_token: str | Maybe = UNSET
    twap_id: int | Maybe | None = UNSET


class FillsPushed(Wire, frozen=True, kw_only=True, gc=False):
    """`userFills`."""

    is_snapshot: bool | Maybe = UNSET
    user: str
    fills: tuple[Fill, ...]


class FundingPayment(Wire, frozen=True, kw_only=True, gc=False, rename=keys(size="szi", samples="nSamples")):
    """One hourly settlement as pushed; usdc is negative when paid."""

    time: int
    coin: str
    usdc: str
    size: str
    funding_rate: str
    samples: int | Maybe | None = UNSET


class FundingsPushed(Wire, frozen=True, kw_only=True, gc=False):
    """`userFundings`."""

    is_snapshot: bool | Maybe = UNSET
    user: str
    fundings: tuple[FundingPayment, ...]


class FundingDelta(Wire, frozen=True, kw_only=True, gc=False, rename=keys(size="szi", samples="nSamples")):
    """The inside of a row of `userFunding`."""

    type: str
    coin: str
    usdc: str
    size: str
    funding_rate: str
    samples: int | Maybe | None = UNSET


class FundingEntry(Wire, frozen=True, kw_only=True, gc=False):
    """One row of `userFunding`."""

    time: int
    hash: str
    delta: FundingDelta


class LedgerEntry(Wire, frozen=True, kw_only=True, gc=False):
    """What moved money other than fills and funding; delta has a `type` and keys of its own (HYPERLIQUID 5.4)."""

    time: int
    hash: str
    delta: dict[str, object]


class LedgerPushed(Wire, frozen=True, kw_only=True, gc=False):
    """`userNonFundingLedgerUpdates`."""

    is_snapshot: bool | Maybe = UNSET
    user: str
    entries: tuple[LedgerEntry, ...] = field(name="nonFundingLedgerUpdates")


class NonUserCancel(Wire, frozen=True, kw_only=True, gc=False, rename=keys(order_id="oid")):
    """An order that the venue canceled."""

    coin: str
    order_id: int


class UserEvent(Wire, frozen=True, kw_only=True, gc=False):
    """Channel `user`: exactly one key."""

    fills: tuple[Fill, ...] | Maybe = UNSET
    funding: FundingPayment | Maybe = UNSET
    liquidation: dict[str, object] | Maybe = UNSET
    non_user_cancel: tuple[NonUserCancel, ...] | Maybe = UNSET


class RateLimit(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(
        volume="cumVlm", requests_used="nRequestsUsed", requests_cap="nRequestsCap", surplus="nRequestsSurplus"
    ),
):
    """`userRateLimit`: the address budget."""

    volume: str
    requests_used: int
    requests_cap: int
    surplus: int | Maybe = UNSET


class AgentEntry(Wire, frozen=True, kw_only=True, gc=False):
    """One named agent of `extraAgents`."""

    name: str
    address: str
    valid_until: int | None


class Role(Wire, frozen=True, kw_only=True, gc=False):
    """`userRole`: missing, user, vault, agent (data holds `user`) or subAccount (data holds `master`)."""

    role: str
    data: dict[str, str] | Maybe = UNSET


class ActiveAsset(
    Wire, frozen=True, kw_only=True, gc=False, rename=keys(mark_price="markPx", max_trade_sizes="maxTradeSzs")
):
    """What an account may trade of one coin now: pairs are for buying and selling."""

    user: str
    coin: str
    leverage: Leverage
    max_trade_sizes: tuple[str, str]
    available_to_trade: tuple[str, str]
    mark_price: str | Maybe = UNSET


class VaultEquity(Wire, frozen=True, kw_only=True, gc=False):
    """One row of `userVaultEquities`."""

    vault_address: str
    equity: str
    locked_until_timestamp: int | Maybe = UNSET


class TwapSliceFill(Wire, frozen=True, kw_only=True, gc=False):
    """One row of `userTwapSliceFills`."""

    fill: Fill
    twap_id: int
