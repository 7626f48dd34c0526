"""Where market data comes from: the synthetic market, or a recording.

Both come out as one thing: instruments and a stream of admitted market facts in the order of venue time.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from backtest.importers.layouts import load
from bot.config import HatConfig
from domain.errors import ConfigInvalid
from domain.events import MarketEvent
from domain.instrument import Instrument
from exchange.feeds.recorded import admitted
from exchange.feeds.synthetic import SyntheticMarket
from exchange.hyperliquid.universe import UNIVERSE


class OpenedMarket(msgspec.Struct, frozen=True, kw_only=True):
    """A market ready to be traded. notes say what was corrected or left out on the way, one sentence each.

    start_ns and end_ns bound the data in venue time; end_ns is 0 for a market without end.
    """

    name: str
    instruments: tuple[Instrument, ...]
    feed: Iterator[MarketEvent]
    notes: tuple[str, ...] = ()
    start_ns: int = 0
    end_ns: int = 0


def listed(name: str) -> Instrument:
    """Return an instrument of the built-in table. Raises: ConfigInvalid naming those there are."""
    found = UNIVERSE.get(name)
    if found is None:
        raise ConfigInvalid("market.instruments", name, f"one of {', '.join(UNIVERSE)}")
    return found


def synthetic_market(config: HatConfig, start_ns: int) -> OpenedMarket:
    """Open the synthetic market of the configured instruments; it has no end."""
    instruments = tuple(listed(name) for name in config.market.instruments)
    market = SyntheticMarket(instruments, config.bot.seed, start_ns)
    table = {one.symbol: one for one in instruments}
    return OpenedMarket(
        name=f"synthetic-{config.bot.seed}",
        instruments=instruments,
        feed=admitted(iter(market), table),
        start_ns=start_ns,
    )


def recorded_market(path: Path, coin: str | None) -> OpenedMarket:
    """Open a recording in any known layout. Raises: DataInvalid when it cannot be used."""
    recording = load(path, coin)
    table = {one.symbol: one for one in recording.instruments}
    return OpenedMarket(
        name=recording.name,
        instruments=recording.instruments,
        feed=admitted(recording.events, table),
        notes=tuple(recording.notes),
        start_ns=recording.events[0].ts_event_ns if recording.events else 0,
        end_ns=recording.events[-1].ts_event_ns if recording.events else 0,
    )
