"""Scheduled cancels: the dead man's switch of an account, with the venue's gate before it.

Rule 49 of docs/FILLS.md. Source: HYPERLIQUID 3.5, 3.6 (scheduleCancel).
"""

from collections.abc import Iterable

from domain.units import MONEY_UNIT, NS_PER_DAY, NS_PER_SECOND, format_scaled
from exchange.simulated import refusals
from exchange.simulated.accounts import Account
from exchange.simulated.desk import Desk
from exchange.simulated.records import Status
from exchange.simulated.refusals import Refusal, refusal

AHEAD_NS_MIN = 5 * NS_PER_SECOND
CENT = MONEY_UNIT // 100


def schedule(desk: Desk, account: Account, time_ns: int | None) -> Refusal | None:
    """Set the time at which all orders of an account are canceled, or clear it with None."""
    if time_ns is None:
        account.scheduled_cancel_ns = 0
        return None
    rules = desk.rules
    if account.volume_total < rules.schedule_cancel_volume_min:
        return refusal(
            refusals.SCHEDULE_VOLUME.format(
                required=format_scaled(rules.schedule_cancel_volume_min // CENT, 2),
                traded=format_scaled(account.volume_total // CENT, 2),
            )
        )
    if time_ns < desk.ts_ns + AHEAD_NS_MIN:
        return refusal(refusals.SCHEDULE_EARLY)
    if triggers_of_day(account, desk.ts_ns) >= rules.schedule_cancels_per_day_max:
        return refusal(refusals.SCHEDULE_DAY.format(most=rules.schedule_cancels_per_day_max))
    account.scheduled_cancel_ns = time_ns
    return None


def triggers_of_day(account: Account, ts_ns: int) -> int:
    """Return how often a scheduled cancel of this account happened on this UTC day."""
    return account.schedule_triggers if account.schedule_day == ts_ns // NS_PER_DAY else 0


def next_schedule_ns(accounts: Iterable[Account]) -> int:
    """Return the earliest scheduled cancel; 0 for none."""
    return min((one.scheduled_cancel_ns for one in accounts if one.scheduled_cancel_ns), default=0)


def cancel_scheduled(desk: Desk, account: Account, ts_ns: int) -> None:
    """Cancel everything an account has, because its time has come."""
    account.scheduled_cancel_ns = 0
    account.schedule_triggers = triggers_of_day(account, ts_ns) + 1
    account.schedule_day = ts_ns // NS_PER_DAY
    cancel_all(desk, account, Status.SCHEDULED)


def cancel_all(desk: Desk, account: Account, status: str, symbol: str = "") -> None:
    """Cancel every live order of an account, or of one market of it, on the venue's own account."""
    for order in list(account.orders.values()):
        if order.is_open and (not symbol or order.symbol == symbol):
            desk.end_by_venue(desk.markets[order.symbol], order, status)
