"""A bot that trades on the simulated venue in its own process, on the wall clock or faster."""

from collections.abc import Callable
from typing import Any

from bot.app import Bot, Seat
from bot.config import HatConfig, venue_settings
from bot.loop import run_paced
from bot.markets import OpenedMarket
from bot.stop_flag import StopFlag
from exchange.simulated.exchange import SimulatedExchange


class PaperBot(Bot):
    """The engine, unabridged, on paper."""

    def __init__(self, config: HatConfig, market: OpenedMarket) -> None:
        """Open everything. Raises: HouseError when any of it cannot be had."""
        instruments = {one.symbol: one for one in market.instruments}
        exchange = SimulatedExchange(instruments, market.feed, venue_settings(config))
        super().__init__(config, Seat(market=market, exchange=exchange))

    def run(
        self, *, speed: float, for_ns: int | None, stop: StopFlag, refresh: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        """Trade until the data end, the time is over or stop is set; return the summary. Raises: as `Bot.trade`."""

        def paced(beat: Callable[[], None]) -> str:
            return run_paced(self.driver, speed=speed, for_ns=for_ns, stop=stop, beat=beat)

        return self.trade(paced, stop, refresh)
