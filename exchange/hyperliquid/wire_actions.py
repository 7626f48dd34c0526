"""Actions on the wire, and the answers to them.

Why it exists: what is signed is the MessagePack of the action in one exact key order. Encoding these structures gives
those bytes, so client and venue hash the same thing without a list of orders to keep in step.

Laws: those of `wire.py`; field order is hash order (HYPERLIQUID 3.2, 3.3), the tag `type` stands first; keys that the
venue forbids when false (`f`, `a`) are UNSET, never false.
"""

import msgspec
from msgspec import UNSET, field

from exchange.hyperliquid.wire import Maybe, Wire, camel, keys


class LimitTerms(Wire, frozen=True, kw_only=True, gc=False, rename=keys(time_in_force="tif")):
    """`Alo`, `Ioc`, `Gtc`, or the web page's `FrontendMarket`."""

    time_in_force: str


class TriggerTerms(Wire, frozen=True, kw_only=True, gc=False, rename=keys(trigger_price="triggerPx", kind="tpsl")):
    """Waits for the mark price; kind is `tp` or `sl`."""

    is_market: bool
    trigger_price: str
    kind: str


class OrderKind(Wire, frozen=True, kw_only=True, gc=False):
    """Exactly one of the two."""

    limit: LimitTerms | Maybe = UNSET
    trigger: TriggerTerms | Maybe = UNSET


class OrderTerms(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(asset="a", is_buy="b", price="p", size="s", reduce_only="r", kind="t", client_order_id="c"),
):
    """One order."""

    asset: int
    is_buy: bool
    price: str
    size: str
    reduce_only: bool
    kind: OrderKind
    client_order_id: str | Maybe = UNSET


class Builder(Wire, frozen=True, kw_only=True, gc=False, rename=keys(address="b", fee_tenths_bp="f")):
    """Who earns a fee on top, in tenths of a basis point."""

    address: str
    fee_tenths_bp: int


class Priority(Wire, frozen=True, kw_only=True, gc=False, rename=keys(bid="p")):
    """A grouping that bids for priority (HYPERLIQUID 6.6)."""

    bid: int


class Cancel(Wire, frozen=True, kw_only=True, gc=False, rename=keys(asset="a", order_id="o")):
    """One order to cancel, by its venue number."""

    asset: int
    order_id: int


class CancelByName(Wire, frozen=True, kw_only=True, gc=False, rename=keys(client_order_id="cloid")):
    """One order to cancel, by our name for it."""

    asset: int
    client_order_id: str


class Modification(Wire, frozen=True, kw_only=True, gc=False, rename=keys(target="oid", always_place="a")):
    """One order to replace; target is its number or our name."""

    target: int | str
    order: OrderTerms
    always_place: bool | Maybe = UNSET


class Action(Wire, frozen=True, kw_only=True, gc=False, tag_field="type", tag=camel):
    """Base of the actions signed as L1 actions."""


class PlaceAction(Action, frozen=True, kw_only=True, gc=False, tag="order"):
    """Place orders; grouping is `na`, `normalTpsl`, `positionTpsl` or a priority."""

    orders: tuple[OrderTerms, ...]
    grouping: str | Priority
    builder: Builder | Maybe = UNSET


class CancelAction(Action, frozen=True, kw_only=True, gc=False, tag="cancel", rename=keys(fast="f")):
    """Cancel by venue number."""

    cancels: tuple[Cancel, ...]
    fast: bool | Maybe = UNSET


class CancelByNameAction(Action, frozen=True, kw_only=True, gc=False, tag="cancelByCloid", rename=keys(fast="f")):
    """Cancel by our names."""

    cancels: tuple[CancelByName, ...]
    fast: bool | Maybe = UNSET


class ModifyAction(
    Action, frozen=True, kw_only=True, gc=False, tag="modify", rename=keys(target="oid", always_place="a")
):
    """Replace one order; the answer has no statuses."""

    target: int | str
    order: OrderTerms
    always_place: bool | Maybe = UNSET


class BatchModifyAction(Action, frozen=True, kw_only=True, gc=False, tag="batchModify"):
    """Replace orders."""

    modifies: tuple[Modification, ...]
    always_place: bool | Maybe = field(default=UNSET, name="a")


class ScheduleCancelAction(Action, frozen=True, kw_only=True, gc=False, tag="scheduleCancel"):
    """Cancel everything at a time (ms); without one the switch is disarmed."""

    time: int | Maybe = UNSET


class UpdateLeverageAction(Action, frozen=True, kw_only=True, gc=False, tag="updateLeverage"):
    """Set leverage of a coin."""

    asset: int
    is_cross: bool
    leverage: int


class UpdateIsolatedMarginAction(
    Action, frozen=True, kw_only=True, gc=False, tag="updateIsolatedMargin", rename=keys(micro_usdc="ntli")
):
    """Move margin in (> 0) or out of an isolated position; micro_usdc is USDC * 1e6."""

    asset: int
    is_buy: bool
    micro_usdc: int


class TopUpIsolatedOnlyMarginAction(Action, frozen=True, kw_only=True, gc=False, tag="topUpIsolatedOnlyMargin"):
    """Move margin so that an isolated position has this leverage."""

    asset: int
    leverage: str


class NoopAction(Action, frozen=True, kw_only=True, gc=False, tag="noop"):
    """Does nothing but use up its nonce: no action with that nonce can run any more."""


class SetReferrerAction(Action, frozen=True, kw_only=True, gc=False, tag="setReferrer"):
    """Name who referred us."""

    code: str


class RegisterReferrerAction(Action, frozen=True, kw_only=True, gc=False, tag="registerReferrer"):
    """Open a referral code."""

    code: str


class CreateSubAccountAction(Action, frozen=True, kw_only=True, gc=False, tag="createSubAccount"):
    """Open a sub-account; the answer holds its address."""

    name: str


class SubAccountTransferAction(Action, frozen=True, kw_only=True, gc=False, tag="subAccountTransfer"):
    """Move micro-USDC between master and sub-account."""

    sub_account_user: str
    is_deposit: bool
    usd: int


class SubAccountSpotTransferAction(Action, frozen=True, kw_only=True, gc=False, tag="subAccountSpotTransfer"):
    """Move a token between master and sub-account."""

    sub_account_user: str
    is_deposit: bool
    token: str
    amount: str


class VaultTransferAction(Action, frozen=True, kw_only=True, gc=False, tag="vaultTransfer"):
    """Move micro-USDC between an account and a vault."""

    vault_address: str
    is_deposit: bool
    usd: int


class ReserveRequestWeightAction(Action, frozen=True, kw_only=True, gc=False, tag="reserveRequestWeight"):
    """Buy requests at 0.0005 USDC each."""

    weight: int
    destination: str | Maybe = UNSET


TypedAction = (
    PlaceAction
    | CancelAction
    | CancelByNameAction
    | ModifyAction
    | BatchModifyAction
    | ScheduleCancelAction
    | UpdateLeverageAction
    | UpdateIsolatedMarginAction
    | TopUpIsolatedOnlyMarginAction
    | NoopAction
    | SetReferrerAction
    | RegisterReferrerAction
    | CreateSubAccountAction
    | SubAccountTransferAction
    | SubAccountSpotTransferAction
    | VaultTransferAction
    | ReserveRequestWeightAction
)
"""Actions whose canonical order we know; others are hashed in the order in which they came."""


class Resting(Wire, frozen=True, kw_only=True, gc=False, rename=keys(order_id="oid", client_order_id="cloid")):
    """The order rests."""

    order_id: int
    client_order_id: str | Maybe = UNSET


class Filled(
    Wire,
    frozen=True,
    kw_only=True,
    gc=False,
    rename=keys(size="totalSz", average_price="avgPx", order_id="oid", client_order_id="cloid"),
):
    """The order matched at once, wholly or in part."""

    size: str
    average_price: str
    order_id: int
    client_order_id: str | Maybe = UNSET


class Status(Wire, frozen=True, kw_only=True, gc=False):
    """What became of one order of a batch; exactly one key. Waiting children and canceled orders are bare text."""

    resting: Resting | Maybe = UNSET
    filled: Filled | Maybe = UNSET
    error: str | Maybe = UNSET


class Statuses(Wire, frozen=True, kw_only=True, gc=False):
    """One per order, in their order; one alone for a batch refused before validation."""

    statuses: tuple[Status | str, ...]


class StatusesReply(Wire, frozen=True, kw_only=True, gc=False):
    """The response to `order`, `batchModify` (type `order`), `cancel` and `cancelByCloid` (type `cancel`)."""

    type: str
    data: Statuses


class PlainReply(Wire, frozen=True, kw_only=True, gc=False):
    """The response to everything else: type `default`, or the action's own with data."""

    type: str
    data: msgspec.Raw | Maybe = UNSET
