"""Circuit breakers: the account against its limits, at every pulse, whether or not an order is wanted.

Why it exists: the gate looks when somebody wants to trade; losses do not wait for that. A breach that stops engages
the kill switch, one that does not is a warning.

Laws: stops come before warnings; a limit that stops does not also warn; a loss that has reached its stop breaches it.
"""

import msgspec

from domain.reasons import Reason
from domain.units import RATE_DECIMALS, Money, Rate, format_money, format_scaled
from domain.views import AccountView
from risk.limits import RiskLimits

_IN_MONEY = frozenset({Reason.HALTED_BY_DAILY_LOSS, Reason.VALUE_AT_RISK})


class Breach(msgspec.Struct, frozen=True, gc=False):
    """One limit reached; limit and observed in the limit's unit. is_stop asks for the kill switch."""

    reason: Reason
    limit: int
    observed: int
    is_stop: bool

    @property
    def detail(self) -> str:
        """Return what was seen and what the limit is, as a person reads it."""
        if self.reason in _IN_MONEY:
            return f"{format_money(Money(self.observed))} USDC, limit {format_money(Money(self.limit))} USDC"
        return f"{_percent(self.observed)} %, limit {_percent(self.limit)} %"


def _percent(rate: int) -> str:
    return format_scaled(rate, RATE_DECIMALS - 2)


def evaluate(
    limits: RiskLimits,
    account: AccountView,
    *,
    margin_ratio: Rate,
    value_at_risk: Money,
) -> list[Breach]:
    """Return every limit the account has reached, those that stop first.

    Units: margin_ratio is maintenance margin over equity (Exposures.margin_ratio); value_at_risk > 0 is a loss.
    """
    breaches = []
    if account.drawdown >= limits.drawdown_stop:
        breaches.append(Breach(Reason.HALTED_BY_DRAWDOWN, limits.drawdown_stop, account.drawdown, is_stop=True))
    if account.loss_today >= limits.daily_loss_max:
        breaches.append(Breach(Reason.HALTED_BY_DAILY_LOSS, limits.daily_loss_max, account.loss_today, is_stop=True))
    if margin_ratio >= limits.margin_ratio_stop:
        breaches.append(Breach(Reason.HALTED_BY_MARGIN, limits.margin_ratio_stop, margin_ratio, is_stop=True))
    if limits.drawdown_warn <= account.drawdown < limits.drawdown_stop:
        breaches.append(Breach(Reason.DRAWDOWN, limits.drawdown_warn, account.drawdown, is_stop=False))
    if value_at_risk > limits.value_at_risk_max > 0:
        breaches.append(Breach(Reason.VALUE_AT_RISK, limits.value_at_risk_max, value_at_risk, is_stop=False))
    return breaches
