"""Two-sided maker with inventory skew and volatility-scaled spread: the Guéant-Lehalle-Fernandez-Tapia closed form.

The optimal distances of bid and ask from a reference price, for inventory q in units of one order, are asymptotically

    bid:  c1 + (2q + 1) / 2 * c2 * sigma        ask:  c1 - (2q - 1) / 2 * c2 * sigma
    c1 = ln(1 + gamma / kappa) / gamma
    c2 = sqrt(gamma / (2 * kappa * A) * (1 + gamma / kappa) ** (1 + kappa / gamma))

where sigma is volatility, A * exp(-kappa * distance) is the rate at which quotes at a distance get filled and gamma is
risk aversion. Everything is in basis points of the mid and seconds. Sigma is estimated from the mid, A from the
trades seen; kappa and gamma are settings.

Source: O. Guéant, C.-A. Lehalle, J. Fernandez-Tapia, "Dealing with the inventory risk: a solution to the market making
problem", Mathematics and Financial Economics 7 (2013), section 4 (asymptotics).
"""

from math import exp, log, sqrt
from typing import Any

import msgspec

from domain.errors import ConfigInvalid
from domain.events import TradePrinted
from domain.order import Quote, WantedQuotes
from domain.units import MONEY_UNIT, NS_PER_MS, NS_PER_SECOND, Lots, Price
from engine.strategy import StrategyView

BPS = 10_000.0
VOLATILITY_FLOOR_BPS = 0.02
TRADE_RATE_FLOOR = 0.05


class TwoSidedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the two-sided maker.

    Units: order_notional_usd and inventory_notional_usd in USDC; gamma and kappa per bp; half lives in seconds;
    half_spread_bps_min and _max bound the distance of each quote from the mid; requote_interval_ms is the least time
    between two looks unless the mid moved by requote_move_bps or the position changed.
    """

    order_notional_usd: float = 200.0
    inventory_notional_usd: float = 1_000.0
    gamma: float = 0.1
    kappa: float = 0.5
    volatility_half_life_s: float = 60.0
    trade_half_life_s: float = 60.0
    half_spread_bps_min: float = 0.0
    half_spread_bps_max: float = 50.0
    requote_interval_ms: int = 250
    requote_move_bps: float = 0.5

    def validated(self) -> "TwoSidedSettings":
        """Return the settings, or raise ConfigInvalid for the first that cannot be used."""
        positive = ("order_notional_usd", "inventory_notional_usd", "gamma", "kappa", "volatility_half_life_s",
                    "trade_half_life_s", "half_spread_bps_max")  # fmt: skip
        for name in positive:
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ConfigInvalid(f"strategy.{name}", value, "a number above 0")
        if self.requote_interval_ms < 0:
            raise ConfigInvalid("strategy.requote_interval_ms", self.requote_interval_ms, "0 or more")
        if not 0 <= self.half_spread_bps_min <= self.half_spread_bps_max:
            raise ConfigInvalid("strategy.half_spread_bps_min", self.half_spread_bps_min, "0 to half_spread_bps_max")
        return self


class _Memory(msgspec.Struct):
    """What is remembered of one market. Units: mid twice in price units, variance in bps^2 per second, rate per s."""

    ts_ns: int = 0
    mid_x2: int = 0
    variance: float = 0.0
    weight: float = 0.0
    trade_rate: float = 0.0
    ts_trade_ns: int = 0
    ts_quoted_ns: int = 0
    quoted_mid_x2: int = 0
    quoted_position: int = 0


class TwoSidedMaker:
    """Shows one bid and one ask around a mid that is skewed against the inventory."""

    name = "two_sided"

    def __init__(self, settings: TwoSidedSettings) -> None:
        """Remember nothing yet."""
        self.settings = settings
        self._memory: dict[str, _Memory] = {}
        self._interval_ns = settings.requote_interval_ms * NS_PER_MS
        self._move_bps = settings.requote_move_bps
        ratio = 1.0 + settings.gamma / settings.kappa
        self._c1 = log(ratio) / settings.gamma
        self._c2_squared = settings.gamma / (2.0 * settings.kappa) * ratio ** (1.0 + settings.kappa / settings.gamma)

    def is_due(self, symbol: str, now_ns: int, mid_x2: int, position: int) -> bool:
        """Look again when the position changed, the mid moved far enough or the interval has passed."""
        memory = self._memory.get(symbol)
        if memory is None or position != memory.quoted_position or memory.quoted_mid_x2 == 0:
            return True
        if now_ns - memory.ts_quoted_ns >= self._interval_ns:
            return True
        return abs(mid_x2 - memory.quoted_mid_x2) * BPS >= self._move_bps * memory.quoted_mid_x2

    def quotes(self, view: StrategyView) -> WantedQuotes | None:
        """Return one bid and one ask; a side is left out when the inventory limit is reached there."""
        market = view.market
        mid_x2 = market.mid_x2
        memory = self._memory.setdefault(market.symbol, _Memory())
        self._learn(memory, view.now_ns, mid_x2)
        memory.ts_quoted_ns, memory.quoted_mid_x2, memory.quoted_position = view.now_ns, mid_x2, view.position
        return self._wanted(view, memory)

    def _learn(self, memory: _Memory, now_ns: int, mid_x2: int) -> None:
        """Update the exponentially weighted variance of the mid per second."""
        if memory.mid_x2:
            seconds = (now_ns - memory.ts_ns) / NS_PER_SECOND
            if seconds <= 0:
                return
            move_bps = (mid_x2 - memory.mid_x2) * BPS / memory.mid_x2
            keep = exp(-seconds * log(2.0) / self.settings.volatility_half_life_s)
            memory.variance = memory.variance * keep + move_bps * move_bps * (1.0 - keep) / seconds
            memory.weight = memory.weight * keep + (1.0 - keep)
        memory.ts_ns, memory.mid_x2 = now_ns, mid_x2

    def _wanted(self, view: StrategyView, memory: _Memory) -> WantedQuotes:
        settings, instrument = self.settings, view.instrument
        mid = view.market.mid_x2 / 2.0
        unit_usd = mid * instrument.money_per_unit / MONEY_UNIT
        lots = int(settings.order_notional_usd / unit_usd)
        if lots < 1:
            return WantedQuotes(instrument.symbol)
        sigma = sqrt(memory.variance / memory.weight) if memory.weight > 0 else 0.0
        rate = max(memory.trade_rate, TRADE_RATE_FLOOR)
        step = sqrt(self._c2_squared / rate) * max(sigma, VOLATILITY_FLOOR_BPS)
        units = view.position / lots
        bid_bps = self._bounded(self._c1 + (2.0 * units + 1.0) / 2.0 * step)
        ask_bps = self._bounded(self._c1 - (2.0 * units - 1.0) / 2.0 * step)
        bid = min(instrument.floor(Price(int(mid * (1.0 - bid_bps / BPS)))), self._below(view))
        ask = max(instrument.ceil(Price(-int(-mid * (1.0 + ask_bps / BPS) // 1))), self._above(view))
        inventory_usd = view.position * unit_usd
        bids = (Quote(Price(bid), Lots(lots)),) if bid > 0 and inventory_usd < settings.inventory_notional_usd else ()
        asks = (Quote(Price(ask), Lots(lots)),) if inventory_usd > -settings.inventory_notional_usd else ()
        return WantedQuotes(instrument.symbol, bids, asks)

    def _bounded(self, distance_bps: float) -> float:
        return min(max(distance_bps, self.settings.half_spread_bps_min), self.settings.half_spread_bps_max)

    def _below(self, view: StrategyView) -> int:
        """Return the highest bid that does not take: one tick below the best ask."""
        return view.instrument.floor(Price(view.market.ask_price - 1))

    def _above(self, view: StrategyView) -> int:
        """Return the lowest ask that does not take: one tick above the best bid."""
        return view.instrument.ceil(Price(view.market.bid_price + 1))

    def saw_trade(self, trade: TradePrinted) -> None:
        """Update the exponentially weighted rate of trades per second."""
        memory = self._memory.setdefault(trade.symbol, _Memory())
        decay = log(2.0) / self.settings.trade_half_life_s
        seconds = max(trade.ts_recv_ns - memory.ts_trade_ns, 0) / NS_PER_SECOND if memory.ts_trade_ns else 0.0
        memory.trade_rate = memory.trade_rate * exp(-seconds * decay) + decay
        memory.ts_trade_ns = trade.ts_recv_ns

    def snapshot(self) -> dict[str, Any]:
        """Return the memory of every market."""
        return {symbol: msgspec.to_builtins(memory) for symbol, memory in sorted(self._memory.items())}

    def restore(self, kept: dict[str, Any]) -> None:
        """Remember what a snapshot kept."""
        self._memory = {symbol: msgspec.convert(memory, _Memory) for symbol, memory in kept.items()}
