"""The bot when a law of the house breaks under it."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.app import StopUnclean
from bot.config import load
from bot.journal_file import JournalUnwritable
from bot.markets import synthetic_market
from bot.paper import PaperBot
from bot.rebuilding import rebuild
from bot.stop_flag import StopFlag
from domain.commands import PlaceOrder, VenueCommand
from domain.errors import InvariantBroken
from domain.events import Event
from domain.units import Money
from exchange.port import ExchangePort, Statement
from ledger.store import LedgerStore
from tests.builders import START_NS


class OneUnitOff:
    """A venue whose statement is off by one unit of cash once there is a position."""

    def __init__(self, honest: ExchangePort) -> None:
        """Stand before an honest venue."""
        self._honest = honest

    def next_ts_ns(self) -> int | None:
        """Tell the truth."""
        return self._honest.next_ts_ns()

    def advance(self) -> Event | None:
        """Tell the truth."""
        return self._honest.advance()

    def send(self, command: VenueCommand) -> None:
        """Pass it on."""
        self._honest.send(command)

    def statement(self) -> Statement:
        """Lie by one unit."""
        true = self._honest.statement()
        return Statement(cash=Money(true.cash + 1), positions=true.positions) if true.positions else true


def test_broken_law_cancels_everything_is_told_and_leaves_the_place_tidy(tmp_path: Path) -> None:
    config = load(None, {"bot": {"state_dir": str(tmp_path)}, "monitoring": {"port": "0"}})
    bot = PaperBot(config, synthetic_market(config, START_NS))
    bot.driver.exchange = OneUnitOff(bot.driver.exchange)

    with pytest.raises(InvariantBroken, match="cash is"):
        bot.run(speed=0, for_ns=None, stop=StopFlag())

    lines = [json.loads(line) for line in (tmp_path / "hat.log").read_text().splitlines()]
    halted = [line for line in lines if line["event_type"].startswith("kill_switch")]
    assert [line["level"] for line in halted] == ["CRITICAL"]
    assert "cash is" in json.dumps(halted[0]["data"])
    assert not (tmp_path / "bot.json").exists()
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        assert database.execute("SELECT count(*) FROM fills").fetchone()[0] > 0
    again = PaperBot(config, synthetic_market(config, START_NS))
    summary = again.run(speed=0, for_ns=5_000_000_000, stop=StopFlag())
    assert summary["ended"] == "end of time"


class BrokenDoor(OneUnitOff):
    """A venue that tells the truth but takes only so many orders."""

    def __init__(self, honest: ExchangePort, orders: int = 40) -> None:
        """Stand before an honest venue."""
        super().__init__(honest)
        self._left = orders

    def send(self, command: VenueCommand) -> None:
        """Pass it on while that goes."""
        self._left -= isinstance(command, PlaceOrder)
        if self._left < 0 and isinstance(command, PlaceOrder):
            raise InvariantBroken("the door broke")
        super().send(command)

    def statement(self) -> Statement:
        """Tell the truth."""
        return self._honest.statement()


@pytest.mark.parametrize(("venue", "words"), [(OneUnitOff, "cash is"), (BrokenDoor, "the door broke")])
def test_ledger_of_a_bot_that_broke_off_is_made_again_from_its_journal(venue: type, words: str, tmp_path: Path) -> None:
    """All but the kill switch, which no engine engaged; and the bot's own ledger lacks nothing."""
    config = load(None, {"bot": {"state_dir": str(tmp_path)}, "monitoring": {"port": "0"}})
    bot = PaperBot(config, synthetic_market(config, START_NS))
    bot.driver.exchange = venue(bot.driver.exchange)
    with pytest.raises(InvariantBroken, match=words):
        bot.run(speed=0, for_ns=None, stop=StopFlag())

    rebuilt = []
    for name in ("again.db", "ledger.db"):
        with closing(LedgerStore(f"sqlite:///{tmp_path / name}")) as store:
            rebuilt.append(rebuild(bot.journal.path, store))
            assert [] == store.problems()
            assert store.cursor() == rebuilt[0].notices + (name == "ledger.db")
    again, own = rebuilt
    assert again.notices == again.notices_new == own.notices > 0 == own.notices_new
    assert again.cut_off == own.cut_off
    assert f"the run broke off ({words}" in own.cut_off
    assert not again.is_ended


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full (Linux)")
def test_journal_on_a_full_disk_stops_the_bot_and_the_ledger_shows_no_open_order(tmp_path: Path) -> None:
    """Only the journal's disk is full, so the ledger can tell what became of every order."""
    config = load(None, {"bot": {"state_dir": str(tmp_path)}, "monitoring": {"port": "0"}})
    bot = PaperBot(config, synthetic_market(config, START_NS))
    stop = StopFlag()

    def fill_the_disk() -> None:
        if bot.engine.state.orders.open_count and bot.driver.events > 200:
            with Path("/dev/full").open("wb", buffering=0) as full:
                os.dup2(full.fileno(), bot.journal._file.fileno())

    with pytest.raises(JournalUnwritable, match="0 orders are open, 0 notices are not in the ledger"):
        bot.run(speed=0, for_ns=None, stop=stop, refresh=fill_the_disk)

    with sqlite3.connect(tmp_path / "ledger.db") as database:
        states = {state for (state,) in database.execute("SELECT DISTINCT state FROM orders")}
    assert "canceled" in states
    assert states <= {"filled", "canceled", "rejected", "denied", "expired"}


def test_database_that_is_gone_at_the_very_end_is_told_and_the_place_is_left_tidy(tmp_path: Path) -> None:
    """Every notice is stored, only the end of the run cannot be noted: the state directory is free all the same."""
    config = load(None, {"bot": {"state_dir": str(tmp_path)}, "monitoring": {"port": "0"}})
    bot = PaperBot(config, synthetic_market(config, START_NS))
    stop = bot.projection.stop

    def stop_and_lock(timeout_s: float) -> bool:
        done = stop(timeout_s)
        other.execute("BEGIN EXCLUSIVE")
        return done

    bot.projection.stop = stop_and_lock
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        with pytest.raises(StopUnclean, match=r"locked\): `hat ledger rebuild .*journal` completes the ledger"):
            bot.run(speed=0, for_ns=2_000_000_000, stop=StopFlag())
        other.execute("ROLLBACK")

    done = rebuild(bot.journal.path, store := LedgerStore(f"sqlite:///{tmp_path / 'ledger.db'}"))
    store.close()
    assert (0, True) == (done.notices_new, done.is_ended)
    again = PaperBot(config, synthetic_market(config, START_NS))
    assert again.run(speed=0, for_ns=2_000_000_000, stop=StopFlag())["ended"] == "end of time"
