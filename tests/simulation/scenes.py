"""Scenes for the whole line: what one seed decides about market, venue, limits, strategy and trouble.

The strategy changes its mind at random, so that every path of the router is walked; latencies reach from none to
minutes, cash from next to nothing to plenty, and runs begin shortly before a full hour, so that funding is paid.
"""

from random import Random
from typing import Any

import msgspec

from domain.events import (
    TradePrinted,
)
from domain.identifiers import RunId
from domain.instrument import Instrument, perpetual
from domain.order import Quote, Side, WantedQuotes
from domain.units import MONEY_UNIT, NS_PER_MS, NS_PER_SECOND, RATE_UNIT, Lots, Money, Price, Rate
from engine.settings import EngineSettings
from engine.strategy import StrategyView
from exchange.feeds.regimes import CALM, GAP, OUTAGE, TRENDING, VOLATILE, Regime
from exchange.simulated.settings import LatencySettings, QueueModel, VenueSettings
from risk.limits import InstrumentLimits, RiskLimits
from router.maker import MakerSettings
from router.recovery import RecoverySettings

HOUR_NS = 1_757_016_000_000_000_000
"""A full hour, so that a run that begins before it crosses funding."""

MARKETS = (perpetual("BTC", 0, 5, 40), perpetual("SOL", 2, 2, 20), perpetual("DOGE", 4, 0, 10))


class Erratic:
    """A strategy that changes its mind: several quotes a side, moved, resized, dropped and sometimes crossing."""

    name = "erratic"

    def __init__(self, seed: int, levels_max: int, notional_max: int, restless: int) -> None:
        """Draw from a seed; restless is how often, in 16ths, a look changes the wish."""
        self.state = seed
        self.levels_max = levels_max
        self.notional_max = notional_max
        self.restless = restless
        self.wanted: dict[str, WantedQuotes] = {}

    def draw(self, most: int) -> int:
        """Return a number from 0 to most."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % (most + 1)

    def is_due(self, symbol: str, now_ns: int, mid_x2: int, position: int) -> bool:
        """Look at every change."""
        del symbol, now_ns, mid_x2, position
        return True

    def quotes(self, view: StrategyView) -> WantedQuotes | None:
        """Keep, drop or change what is shown."""
        mood = self.draw(15)
        if mood >= self.restless:
            return self.wanted.get(view.market.symbol) if mood & 1 else None
        symbol = view.instrument.symbol
        wanted = WantedQuotes(symbol, self.side(view, Side.BUY), self.side(view, Side.SELL))
        self.wanted[symbol] = wanted
        return wanted

    def side(self, view: StrategyView, side: Side) -> tuple[Quote, ...]:
        """Return up to levels_max quotes of one side, best first."""
        grid = view.instrument
        best = view.market.bid_price if side is Side.BUY else view.market.ask_price
        tick = grid.tick(best)
        price = best + side * tick * (self.draw(3) - 1)
        quotes: list[Quote] = []
        for _ in range(self.draw(self.levels_max)):
            legal = grid.floor(Price(price)) if side is Side.BUY else grid.ceil(Price(price))
            unit = legal * grid.money_per_unit
            lots = (5 + self.draw(self.notional_max)) * MONEY_UNIT // unit
            if legal > 0 and lots > 0 and all(one.price != legal for one in quotes):
                quotes.append(Quote(legal, Lots(lots)))
            price = legal - side * tick * (1 + self.draw(4))
        return tuple(quotes)

    def saw_trade(self, trade: TradePrinted) -> None:
        """Take no note."""

    def snapshot(self) -> dict[str, Any]:
        """Return the dice and the wishes."""
        return {"state": self.state, "wanted": msgspec.to_builtins(self.wanted)}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take dice and wishes back."""
        self.state = kept["state"]
        self.wanted = msgspec.convert(kept["wanted"], dict[str, WantedQuotes])


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one seed decides."""

    seed: int
    instruments: tuple[Instrument, ...]
    regimes: tuple[Regime, ...]
    start_ns: int
    events: int
    venue: VenueSettings
    engine: EngineSettings
    levels_max: int
    notional_max: int
    restless: int
    loss: int
    """One command or answer in so many is lost; 0: none."""
    levers: int
    """One lever is pulled per so many events, on average; 0: nobody touches anything."""


def drawn(seed: int, events: int) -> Scene:
    """Return the scene of a seed."""
    chance = Random(seed)
    instruments = tuple(chance.sample(MARKETS, chance.choice([1, 1, 2, 3])))
    cash = Money(chance.choice([12, 60, 1_000, 10_000, 1_000_000]) * MONEY_UNIT)
    leverage = chance.choice([1, 3, 10])
    return Scene(
        seed=seed,
        instruments=instruments,
        regimes=tuple(chance.sample((CALM, TRENDING, VOLATILE, GAP, OUTAGE), chance.choice([1, 3, 5]))),
        start_ns=HOUR_NS - chance.choice([1, 5, 30, 1_800]) * NS_PER_SECOND,
        events=events,
        venue=VenueSettings(
            cash=cash,
            leverage=leverage,
            maker_rate=Rate(chance.choice([-30_000, 0, 150_000])),
            open_orders_max=chance.choice([2, 1_000, 1_000]),
            queue_model=chance.choice(list(QueueModel)),
            feed_latency=chance.choice([None, _way(chance)]),
            order_latency=_way(chance),
            response_latency=_way(chance),
            seed=seed,
            funding_on=chance.random() < 0.8,
        ),
        engine=EngineSettings(
            run_id=RunId(seed + 1),
            instruments=instruments,
            limits=_limits(chance, cash),
            maker=MakerSettings(
                reprice_ticks=chance.choice([0, 2]),
                resize_share=Rate(chance.choice([0, RATE_UNIT // 2])),
                use_replace=chance.random() < 0.7,
            ),
            leverage=leverage * chance.choice([1, 1, 2]),
            pulse_interval_ns=chance.choice([50, 1_000, 1_000]) * NS_PER_MS,
            recovery=RecoverySettings(answer_timeout_ns=chance.choice([200, 5_000]) * NS_PER_MS),
            requests_initial=chance.choice([60, 500, 10_000, 10_000]),
            flatten_on_halt=chance.random() < 0.5,
            account_interval_ns=5 * NS_PER_SECOND,
        ),
        levels_max=chance.choice([1, 2, 5]),
        notional_max=chance.choice([30, 300, 3_000]),
        restless=chance.choice([1, 8, 16]),
        levers=chance.choice([0, 40, 300]),
        loss=chance.choice([0, 0, 50, 8]),
    )


def _way(chance: Random) -> LatencySettings:
    median_ns = chance.choice([0, 1, 3, 40, 700, 6_000]) * NS_PER_MS
    return LatencySettings(median_ns=median_ns, sigma=Rate(chance.choice([0, 0, 300_000_000, 900_000_000])))


def _limits(chance: Random, cash: Money) -> RiskLimits:
    share = chance.choice([1, 4])
    return RiskLimits(
        default=InstrumentLimits(
            order_notional_max=Money(max(cash // 2, 10 * MONEY_UNIT)),
            position_notional_max=Money(max(cash * share // 2, 10 * MONEY_UNIT)),
        ),
        total_exposure_max=Money(max(cash * chance.choice([1, 5]), 10 * MONEY_UNIT)),
        open_orders_max=chance.choice([3, 100]),
        orders_per_interval_max=chance.choice([5, 100]),
        drawdown_warn=Rate(RATE_UNIT // 1_000),
        drawdown_stop=Rate(chance.choice([RATE_UNIT // 500, RATE_UNIT // 20])),
        daily_loss_max=Money(max(cash // chance.choice([25, 500]), 1)),
        market_data_age_ns_max=chance.choice([300, 5_000]) * NS_PER_MS,
    )
