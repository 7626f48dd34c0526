"""Builders of statements, and what a test asks about discrepancies."""

from domain.commands import CancelOrder, PlaceOrder, QueryAccount
from domain.events import (
    AccountReported,
    OperatorAcknowledged,
    TimerFired,
)
from domain.notices import (
    DiscrepancyClosed,
    DiscrepancyFound,
    FactNoted,
    TransactionPosted,
)
from domain.reasons import Reason
from domain.transaction import FactKind, Transaction
from engine.timers import PULSE
from tests.builders import (
    accepted,
    at,
    canceled,
    lots,
    quotes,
    top,
    trading_engine,
    usd,
)
from tests.playbook import Playbook

BID = quotes(("99999", "0.002"), None)
BOTH = quotes(("99999", "0.002"), ("100002", "0.002"))


def pulse(seconds: float) -> TimerFired:
    """Return the pulse at a time."""
    return TimerFired(PULSE, ts_event_ns=at(seconds), ts_recv_ns=at(seconds))


def told(
    seconds: float, cash: str, *positions: tuple[str, str, str], event_seconds: float | None = None
) -> AccountReported:
    """Return a statement; positions are (symbol, size, entry cost)."""
    told_ns = at(seconds if event_seconds is None else event_seconds)
    held = tuple((symbol, lots(size), usd(cost)) for symbol, size, cost in positions)
    return AccountReported(usd(cash), held, ts_event_ns=told_ns, ts_recv_ns=at(seconds))


def acknowledged(seconds: float) -> OperatorAcknowledged:
    """Return a person's word."""
    return OperatorAcknowledged("seen with the venue", ts_event_ns=at(seconds), ts_recv_ns=at(seconds))


def resting() -> Playbook:
    """Return an engine with one open bid and 10,000 USDC."""
    return Playbook(trading_engine(BID)) >> top("100000", "100001", at(1)) << [PlaceOrder] >> accepted(1, at(1.1)) << []


def short_of_cash() -> Playbook:
    """Return an engine that was told twice of 100 USDC less than it knows, and has canceled its bid."""
    play = resting() >> told(2, "9900") << [CancelOrder] >> canceled(1, at(2.1)) << []
    return play >> pulse(3) << [QueryAccount] >> told(3.1, "9900") << []


def closed(play: Playbook) -> list[Reason]:
    """Return why discrepancies were closed."""
    return [one.reason for one in play.seen(DiscrepancyClosed) if isinstance(one, DiscrepancyClosed)]


def found(play: Playbook) -> list[DiscrepancyFound]:
    """Return the discrepancies told of."""
    return [one for one in play.seen(DiscrepancyFound) if isinstance(one, DiscrepancyFound)]


def noted(play: Playbook) -> list[Reason]:
    """Return the reasons of noted facts."""
    return [one.reason for one in play.seen(FactNoted) if isinstance(one, FactNoted)]


def corrections(play: Playbook) -> list[Transaction]:
    """Return the corrections posted."""
    posted = [one.transaction for one in play.seen(TransactionPosted) if isinstance(one, TransactionPosted)]
    return [one for one in posted if one.kind is FactKind.CORRECTION]


def may_trade(play: Playbook, seconds: float) -> bool:
    """Say whether the next book leads to an order."""
    commands = play.engine.step(top("100000", "100001", at(seconds))).commands
    return any(isinstance(command, PlaceOrder) for command in commands)
