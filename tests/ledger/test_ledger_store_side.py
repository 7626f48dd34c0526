"""The ledger's side read back from SQL, as of moments that have passed, on both databases."""

from itertools import islice

import pytest
from msgspec.structs import replace

from backtest.runner import Driver
from domain.errors import DataInvalid
from domain.identifiers import RunId
from domain.instrument import perpetual
from domain.notices import FillBooked, TransactionPosted
from domain.order import Side
from domain.units import MONEY_UNIT, NS_PER_MS, NS_PER_SECOND, Money
from engine.machine import Engine
from engine.settings import EngineSettings
from engine.strategies.two_sided import TwoSidedMaker, TwoSidedSettings
from exchange.feeds.regimes import VOLATILE
from exchange.feeds.synthetic import SyntheticMarket
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.settings import LatencySettings, VenueSettings
from ledger.book import Book
from ledger.reconciliation import How, What, reconcile
from ledger.rows import RunRecord, run_key
from ledger.store import LedgerStore
from ledger.store_side import read_side, run_of
from risk.limits import RiskLimits
from router.maker import MakerSettings
from tests.ledger.ledger_builders import BTC, CASH, LOT, START_NS, a_fill, a_record, a_statement
from tests.ledger.ledger_builders import RUN as LEDGER_RUN
from tests.ledger.two_sides import venue_of

SOL = perpetual("SOL", 2, 2, 20)
HOUR_NS = 1_757_016_000_000_000_000
RUN = RunId(0x51DE)
ACCOUNT = run_key(RUN)
FILL_FIELDS = (
    *("client_order_id", "venue_order_id", "trade_id", "symbol", "side", "price", "lots", "liquidity", "fee"),
    *("start_position", "cause"),
)


class Kept:
    """One run on the simulated venue: its notices, and the venue's statements taken on the way."""

    def __init__(self, events, every, latency_ns):
        feed = islice(SyntheticMarket((SOL,), 3, HOUR_NS - 20 * NS_PER_SECOND, regimes=(VOLATILE,)), events)
        way = LatencySettings(median_ns=latency_ns)
        venue = VenueSettings(cash=Money(10_000 * MONEY_UNIT), order_latency=way, response_latency=way)
        self.exchange = SimulatedExchange({"SOL": SOL}, feed, venue)
        self.engine = Engine(
            EngineSettings(run_id=RUN, instruments=(SOL,), limits=RiskLimits(), maker=MakerSettings()),
            TwoSidedMaker(TwoSidedSettings()),
        )
        self.notices = []
        self.statements = []
        driver = Driver(self.engine, self.exchange, watch=lambda _, outcome: self.notices.extend(outcome.notices))
        driver.start()
        self.start_ns = driver.now_ns
        while driver.advance():
            if driver.events % every == 0:
                self.statements.append(self.exchange.account_statement(ACCOUNT))
        driver.finish("end of data")
        self.statements.append(self.exchange.account_statement(ACCOUNT))

    def stored(self, url):
        store = LedgerStore(url)
        store.begin_run(
            RunRecord(
                run_id=RUN,
                account=ACCOUNT,
                command="test",
                strategy="two_sided",
                seed=3,
                config_hash="c",
                code_revision="r",
                started_ns=self.start_ns,
                instruments=(SOL,),
            )
        )
        store.write(self.notices, len(self.notices))
        return store


@pytest.fixture(scope="module")
def kept():
    return Kept(4_000, 37, 30 * NS_PER_MS)


@pytest.fixture
def store(kept, ledger_url):
    opened = kept.stored(ledger_url)
    yield opened
    opened.close()


def compared(store, statement, run=ACCOUNT):
    with store.reading() as connection:
        return reconcile(read_side(connection, run, statement), statement)


def test_every_statement_of_a_run_agrees_with_the_ledger_as_of_its_moment(kept, store) -> None:
    """Orders fly both ways, funding is paid and fills come at any time: as of each moment both sides are the same."""
    opened_ns = min(one.ts_ns for one in kept.statements if one.fills)
    looked = [one for one in kept.statements if one.ts_ns >= opened_ns][::-8]
    found = [compared(store, statement) for statement in looked]

    assert [one.discrepancies for one in found] == [()] * len(looked)
    assert {(one.bridge.residual, one.unexplained_cash) for one in found} == {(0, 0)}
    assert len(looked) > 10
    last = found[0]
    assert last.facts_compared == len(kept.statements[-1].fills) + len(kept.statements[-1].fundings)
    assert last.facts_compared > 20
    assert kept.statements[-1].fundings
    assert {one.facts_compared for one in found} != {last.facts_compared}


def test_bridge_between_two_statements_of_a_run_closes(kept, store) -> None:
    first = next(one for one in kept.statements if len(one.fills) > 5)
    last = kept.statements[-1]
    with store.reading() as connection:
        before, after = read_side(connection, ACCOUNT, first), read_side(connection, ACCOUNT, last)
    bridge = reconcile(after, last, (before, first)).bridge

    assert (bridge.opening, bridge.closing) == (first.account_value, last.account_value)
    assert (bridge.residual, bridge.transfers) == (0, 0)
    assert bridge.fees > 0


def test_one_unit_one_fact_or_one_order_off_is_found(kept, store) -> None:
    statement = kept.statements[-1]
    fill = statement.fills[3]

    cash = compared(store, replace(statement, cash=Money(statement.cash + 1)))
    assert [(one.what, one.how) for one in cash.discrepancies] == [(What.CASH, How.DIFFERS)]
    assert cash.unexplained_cash == 1
    fee = compared(store, replace(statement, fills=(*statement.fills[:3], *statement.fills[4:])))
    assert [(one.what, one.how) for one in fee.discrepancies] == [(What.FILL, How.NOT_AT_VENUE)]
    assert fill.client_order_id in fee.discrepancies[0].ledger
    resting = next(one for one in kept.statements if one.open_orders and one.fills)
    lost = replace(resting, open_orders=(replace(resting.open_orders[0], client_order_id="0xdead"),))
    assert [one.how for one in compared(store, lost).discrepancies if one.subject == "0xdead"] == [How.NOT_IN_LEDGER]


def test_fact_at_the_very_instant_counts_only_when_the_statement_holds_it(kept, store) -> None:
    """A statement made between two facts of one instant agrees with and without the second."""
    whole = kept.statements[-1]
    fill = whole.fills[-1]
    before = replace(whole, ts_ns=fill.ts_event_ns)
    with store.reading() as connection:
        told = read_side(connection, ACCOUNT, before)
        untold = read_side(connection, ACCOUNT, replace(before, fills=whole.fills[:-1]))

    assert fill.trade_id in {one.trade_id for one in told.fills}
    assert fill.trade_id not in {one.trade_id for one in untold.fills}
    value = fill.side * fill.price * fill.lots * SOL.money_per_unit + fill.fee
    assert untold.cash - told.cash == value
    change = told.positions.get("SOL", 0) - untold.positions.get("SOL", 0)
    assert change == fill.side * fill.lots


def test_run_is_the_one_named_or_the_newest_of_the_account(store) -> None:
    with store.reading() as connection:
        assert run_of(connection, "feed", ACCOUNT) == "feed"
        assert run_of(connection, "", ACCOUNT) == ACCOUNT
        with pytest.raises(DataInvalid, match="the ledger: holds no run of account 'stranger'"):
            run_of(connection, "", "stranger")


def test_run_that_is_not_there_or_was_not_open_yet_is_refused(kept, store) -> None:
    statement = kept.statements[-1]
    with store.reading() as connection:
        with pytest.raises(DataInvalid, match="holds no run 'feed'"):
            read_side(connection, "feed", statement)
        with pytest.raises(DataInvalid, match="has no opened book at the time of the statement"):
            read_side(connection, ACCOUNT, replace(statement, ts_ns=1))


OPENED_NS = START_NS
HOLDING_NS = START_NS + 10
STATED_NS = START_NS + 100
AFTER_NS = START_NS + 200


def explained_ledger(url):
    """A ledger whose statement brought a sell nobody had told of, and which was told of it afterwards."""
    book = Book({"BTC": BTC})
    early = a_fill(10, trade_id=1, ts_ns=HOLDING_NS)
    late = a_fill(4, side=Side.SELL, trade_id=2, ts_ns=HOLDING_NS + 20, fee=7, start_position=10)
    notices = []

    def posted(*transactions):
        notices.extend(TransactionPosted(one, ts_ns=AFTER_NS) for one in transactions)

    def filled(fact, booked):
        posted(booked.transaction)
        notices.append(
            FillBooked(
                **{name: getattr(fact, name) for name in FILL_FIELDS},
                notional=booked.notional,
                realized=booked.realized,
                slippage=0,
                position_after=booked.position_after,
                decision_mid_x2=0,
                arrival_mid_x2=0,
                fill_mid_x2=0,
                ts_ns=AFTER_NS,
            )
        )
        posted(*booked.corrections)

    posted(book.book_opening(a_statement(CASH, ts_ns=OPENED_NS)))
    filled(early, book.book_fill(early))
    cash = book.cash + 4 * LOT - 7
    posted(book.book_discrepancy(a_statement(cash, ("BTC", 6, 6 * LOT), ts_ns=STATED_NS)))
    filled(late, book.book_fill(late))
    store = LedgerStore(url)
    store.begin_run(a_record())
    store.write(notices, len(notices))
    return store, (early, late)


@pytest.mark.parametrize("ts_ns", [HOLDING_NS + 20, STATED_NS - 1, STATED_NS, AFTER_NS])
def test_fact_that_came_late_counts_as_of_every_moment_after_it(ledger_url, ts_ns) -> None:
    """What a statement brought and the fact took back again cancel out, also for moments between fact and statement."""
    store, facts = explained_ledger(ledger_url)
    statement = replace(venue_of(*facts), account=run_key(LEDGER_RUN), ts_ns=ts_ns)
    found = compared(store, statement, run_key(LEDGER_RUN))
    store.close()

    assert found.discrepancies == ()
    assert (found.unexplained_cash, found.suspended_cash, found.suspended_lots) == (0, 0, {})
    assert (found.bridge.unexplained, found.bridge.residual) == (0, 0)


def test_statement_before_the_late_fact_knows_nothing_of_it(ledger_url) -> None:
    store, facts = explained_ledger(ledger_url)
    statement = replace(venue_of(facts[0]), ts_ns=HOLDING_NS + 19, account=run_key(LEDGER_RUN))
    found = compared(store, statement, run_key(LEDGER_RUN))
    store.close()

    assert found.discrepancies == ()
    assert found.bridge.residual == 0


def test_statement_of_another_account_is_refused(kept, store) -> None:
    strange = replace(kept.statements[-1], account="0xabc")
    with pytest.raises(DataInvalid, match=f"is of account 0xabc; run {ACCOUNT} belongs to account {ACCOUNT}"):
        compared(store, strange)
    assert compared(store, replace(strange, account="")).is_agreed


def test_side_counts_all_it_holds_and_what_is_younger_than_the_statement(kept, store) -> None:
    """Every fact is either counted up to the statement or younger than it."""
    last = kept.statements[-1]
    middle = next(one for one in kept.statements if len(one.fills) > len(last.fills) // 2)
    found = compared(store, middle)
    cut = compared(store, replace(middle, complete_since_ns=middle.fills[5].ts_event_ns))

    assert found.compared["fill"] == (len(middle.fills), len(middle.fills))
    assert found.facts_newer == len(last.fills) + len(last.fundings) - len(middle.fills) - len(middle.fundings)
    assert found.newest_ns == max(one.ts_event_ns for one in (*last.fills, *last.fundings)) > middle.ts_ns
    assert cut.compared["fill"][1] == len(middle.fills)
    assert 0 < cut.compared["fill"][0] < len(middle.fills)
    assert (compared(store, last).facts_newer, compared(store, last).newest_ns) == (0, 0)
