"""Everything that is decided before the engine starts, frozen, with units in the names.

The edge (`bot/config.py`) makes these from a TOML file and the environment; a backtest makes them by hand.
"""

import msgspec

from domain.errors import ConfigInvalid
from domain.identifiers import RunId
from domain.instrument import Instrument
from domain.units import NS_PER_MS, NS_PER_SECOND, RATE_UNIT, Rate
from ledger.execution import HORIZONS_NS
from risk.limits import RiskLimits, validate
from router.maker import MakerSettings
from router.recovery import RecoverySettings

SIXTY_FOUR_BITS = 2**64


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one engine.

    pulse_interval_ns is how often the account is marked and staleness, unanswered orders and breakers are looked at;
    denial_pause_ns is how long a wish that we denied or the venue refused is not repeated, and how long quotes stand back
    after a post-only refusal; requests_initial is the venue's initial address
    budget; flatten_slippage bounds the price of orders that close a position when the kill switch flattens;
    markout_horizons_ns are the times after a fill at which the mid is taken, ascending; account_interval_ns is how often
    the account is asked for while trading, so that money which moves without a fact is seen, 0 never; three times as long
    without a statement that could be compared, and only what reduces a position goes.
    """

    run_id: RunId
    instruments: tuple[Instrument, ...]
    limits: RiskLimits
    maker: MakerSettings
    leverage: int = 5
    pulse_interval_ns: int = NS_PER_SECOND
    recovery: RecoverySettings = RecoverySettings()
    denial_pause_ns: int = NS_PER_SECOND
    requests_initial: int = 10_000
    flatten_on_halt: bool = False
    flatten_slippage: Rate = Rate(RATE_UNIT // 100)
    account_interval_ns: int = 60 * NS_PER_SECOND
    markout_horizons_ns: tuple[int, ...] = HORIZONS_NS

    def validated(self) -> "EngineSettings":
        """Return the settings, or raise ConfigInvalid for the first that cannot be used."""
        if not self.instruments:
            raise ConfigInvalid("instruments", (), "at least one instrument")
        symbols = [instrument.symbol for instrument in self.instruments]
        if len(set(symbols)) != len(symbols):
            raise ConfigInvalid("instruments", symbols, "every symbol once")
        if not 0 < self.run_id < SIXTY_FOUR_BITS:
            raise ConfigInvalid("run_id", self.run_id, "1 to 2**64 - 1")
        if self.leverage < 1:
            raise ConfigInvalid("leverage", self.leverage, "1 or more")
        if self.pulse_interval_ns < NS_PER_MS:
            raise ConfigInvalid("pulse_interval_ns", self.pulse_interval_ns, "at least one millisecond")
        if self.account_interval_ns < 0:
            raise ConfigInvalid("account_interval_ns", self.account_interval_ns, "0 or more")
        horizons_ns = self.markout_horizons_ns
        if list(horizons_ns) != sorted(set(horizons_ns)) or min(horizons_ns, default=1) < 1:
            raise ConfigInvalid("markout_horizons_ns", horizons_ns, "times above 0, each above the one before")
        self.maker.validated()
        self.recovery.validated()
        validate(self.limits)
        return self
