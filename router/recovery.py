"""Orders in doubt: which of them to ask the venue about now, and when to ask again.

Why it exists: a request without an answer may have been executed. Guessing either way is how bots end up with orders
they do not know of, so an order in doubt stays in doubt, and counts as exposure, until the venue has proven its fate.

Laws: nothing here concludes. Neither the number of questions nor the time that passed ever ends an order; they only
space the questions. Each look asks about the longest waiting first.
"""

from collections.abc import Iterable

import msgspec

from domain.errors import ConfigInvalid
from domain.identifiers import ClientOrderId
from domain.lifecycle import State
from domain.units import NS_PER_MS, NS_PER_SECOND
from router.working_orders import Order

_UNKNOWN = State.UNKNOWN
_WAITING = (State.SUBMITTED, State.PENDING_CANCEL, State.PENDING_REPLACE)


class RecoverySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How patient we are.

    answer_timeout_ns: an order that waits longer for an answer is in doubt. query_delay_first_ns: pause after the
    first question, doubled after each further one up to query_delay_max_ns. queries_max: questions per look.
    """

    answer_timeout_ns: int = 5 * NS_PER_SECOND
    query_delay_first_ns: int = NS_PER_SECOND
    query_delay_max_ns: int = 30 * NS_PER_SECOND
    queries_max: int = 20

    def validated(self) -> "RecoverySettings":
        """Return the settings, or raise ConfigInvalid for the first that cannot be used."""
        for name in ("answer_timeout_ns", "query_delay_first_ns"):
            if getattr(self, name) < NS_PER_MS:
                raise ConfigInvalid(name, getattr(self, name), "at least one millisecond")
        if self.query_delay_max_ns < self.query_delay_first_ns:
            raise ConfigInvalid(
                "query_delay_max_ns",
                self.query_delay_max_ns,
                f"at least query_delay_first_ns, {self.query_delay_first_ns}",
            )
        if self.queries_max < 1:
            raise ConfigInvalid("queries_max", self.queries_max, "1 or more")
        return self


class Inquiry(msgspec.Struct, frozen=True, gc=False):
    """One question to ask now.

    is_overdue: the order was still waiting for an answer and is in doubt from now on (lifecycle trigger LOSE).
    attempt counts the questions of this doubt, from 1; ts_next_ns is when the next one would be due.
    """

    client_order_id: ClientOrderId
    symbol: str
    is_overdue: bool
    attempt: int
    ts_next_ns: int


def query_delay_ns(attempt: int, delay_first_ns: int, delay_max_ns: int) -> int:
    """Return the pause after the attempt-th question: the first delay, doubled each time, up to the largest."""
    delay_ns = delay_first_ns
    for _ in range(1, attempt):
        if delay_ns >= delay_max_ns:
            break
        delay_ns *= 2
    return min(delay_ns, delay_max_ns)


def due_ns(order: Order, settings: RecoverySettings) -> int | None:
    """Return when an order is to be asked about next; None when its state leaves no doubt.

    A doubt begins when the state became unknown; questions asked before belong to an earlier doubt.
    """
    if order.state is _UNKNOWN:
        if order.queries == 0 or order.ts_query_ns < order.ts_state_ns:
            return order.ts_state_ns
        return order.ts_query_ns + query_delay_ns(
            order.queries, settings.query_delay_first_ns, settings.query_delay_max_ns
        )
    if order.state in _WAITING:
        return max(order.ts_asked_ns, order.ts_state_ns) + settings.answer_timeout_ns
    return None


def inquiries(orders: Iterable[Order], now_ns: int, settings: RecoverySettings) -> tuple[Inquiry, ...]:
    """Return the questions to ask now, longest due first, at most settings.queries_max.

    The caller moves an overdue order to unknown, sends QueryOrder, and keeps attempt and now_ns on the order
    (`queries`, `ts_query_ns`).
    """
    due = []
    for order in orders:
        ts_due_ns = due_ns(order, settings)
        if ts_due_ns is not None and ts_due_ns <= now_ns:
            due.append((ts_due_ns, order.client_order_id, order))
    if not due:
        return ()
    due.sort(key=_waiting_longest)
    return tuple(_inquiry(order, now_ns, settings) for _, _, order in due[: settings.queries_max])


def _waiting_longest(entry: tuple[int, ClientOrderId, Order]) -> tuple[int, ClientOrderId]:
    return entry[0], entry[1]


def _inquiry(order: Order, now_ns: int, settings: RecoverySettings) -> Inquiry:
    is_overdue = order.state is not _UNKNOWN
    is_first = is_overdue or order.ts_query_ns < order.ts_state_ns
    attempt = 1 if is_first else order.queries + 1
    pause_ns = query_delay_ns(attempt, settings.query_delay_first_ns, settings.query_delay_max_ns)
    return Inquiry(order.client_order_id, order.symbol, is_overdue, attempt, now_ns + pause_ns)
