"""The venue takes money or a position without a word: nothing is guessed, nothing adds risk until a person has looked.

Engine, driver, simulated venue and SQL ledger are the real ones; after every event the driver proves both books equal,
or different by exactly what the engine has told.
"""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from backtest.runner import Driver
from domain.commands import PlaceOrder, QueryAccount
from domain.errors import InvariantBroken
from domain.events import Event, OperatorAcknowledged, OperatorHalted, OperatorResumed
from domain.modes import Mode
from domain.notices import DiscrepancyClosed, DiscrepancyFound, FactNoted, KillSwitchEngaged, ModeChanged, Notice
from domain.reasons import Reason
from domain.transaction import CorrectionCause
from domain.units import MONEY_UNIT, NS_PER_MS, Money
from engine.machine import Engine, Outcome
from engine.strategies.two_sided import TwoSidedMaker, TwoSidedSettings
from exchange.feeds.regimes import VOLATILE
from exchange.feeds.synthetic import SyntheticMarket
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.settings import LatencySettings, VenueSettings
from ledger.audit import audit
from ledger.reconciliation import reconcile
from ledger.rows import RunRecord, run_key
from ledger.store import LedgerStore
from ledger.store_side import read_side
from tests.builders import BTC, RUN, START_NS, settings

WAY = LatencySettings(median_ns=20 * NS_PER_MS)
EVENTS = 6_000


class World:
    """A maker on a lively market, everything that happened, and a ledger in SQL."""

    def __init__(self, url: str) -> None:
        """Open everything and begin."""
        feed = islice(SyntheticMarket((BTC,), 5, START_NS, regimes=(VOLATILE,)), EVENTS)
        venue = VenueSettings(
            cash=Money(10_000 * MONEY_UNIT), order_latency=WAY, response_latency=WAY, funding_on=False
        )
        self.exchange = SimulatedExchange({"BTC": BTC}, feed, venue)
        self.engine = Engine(settings(), TwoSidedMaker(TwoSidedSettings()))
        self.notices: list[Notice] = []
        self.placed: list[PlaceOrder] = []
        self.added: list[PlaceOrder] = []
        """Of these, what could make our position larger or turn it round."""
        self.asked = 0
        self.driver = Driver(self.engine, self.exchange, watch=self._watch)
        self.store = LedgerStore(url)
        self.driver.start()
        self.store.begin_run(
            RunRecord(
                run_id=RUN,
                account=run_key(RUN),
                command="scenario",
                strategy="two_sided",
                seed=5,
                config_hash="c",
                code_revision="r",
                started_ns=self.driver.now_ns,
                instruments=(BTC,),
            )
        )

    def _watch(self, event: Event, outcome: Outcome) -> None:
        del event
        self.notices.extend(outcome.notices)
        placed = [one for one in outcome.commands if isinstance(one, PlaceOrder)]
        self.placed.extend(placed)
        self.added += [one for one in placed if not 0 < -one.side * self.position >= one.lots]
        self.asked += sum(isinstance(one, QueryAccount) for one in outcome.commands)

    @property
    def mode(self) -> Mode:
        """The mode of the engine."""
        return self.engine.state.mode

    @property
    def position(self) -> int:
        """Our own idea of the position."""
        return self.engine.state.book.position_lots("BTC")

    def go_on(self, until: Callable[[], bool]) -> "World":
        """Go on until something is so; the market must not end before."""
        while not until():
            assert self.driver.advance(), "the market ended first"
        return self

    def go_on_for(self, events: int) -> "World":
        """Go on for some events."""
        end = self.driver.events + events
        return self.go_on(lambda: self.driver.events >= end)

    def tell(self, kind: type, *words: str) -> "World":
        """Tell the engine what an operator did."""
        self.driver.tell(kind(*words, ts_event_ns=self.driver.now_ns, ts_recv_ns=self.driver.now_ns))
        return self

    def seen(self, kind: type) -> list[Notice]:
        """Every notice of a kind so far."""
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def has_position(self) -> bool:
        """Whether we hold something worth taking, and nothing is under way that could change it unseen."""
        return abs(self.position) > 100

    def ended(self) -> "World":
        """Stop, store everything."""
        self.driver.finish("end of test")
        self.store.write(self.notices, len(self.notices))
        self.store.end_run(self.driver.now_ns)
        return self

    def proven(self) -> None:
        """The stored ledger audits clean and agrees with the venue's own statement."""
        statement = self.exchange.account_statement(run_key(RUN))
        with self.store.reading() as connection:
            problems = [problem.sentence for problem in audit(connection)]
            found = reconcile(read_side(connection, run_key(RUN), statement), statement)
        self.store.close()
        assert problems == []
        assert found.discrepancies == ()
        assert found.bridge.residual == 0
        book = self.engine.state.book
        assert found.unexplained_cash == found.suspended_cash
        assert found.bridge.unexplained == book.unexplained
        assert found.suspended_lots == book.unexplained_lots


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world that trades and holds a position."""
    made = World(f"sqlite:///{tmp_path / 'ledger.db'}")
    return made.go_on(lambda: made.mode is Mode.TRADING and made.has_position())


def asked_by_hand(world: World) -> World:
    """Let an operator halt and resume, which asks the venue for the account."""
    return world.tell(OperatorHalted, "look").tell(OperatorResumed, "looked")


def test_money_taken_without_a_word_blocks_is_booked_on_the_second_statement_and_waits_for_a_person(
    world: World,
) -> None:
    world.exchange.take_untold(-7 * MONEY_UNIT)
    asked_by_hand(world).go_on(lambda: bool(world.seen(DiscrepancyFound)))
    (first,) = world.seen(DiscrepancyFound)
    assert isinstance(first, DiscrepancyFound)
    assert (first.cash, first.positions, first.is_booked) == (-7 * MONEY_UNIT, (), False)
    assert world.mode is Mode.RECONCILING
    assert world.engine.state.book.unexplained == 0

    world.go_on(lambda: len(world.seen(DiscrepancyFound)) == 2)
    second = world.seen(DiscrepancyFound)[1]
    assert isinstance(second, DiscrepancyFound)
    assert second.is_booked
    assert world.engine.state.book.unexplained == -7 * MONEY_UNIT
    count = len(world.added)
    world.go_on_for(500)
    assert world.mode is not Mode.TRADING
    assert len(world.added) == count

    world.tell(OperatorAcknowledged, "an exchange fee, ticket 12")
    (closed,) = world.seen(DiscrepancyClosed)
    assert isinstance(closed, DiscrepancyClosed)
    assert (closed.reason, closed.detail) == (Reason.ACKNOWLEDGED, "an exchange fee, ticket 12")
    assert world.mode is Mode.RECONCILING
    asked = world.asked
    assert len(world.added) == count
    world.go_on(lambda: world.mode is Mode.TRADING)
    assert (world.asked, len(world.added)) == (asked, count)
    assert [one.to_mode for one in world.seen(ModeChanged) if isinstance(one, ModeChanged)][-1] is Mode.TRADING
    world.go_on(lambda: len(world.added) > count)
    assert not [
        one for one in world.seen(KillSwitchEngaged) if getattr(one, "reason", None) is not Reason.HALTED_BY_OPERATOR
    ]
    world.go_on_for(500).ended().proven()


def test_position_taken_without_a_word_is_noticed_at_the_next_fill_and_never_priced_by_guess(world: World) -> None:
    taken = -(world.position // 2)
    fills_before = world.engine.state.book.transaction_count
    world.exchange.take_untold(0, "BTC", taken)
    world.go_on(lambda: any(one.is_booked for one in world.seen(DiscrepancyFound)))

    assert world.engine.state.book.transaction_count > fills_before
    broken = [one for one in world.seen(FactNoted) if getattr(one, "reason", None) is Reason.FILL_CHAIN_BROKEN]
    assert broken
    found = [one for one in world.seen(DiscrepancyFound) if isinstance(one, DiscrepancyFound)]
    assert {one.positions for one in found} == {(("BTC", taken),)}
    assert {one.cash for one in found} == {0}
    book = world.engine.state.book
    assert book.unexplained_lots == {"BTC": taken}
    assert world.mode is Mode.REDUCING
    reasons = [one.reason for one in world.seen(ModeChanged) if isinstance(one, ModeChanged)]
    assert reasons[-1] is Reason.UNEXPLAINED
    assert world.position == world.exchange.account_statement("").positions.get("BTC", 0)

    world.tell(OperatorAcknowledged, "deleveraged, see the venue's page")
    assert world.mode is Mode.TRADING
    world.go_on_for(500).ended().proven()


def test_while_blocked_only_what_reduces_the_position_leaves_or_rests(world: World) -> None:
    world.exchange.take_untold(0, "BTC", -(world.position // 3))
    world.go_on(lambda: bool(world.seen(DiscrepancyFound)))
    sent, added = len(world.placed), len(world.added)
    world.go_on(lambda: any(one.is_booked for one in world.seen(DiscrepancyFound))).go_on_for(800)

    assert len(world.placed) > sent
    assert len(world.added) == added
    assert world.position == 0
    assert world.engine.state.orders.open_count == 0
    world.ended().proven()


def test_acknowledging_before_the_second_statement_takes_nothing_on(world: World) -> None:
    world.exchange.take_untold(-MONEY_UNIT)
    asked_by_hand(world).go_on(lambda: bool(world.seen(DiscrepancyFound)))
    world.tell(OperatorAcknowledged, "too early")

    assert world.seen(DiscrepancyClosed) == []
    assert world.mode is Mode.RECONCILING
    world.go_on(lambda: any(one.is_booked for one in world.seen(DiscrepancyFound)))
    assert world.mode is not Mode.TRADING
    world.ended().proven()


def test_money_that_comes_back_before_the_second_statement_was_never_gone(world: World) -> None:
    world.exchange.take_untold(-MONEY_UNIT)
    asked_by_hand(world).go_on(lambda: bool(world.seen(DiscrepancyFound)))
    world.exchange.take_untold(MONEY_UNIT)
    world.go_on(lambda: bool(world.seen(DiscrepancyClosed)))

    assert world.engine.state.book.unexplained == 0
    assert world.mode is Mode.TRADING
    world.go_on_for(300).ended().proven()
    causes = {getattr(one, "transaction", None) and one.transaction.cause for one in world.notices}  # type: ignore[union-attr]
    assert CorrectionCause.UNEXPLAINED not in causes


def test_difference_the_engine_never_told_of_is_still_a_broken_law(world: World) -> None:
    """Only what was told is tolerated: one unit more than that stops the house."""
    world.exchange.take_untold(-MONEY_UNIT)
    asked_by_hand(world).go_on(lambda: bool(world.seen(DiscrepancyFound)))
    world.engine.state.agreement.cash = Money(-MONEY_UNIT + 1)

    with pytest.raises(InvariantBroken, match="cash is"):
        world.go_on_for(1)
    world.store.close()
