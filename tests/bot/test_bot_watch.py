"""What the bot says of itself while the venue tells nothing of the account."""

from pathlib import Path

from bot.config import load
from bot.markets import synthetic_market
from bot.paper import PaperBot
from bot.stop_flag import StopFlag
from bot.watch import OVERDUE
from domain.commands import QueryAccount, VenueCommand
from domain.events import Event
from domain.modes import Mode
from exchange.port import ExchangePort, Statement
from monitoring.health import Condition
from tests.builders import START_NS

SECONDS_MAX = 600
SECOND_NS = 1_000_000_000


class SilentAboutMoney:
    """A venue that is deaf to questions about the account after the first, until it is to answer again."""

    def __init__(self, honest: ExchangePort) -> None:
        """Stand before an honest venue."""
        self._honest = honest
        self.asked = 0
        self.is_deaf = True

    def next_ts_ns(self) -> int | None:
        """Tell the truth."""
        return self._honest.next_ts_ns()

    def advance(self) -> Event | None:
        """Tell the truth."""
        return self._honest.advance()

    def send(self, command: VenueCommand) -> None:
        """Pass it on, or not."""
        self.asked += isinstance(command, QueryAccount)
        if not (self.is_deaf and self.asked > 1 and isinstance(command, QueryAccount)):
            self._honest.send(command)

    def statement(self) -> Statement:
        """Tell the truth."""
        return self._honest.statement()


def test_bot_without_statements_says_in_a_sentence_of_its_own_why_it_only_reduces(tmp_path: Path) -> None:
    config = load(
        None, {"bot": {"state_dir": str(tmp_path)}, "monitoring": {"port": "0"}, "market": {"instruments": "SOL"}}
    )
    bot, stop = PaperBot(config, synthetic_market(config, START_NS)), StopFlag()
    venue = bot.driver.exchange = SilentAboutMoney(bot.driver.exchange)
    seen: list[tuple[object, ...]] = []

    def look() -> None:
        agreement, told = bot.engine.state.agreement, bot.watch.figures()
        if agreement.is_overdue and venue.is_deaf:
            health = {one.name: (one.condition, one.detail) for one in bot.watch.health().components}
            seen.append((bot.engine.state.mode, told["blocked"], told["statement_differs"], health["ledger"]))
            venue.is_deaf = False
        elif seen and not agreement.is_overdue:
            seen.append((bot.engine.state.mode, told["blocked"], told["statement_differs"]))
            stop.set()

    bot.run(speed=0, for_ns=SECONDS_MAX * SECOND_NS, stop=stop, refresh=look)

    assert OVERDUE.startswith("no statement of the venue could be compared")
    assert seen == [
        (Mode.REDUCING, OVERDUE, False, (Condition.FAILED, OVERDUE)),
        (Mode.TRADING, "", False),
    ]
