"""The gate: the only maker of `Approved`. No order leaves the house without its signature.

Why it exists: the router accepts nothing but `Approved`, so the type itself is the audit. A refusal is a value that
names its limit and what was seen instead; it is never an exception.

Rule 1: approved lots are never more than asked, and an order that cannot only reduce the position never leads to a
position, exposure or leverage above its limit, every open order filled. Rule 2: lots that only reduce the position
are never held back by position, exposure, leverage, drawdown, losses, value at risk or mode; with the kill switch
engaged only reduce-only orders pass. Rule 3: an order that is cut to fit stays above the venue's smallest order, or
closes the whole position. Rule 4: every approval counts against the order rate, whatever becomes of the order.

This is the hot path: limits per instrument are laid out at construction, refusals are explained in denials.py.
"""

from collections import deque
from collections.abc import Iterable, Mapping

from domain.errors import InvariantBroken
from domain.instrument import Instrument
from domain.order import Approved, Denial, OrderIntent
from domain.reasons import Reason
from domain.units import Lots, Money
from domain.views import AccountView, ExposureView, MarketView
from risk.checks import check_account, check_terms
from risk.denials import deny_account, deny_size, deny_terms
from risk.exposure import reach, worst_case_lots
from risk.limits import InstrumentLimits, RiskLimits
from risk.margin import exposure_at_leverage
from risk.sizing import closing_lots, is_too_small, sized_lots


class RiskGate:
    """Approves orders against one set of limits; its only memory is when it approved the last ones."""

    def __init__(self, limits: RiskLimits, instruments: Mapping[str, Instrument]) -> None:
        """Lay out the limits per instrument."""
        self._limits = limits
        self._desks = {
            symbol: (instrument.money_per_unit, instrument.notional_min, limits.of(symbol))
            for symbol, instrument in instruments.items()
        }
        self._orders_max = limits.orders_per_interval_max
        self._interval_ns = limits.order_interval_ns
        self._approved_ns: deque[int] = deque(maxlen=limits.orders_per_interval_max)

    def approve(
        self,
        intent: OrderIntent,
        market: MarketView,
        exposure: ExposureView,
        account: AccountView,
        *,
        reducing_only: bool,
        is_killed: bool,
        now_ns: int,
        replacing_lots: int = 0,
        value_at_risk: int = 0,
    ) -> Approved | Denial:
        """Approve an order, cut to what the limits leave, or say which limit forbids it.

        intent.lots is what would be open afterwards; for a replace, replacing_lots is what the old order still has
        open, which exposure and account count already. The mid stands in for an unknown mark.

        Raises: InvariantBroken when the views are of another instrument.
        """
        symbol = intent.symbol
        desk = self._desks.get(symbol)
        if desk is None:
            return Denial(Reason.UNKNOWN_INSTRUMENT)
        if market.symbol != symbol or exposure.symbol != symbol:
            raise InvariantBroken(f"an order for {symbol} came with views of {market.symbol} and {exposure.symbol}")
        limits = self._limits
        side, lots, reduce_only = intent.side, intent.lots, intent.reduce_only
        if lots <= 0:
            return Denial(Reason.ZERO_SIZE, 1, lots)
        position, buys, sells = exposure.position, exposure.open_buy_lots, exposure.open_sell_lots
        reached = reach(side, position, max(buys - replacing_lots, 0), max(sells - replacing_lots, 0))
        closing = 0 if is_killed and not reduce_only else closing_lots(side, position, reached, reduce_only)

        forbids = check_account(
            is_killed, reducing_only, account.drawdown, limits.drawdown_stop, account.loss_today,
            limits.daily_loss_max, value_at_risk, limits.value_at_risk_max,
        )  # fmt: skip
        if forbids and not closing:
            return deny_account(forbids, limits, account, value_at_risk, lots)

        mark = market.mark_price or (market.mid_x2 + 1) // 2
        age_ns = now_ns - market.ts_ns
        open_orders = account.open_orders - 1 if replacing_lots else account.open_orders
        approved_ns = self._approved_ns
        since_order_ns = now_ns - approved_ns[0] if len(approved_ns) == self._orders_max else self._interval_ns
        code = check_terms(
            lots, intent.price, mark, limits.price_band, age_ns, limits.market_data_age_ns_max,
            open_orders, limits.open_orders_max, since_order_ns, self._interval_ns,
        )  # fmt: skip
        if code:
            return deny_terms(code, limits, lots, intent.price, mark, age_ns, open_orders)

        decision = self._fit(intent, desk, exposure, account, mark, reached, closing, forbids)
        if type(decision) is Approved:
            approved_ns.append(now_ns)
        return decision

    def _fit(
        self,
        intent: OrderIntent,
        desk: tuple[int, Money, InstrumentLimits],
        exposure: ExposureView,
        account: AccountView,
        mark: int,
        reached: int,
        closing: int,
        forbids: int,
    ) -> Approved | Denial:
        """Cut an order that is otherwise fine to what the limits leave; to what only reduces, where forbids is set."""
        money_per_unit, notional_min, own = desk
        limits, lots = self._limits, intent.lots
        position = exposure.position
        order_unit, mark_unit = intent.price * money_per_unit, mark * money_per_unit
        worst = worst_case_lots(position, exposure.open_buy_lots, exposure.open_sell_lots)
        others = max(account.exposure - worst * mark_unit, 0)
        left, code = sized_lots(
            lots, reached, closing, order_unit, mark_unit, own.order_notional_max, own.position_notional_max,
            limits.total_exposure_max, exposure_at_leverage(account.equity, limits.leverage_max), others,
        )  # fmt: skip
        if forbids:
            left = min(left, closing)
        if left < lots:
            if left == 0:
                return deny_size(code, limits, own, lots, order_unit, (reached + lots) * mark_unit, others, account)
            if is_too_small(left, order_unit, notional_min, intent.reduce_only and left == abs(position)):
                return Denial(Reason.SIZE_TOO_SMALL, notional_min, left * order_unit)
        return Approved(intent, Lots(left))

    def snapshot(self) -> list[int]:
        """Return the times of the last approvals, oldest first."""
        return list(self._approved_ns)

    def restore(self, approved_ns: Iterable[int]) -> None:
        """Replace the memory by a snapshot."""
        self._approved_ns = deque(approved_ns, maxlen=self._orders_max)
