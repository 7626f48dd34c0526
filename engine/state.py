"""The organs of one engine and its outbox; snapshot, restore, digest.

Everything an engine remembers is here, so that a snapshot is complete: two engines with equal digests answer every
further event alike.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from domain.commands import Command
from domain.errors import InvariantBroken
from domain.events import FundingPaid, OrderFilled, TransferBooked
from domain.identifiers import ClientOrderId, client_order_id
from domain.instrument import Instrument
from domain.modes import Mode, ModeTrigger, next_mode
from domain.notices import ModeChanged, Notice
from domain.order import Approved, Denial, Side
from domain.reasons import Reason
from domain.units import Lots, Money, Price, Rate
from domain.views import AccountView, MarketView
from engine.fill_chain import FillChain
from engine.market import Market
from engine.markouts import Markouts
from engine.settings import EngineSettings
from engine.strategy import Strategy
from ledger.book import Book
from risk.drawdown import Drawdown, DrawdownState
from risk.exposure import Exposures
from risk.gate import RiskGate
from risk.kill_switch import KillSwitch, KillSwitchState
from risk.value_at_risk import ValueAtRisk
from router.maker import BACK_OFF_TICKS_MAX
from router.precheck import Precheck
from router.rate_budget import RateBudget
from router.working_orders import Order, WorkingOrders

SNAPSHOT_VERSION = 3
REFUSALS_KEPT_MAX = 32

MoneyFact = OrderFilled | FundingPaid | TransferBooked
"""What moves money or lots."""

Around = Callable[[str, Callable[..., Any]], Callable[..., Any]]
"""Takes the name of a stage of the decision and its function; returns a function that does the same."""


def untimed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a stage of the decision as it is: what an engine uses that nobody times."""
    del stage
    return function


class Refusals(msgspec.Struct):
    """What one side of one market was refused last, so that the same wish is not repeated at every tick.

    wishes are (price, lots, when it may be wished again) of what we denied or the venue refused, at price 0 anything
    on that side. ticks_out is how far our quotes stand back after post-only refusals, until until_ns; refused_ns is when
    the last of them came.
    """

    wishes: list[tuple[int, int, int]] = []
    ticks_out: int = 0
    refused_ns: int = 0
    until_ns: int = 0

    def remember(self, price: int, lots: int, now_ns: int, until_ns: int) -> None:
        """Do not repeat this wish before until_ns; of the wishes still waiting, only the latest are kept."""
        waiting = [wish for wish in self.wishes if now_ns < wish[2]]
        self.wishes = [*waiting[1 - REFUSALS_KEPT_MAX :], (price, lots, until_ns)]

    def forbids(self, price: int, lots: int, now_ns: int) -> bool:
        """Say whether this wish was refused and has to wait."""
        return any(
            now_ns < until_ns and (refused == 0 or (refused == price and size == lots))
            for refused, size, until_ns in self.wishes
        )


class Agreement(msgspec.Struct):
    """What stands between the venue's statements and our book; `engine/agreement.py` decides.

    is_blocking: no new risk until it is settled. is_pending: a statement of venue time told_ns, which came at
    told_recv_ns, differs by cash (Money) and positions (symbol, signed lots), venue less book as it is now, and waits for
    a second. is_booked: a confirmed difference stands as unexplained, the last one of venue time booked_ns. taken_cash
    and taken_lots are what was unexplained when nothing was left to settle, by statements up to venue time settled_ns.

    newest_ns is the venue time of the newest fact or statement taken into the book. Engine times: asked_ns of the last
    question, still unanswered while is_asked; compared_ns of the last comparison; doubted_ns of the first question or
    useless answer since; is_overdue when that was too long ago. resumed_ns is when a halt ended and reconciling began,
    unfresh_ns when a statement came that may be from before; 0 when there is none.
    """

    is_blocking: bool = False
    is_pending: bool = False
    is_booked: bool = False
    is_overdue: bool = False
    is_asked: bool = False
    cash: Money = Money(0)
    positions: tuple[tuple[str, int], ...] = ()
    told_ns: int = 0
    told_recv_ns: int = 0
    taken_cash: Money = Money(0)
    taken_lots: dict[str, int] = {}
    booked_ns: int = -1
    settled_ns: int = -1
    newest_ns: int = 0
    asked_ns: int = 0
    compared_ns: int = 0
    doubted_ns: int = 0
    resumed_ns: int = 0
    unfresh_ns: int = 0


class EngineState:
    """Settings, organs, memory and outbox of one engine."""

    def __init__(self, settings: EngineSettings, strategy: Strategy, around: Around = untimed) -> None:
        """Build the organs, in mode starting. around may wrap a stage of the decision to time it; it changes nothing."""
        self.settings = settings
        self.strategy = strategy
        self.instruments: Mapping[str, Instrument] = {one.symbol: one for one in settings.instruments}
        self.markets = {symbol: Market(one) for symbol, one in self.instruments.items()}
        self.orders = WorkingOrders(tuple(self.instruments))
        self.book = Book(self.instruments)
        self.gate = RiskGate(settings.limits, self.instruments)
        self.precheck = Precheck(self.instruments, settings.leverage)
        self.budget = RateBudget(settings.requests_initial)
        self.exposures = Exposures(self.instruments, settings.leverage)
        self.drawdown = Drawdown()
        self.value_at_risk = ValueAtRisk()
        self.kill_switch = KillSwitch()
        self.approve: Callable[..., Approved | Denial] = around("risk_calculation", self.gate.approve)
        self.check: Callable[..., Denial | None] = around("api_validation", self.precheck.check)
        self.mode = Mode.STARTING
        self.now_ns = 0
        self.order_sequence = 0
        self.marks: dict[str, int] = dict.fromkeys(self.instruments, 0)
        self.pulse_interval_ns = settings.pulse_interval_ns
        self.refusals = {(symbol, side): Refusals() for symbol in self.instruments for side in Side}
        self.slippage = 0
        self.warned: set[Reason] = set()
        self.is_ledger_behind = False
        self.agreement = Agreement()
        self.waiting: list[MoneyFact] = []
        """What was told before the book was opened."""
        self.fill_chain = FillChain()
        self.markouts = Markouts(settings.markout_horizons_ns)
        self.account_due_ns = self.account_next_ns = 0
        self.equity_marked = 0
        self.var_marked = Money(0)
        self.commands: list[Command] = []
        self.notices: list[Notice] = []

    @property
    def is_done(self) -> bool:
        """Whether the bot was told to stop and nothing of ours can be filled any more."""
        return self.mode is Mode.STOPPING and self.orders.open_count == 0

    @property
    def is_blocked(self) -> bool:
        """Whether no new risk may be taken although nobody halted or paused.

        The ledger is behind, money differs, or no statement could be compared for too long.
        """
        return self.is_ledger_behind or self.agreement.is_blocking or self.agreement.is_overdue

    def next_order_id(self) -> ClientOrderId:
        """Return a fresh order id."""
        self.order_sequence += 1
        return client_order_id(self.settings.run_id, self.order_sequence)

    def mark(self, symbol: str, price: int) -> None:
        """Value positions of an instrument at this price from here on."""
        self.marks[symbol] = price

    def equity(self) -> Money:
        """Return cash plus positions at current marks."""
        return self.book.equity(self.marks)

    def account(self) -> AccountView:
        """Return the account at current marks, with the worst case of resting orders."""
        exposures = self.exposures
        for symbol, mark in self.marks.items():
            exposures.update(self.orders.exposure(symbol, self.book.position_lots(symbol)), Price(mark))
        return AccountView(
            self.equity(),
            exposures.total,
            exposures.margin_used,
            self.drawdown.loss_today,
            self.drawdown.drawdown,
            self.orders.open_count,
        )

    def move_mode(self, trigger: ModeTrigger, reason: Reason = Reason.NONE, detail: str = "") -> None:
        """Move the mode and tell; a move to the same mode is silent. While blocked, trading only reduces."""
        before = self.mode
        self.mode = next_mode(before, trigger)
        if self.mode is not before:
            self.notices.append(ModeChanged(before, self.mode, reason, detail, ts_ns=self.now_ns))
        if self.mode is Mode.TRADING and self.is_blocked:
            self.move_mode(ModeTrigger.REDUCE, self.block_reason)

    @property
    def block_reason(self) -> Reason:
        """Return why new risk is blocked, while it is."""
        if self.agreement.is_blocking:
            return Reason.UNEXPLAINED
        return Reason.STATEMENT_OVERDUE if self.agreement.is_overdue else Reason.LEDGER_BEHIND

    def stand_back(self, order: Order) -> None:
        """Take a post-only refusal: one tick out, twice as far after each further one, until denial_pause_ns later.

        An order that left before the last refusal came knew nothing of it and does not count again. When even the
        largest step is refused, our view of the market is too old to quote on: then the wish has to wait.
        """
        refusals = self.refusals[order.symbol, order.side]
        if order.ts_asked_ns < refusals.refused_ns:
            return
        before = refusals.ticks_out if self.now_ns < refusals.until_ns else 0
        if before == BACK_OFF_TICKS_MAX:
            self.pause_wish(order.symbol, order.side, 0, 0)
        refusals.ticks_out = min(max(2 * before, 1), BACK_OFF_TICKS_MAX)
        refusals.refused_ns, refusals.until_ns = self.now_ns, self.now_ns + self.settings.denial_pause_ns

    def pause_wish(self, symbol: str, side: Side, price: int, lots: int) -> None:
        """Remember that a wish was refused: it is not repeated before denial_pause_ns has passed, at price 0 no other."""
        self.refusals[symbol, side].remember(price, lots, self.now_ns, self.now_ns + self.settings.denial_pause_ns)

    def snapshot(self) -> bytes:
        """Return everything remembered as JSON bytes, canonical: equal states give equal bytes."""
        kept = {
            "version": SNAPSHOT_VERSION,
            "mode": int(self.mode),
            "now_ns": self.now_ns,
            "order_sequence": self.order_sequence,
            "slippage": self.slippage,
            "pulse_interval_ns": self.pulse_interval_ns,
            "equity_marked": self.equity_marked,
            "var_marked": self.var_marked,
            "warned": sorted(int(reason) for reason in self.warned),
            "is_ledger_behind": self.is_ledger_behind,
            "account_due_ns": self.account_due_ns,
            "account_next_ns": self.account_next_ns,
            "agreement": self.agreement,
            "waiting": self.waiting,
            "fill_chain": self.fill_chain.snapshot(),
            "markouts": self.markouts.snapshot(),
            "markets": {symbol: market.snapshot() for symbol, market in sorted(self.markets.items())},
            "marks": dict(sorted(self.marks.items())),
            "refusals": {f"{symbol}/{int(side)}": one for (symbol, side), one in sorted(self.refusals.items())},
            "orders": self.orders.snapshot(),
            "book": self.book.snapshot(),
            "gate": self.gate.snapshot(),
            "budget": self.budget.snapshot(),
            "drawdown": self.drawdown.snapshot(),
            "value_at_risk": self.value_at_risk.snapshot(),
            "kill_switch": self.kill_switch.snapshot(),
            "strategy": {"name": self.strategy.name, "memory": self.strategy.snapshot()},
        }
        return msgspec.json.encode(kept, order="deterministic")

    def restore(self, snapshot: bytes) -> None:
        """Remember what a snapshot kept. Raises: InvariantBroken for a snapshot of another version or strategy."""
        kept: dict[str, Any] = msgspec.json.decode(snapshot)
        if kept["version"] != SNAPSHOT_VERSION or kept["strategy"]["name"] != self.strategy.name:
            raise InvariantBroken(
                f"snapshot is of version {kept['version']} and strategy {kept['strategy']['name']}, expected "
                f"{SNAPSHOT_VERSION} and {self.strategy.name}"
            )
        self.mode = Mode(kept["mode"])
        self.now_ns, self.order_sequence = kept["now_ns"], kept["order_sequence"]
        self.slippage, self.equity_marked = kept["slippage"], kept["equity_marked"]
        self.var_marked = kept["var_marked"]
        self.pulse_interval_ns = kept["pulse_interval_ns"]
        self.warned = {Reason(code) for code in kept["warned"]}
        self.is_ledger_behind = kept["is_ledger_behind"]
        self.account_due_ns, self.account_next_ns = kept["account_due_ns"], kept["account_next_ns"]
        self.agreement = msgspec.convert(kept["agreement"], Agreement)
        self.waiting = msgspec.convert(kept["waiting"], list[MoneyFact])
        self.fill_chain.restore(kept["fill_chain"])
        self.markouts.restore(kept["markouts"])
        self.marks = kept["marks"]
        for symbol, market in kept["markets"].items():
            self._restore_market(symbol, market)
        for key, refusal in kept["refusals"].items():
            symbol, side = key.rsplit("/", 1)
            self.refusals[symbol, Side(int(side))] = msgspec.convert(refusal, Refusals)
        self.orders.restore(msgspec.convert(kept["orders"], list[Order]))
        self.book.restore(kept["book"])
        self.gate.restore(kept["gate"])
        self.budget.restore(kept["budget"])
        self.drawdown.restore(msgspec.convert(kept["drawdown"], DrawdownState))
        self.value_at_risk.restore(kept["value_at_risk"])
        self.kill_switch.restore(msgspec.convert(kept["kill_switch"], KillSwitchState))
        self.strategy.restore(kept["strategy"]["memory"])

    def _restore_market(self, symbol: str, kept: list[Any]) -> None:
        bid, bid_lots, ask, ask_lots, bids, asks, mark, oracle, rate, ts_ns, ts_mark_ns, is_fed = kept
        view = MarketView(
            *(symbol, Price(bid), Lots(bid_lots), Price(ask), Lots(ask_lots)),
            *(Price(mark), Price(oracle), Rate(rate), ts_ns),
        )
        depth = [tuple((price, lots) for price, lots in side) for side in (bids, asks)]
        self.markets[symbol].restore(view, depth[0], depth[1], ts_mark_ns, is_fed=is_fed)

    def digest(self) -> str:
        """Return the SHA-256 of the snapshot."""
        return sha256(self.snapshot()).hexdigest()
