"""The database server dies or is stopped while rows are projected: nothing is lost or doubled, and trading goes on."""

import random
import threading

import pytest

from bot.config import load
from bot.markets import synthetic_market
from bot.paper import PaperBot
from bot.projection import BACKLOG_MAX, Projection
from bot.stop_flag import StopFlag
from domain.modes import Mode
from domain.notices import ModeChanged, OrderCreated
from domain.units import NS_PER_SECOND
from ledger.store import LedgerStore
from tests.builders import START_NS as MARKET_START_NS
from tests.ledger.ledger_builders import a_record, flat
from tests.ledger.ledger_story import a_story, every_row

PATIENCE_S = 60


def until(condition):
    """Wait for another thread, patiently but not forever."""
    bell = threading.Event()
    for _ in range(PATIENCE_S * 200):
        if condition():
            return True
        bell.wait(0.005)
    return False


def undisturbed(tmp_path, notices):
    url = f"sqlite:///{tmp_path / 'whole.db'}"
    store = LedgerStore(url)
    store.begin_run(a_record())
    store.write(notices, len(notices))
    store.close()
    return every_row(url)


def projected_through_deaths(server, tmp_path, end, rounds, seed):
    """Kill the server in every round while batches are on their way."""
    outcomes, dice = a_story(120 * rounds)[0], random.Random(seed)
    url = server.create_database()
    store = LedgerStore(url)
    store.begin_run(a_record())
    projection = Projection(store, batch_notices=20, pause_s=0.001, retry_s_max=0.05)
    projection.start()
    size = -(-len(outcomes) // rounds)
    met = 0
    for start in range(0, len(outcomes), size):
        for outcome in outcomes[start : start + size]:
            projection.put(outcome)
        left = dice.randrange(projection.backlog // 2, projection.backlog)
        assert until(lambda left=left: projection.backlog <= left)
        end()
        assert until(lambda: projection.trouble or projection.backlog == 0)
        met += bool(projection.trouble)
        assert projection.is_running
        assert "\n" not in projection.trouble
        server.start()
        assert until(lambda: projection.backlog == 0)
    assert projection.stop(PATIENCE_S)
    assert "" == projection.trouble
    assert met > rounds // 2, "most servers died only after everything was written"
    problems = store.problems()
    store.close()
    assert [] == problems
    assert undisturbed(tmp_path, flat(outcomes)) == every_row(url)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_server_that_dies_while_rows_are_projected_loses_and_doubles_nothing(how, postgres_server, tmp_path):
    projected_through_deaths(postgres_server, tmp_path, getattr(postgres_server, how), 3, seed=3)


@pytest.mark.nightly
@pytest.mark.parametrize("how", ["kill", "stop"])
def test_server_that_dies_a_hundred_times_loses_and_doubles_nothing(how, postgres_server, tmp_path):
    projected_through_deaths(postgres_server, tmp_path, getattr(postgres_server, how), 100, seed=100)


class Outage:
    """Stops the bot's database server between two events and starts it again later; remembers what happened meanwhile."""

    def __init__(self, bot, server, stop, *, market_seconds, market_seconds_after):
        self.bot, self.server, self.stop = bot, server, stop
        self.length_ns = market_seconds * NS_PER_SECOND
        self.after_ns = market_seconds_after * NS_PER_SECOND
        self.down_ns = self.up_ns = 0
        self.orders = {"before": 0, "during": 0}
        self.backlog_max = 0
        self.trouble = ""
        self.modes = []
        self.backlog_when_reducing = 0
        bot.driver._watch = self.watched(bot.driver._watch)

    def watched(self, watch):
        def look(event, outcome):
            watch(event, outcome)
            for notice in outcome.notices:
                if type(notice) is OrderCreated:
                    self.orders["during" if self.down_ns and not self.up_ns else "before"] += 1
                elif type(notice) is ModeChanged:
                    self.modes.append(notice.to_mode)
                    if notice.to_mode is Mode.REDUCING:
                        self.backlog_when_reducing = self.bot.projection.backlog

        return look

    def beat(self):
        now_ns, projection = self.bot.driver.now_ns, self.bot.projection
        if not self.down_ns:
            if self.orders["before"] > 20 and projection.backlog == 0:
                self.down_ns = now_ns
                self.server.stop()
        elif not self.up_ns:
            self.backlog_max = max(self.backlog_max, projection.backlog)
            self.trouble = projection.trouble or self.trouble
            if now_ns - self.down_ns > self.length_ns and self.trouble:
                self.server.start()
                self.up_ns = self.bot.driver.now_ns
        elif projection.backlog < 200 and now_ns - self.up_ns > self.after_ns:
            self.stop.set()


def bot_through_an_outage(server, tmp_path, *, speed, bound=0, **lengths):
    """Run a paper bot on PostgreSQL through an outage; return what happened."""
    url = server.create_database()
    config = load(None, {"bot": {"state_dir": str(tmp_path)}, "monitoring": {"port": "0"}, "ledger": {"url": url}})
    bot = PaperBot(config, synthetic_market(config, MARKET_START_NS))
    bot.projection._retry_s_max = 0.1
    if bound:
        bot.projection._backlog_max = bound
    stop = StopFlag()
    outage = Outage(bot, server, stop, **lengths)
    summary = bot.run(speed=speed, for_ns=None, stop=stop, refresh=outage.beat)
    assert "signal" == summary["ended"]
    store = LedgerStore(url, read_only=True)
    problems = store.problems()
    statement = store.statement()
    store.close()
    assert [] == problems
    assert (sum(outage.orders.values()), summary["fills"]) == (statement.orders, statement.fills)
    assert statement.ended_ns
    return outage


def told(outage):
    return (
        f"outage: {outage.orders['during']} orders during it, backlog up to {outage.backlog_max} notices, "
        f"modes {[mode.label for mode in outage.modes]}, said: {outage.trouble}"
    )


def test_bot_trades_on_while_its_database_is_stopped_and_the_ledger_catches_up(postgres_server, tmp_path):
    outage = bot_through_an_outage(postgres_server, tmp_path, speed=20, market_seconds=20, market_seconds_after=20)
    assert outage.orders["during"] > 20
    assert 0 < outage.backlog_max < BACKLOG_MAX
    assert Mode.REDUCING not in outage.modes, told(outage)


def test_bot_adds_no_risk_once_the_ledger_is_too_far_behind_and_goes_on_when_it_caught_up(postgres_server, tmp_path):
    outage = bot_through_an_outage(
        postgres_server, tmp_path, speed=20, bound=1_000, market_seconds=40, market_seconds_after=20
    )
    assert outage.backlog_when_reducing > 1_000
    assert Mode.REDUCING in outage.modes
    assert Mode.TRADING is outage.modes[outage.modes.index(Mode.REDUCING) + 1], told(outage)


@pytest.mark.nightly
def test_bot_trades_on_in_real_time_while_its_database_is_stopped_for_half_a_minute(postgres_server, tmp_path):
    outage = bot_through_an_outage(postgres_server, tmp_path, speed=1, market_seconds=30, market_seconds_after=5)
    print(told(outage))
    assert outage.orders["during"] > 20
    assert 0 < outage.backlog_max < BACKLOG_MAX
    assert Mode.REDUCING not in outage.modes
