"""The configuration: one TOML file, then the environment, then the command line; each overrides the one before.

`load` reads and checks everything before anything starts. The functions at the end turn its sections into the frozen
integer settings of the parts. Environment variables are named HAT_SECTION__KEY, e.g. HAT_RISK__LEVERAGE_MAX=2.

Laws: whatever is wrong is one `ConfigInvalid` that names the key, the value and what would be allowed; an unknown key
is refused with its nearest neighbor, never ignored; a password is shown by nobody, not even by an error.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import fields
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from bot.config_sections import (
    FACTOR_DECIMALS,
    MS_DECIMALS,
    PERCENT_DECIMALS,
    BotSection,
    InstrumentRisk,
    LedgerSection,
    MakerSection,
    MarketSection,
    MonitoringSection,
    NetworkSection,
    RiskSection,
    StrategySection,
    VenueSection,
)
from bot.hidden import hidden
from domain.errors import ConfigInvalid
from domain.identifiers import RunId
from domain.instrument import Instrument
from domain.units import MONEY_DECIMALS, Money, Rate, parse_scaled
from engine.settings import EngineSettings
from engine.strategies import make_strategy
from engine.strategy import Strategy
from exchange.simulated.settings import LatencySettings, VenueSettings
from ledger.store_place import MASK, masked, masked_words
from risk.limits import InstrumentLimits, RiskLimits
from router.maker import MakerSettings
from router.recovery import RecoverySettings

DEFAULT_FILE = Path("hat.toml")
PREFIX = "HAT_"
NESTING = "__"
REDACTED = MASK
SHOWN_CHARS_MAX = 80

SECRET_KEY = re.compile(r"(password|passwd|secret|token|api_?key|private_?key|mnemonic|credential)", re.IGNORECASE)


class HatConfig(BaseSettings):
    """Everything a user may set, by section."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=NESTING, env_ignore_empty=True, extra="forbid", frozen=True
    )

    bot: BotSection = BotSection()
    market: MarketSection = MarketSection()
    strategy: StrategySection = StrategySection()
    risk: RiskSection = RiskSection()
    maker: MakerSection = MakerSection()
    venue: VenueSection = VenueSection()
    network: NetworkSection = NetworkSection()
    ledger: LedgerSection = LedgerSection()
    monitoring: MonitoringSection = MonitoringSection()


def load(path: Path | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> HatConfig:
    """Return the configuration from a file (hat.toml when there is one), the environment and overrides by section.

    Raises: ConfigInvalid for a file that cannot be read and for the first setting that cannot be used.
    """
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    from_file = read_toml(path) if path is not None else {}
    _refuse_unknown_sections(from_file)

    class Loaded(HatConfig):
        """The configuration with this file among its sources."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """Rank the sources: command line, environment, file."""
            del init_settings, dotenv_settings, file_secret_settings
            asked = {name: dict(section) for name, section in (overrides or {}).items()}
            return InitSettingsSource(settings_cls, asked), env_settings, InitSettingsSource(settings_cls, from_file)

    try:
        config = Loaded()
    except ValidationError as error:
        raise _refusal(error.errors()[0]) from None
    except SettingsError as error:
        raise ConfigInvalid("environment", masked_words(str(error)), "HAT_SECTION__KEY, one variable per key") from None
    strategy(config)
    return config


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file with its numbers exact.

    Raises: ConfigInvalid when it cannot be read or is no TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file, parse_float=Decimal)
    except OSError as error:
        raise ConfigInvalid("config file", str(path), f"a readable TOML file ({error.strerror})") from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ConfigInvalid("config file", str(path), f"valid TOML ({error})") from None


def _refuse_unknown_sections(from_file: Mapping[str, Any]) -> None:
    """Refuse sections nobody reads, in the file and in the environment."""
    sections = HatConfig.model_fields
    for name in from_file:
        if name not in sections:
            raise ConfigInvalid(name, _shown(name, from_file[name]), f"a known section; {_nearest(name, sections)}")
    for variable, value in sorted(os.environ.items()):
        if variable.upper().startswith(PREFIX) and NESTING in variable:
            name = variable[len(PREFIX) :].split(NESTING)[0]
            if name.lower() not in sections:
                known = [PREFIX + section.upper() for section in sections]
                expected = f"a known section; {_nearest(PREFIX + name.upper(), known)}"
                raise ConfigInvalid(variable, _shown(variable, value), expected)
        for section, field in sections.items():
            key = variable.lower().removeprefix(f"{PREFIX}{section}_".lower())
            if key in getattr(field.annotation, "model_fields", {}):
                meant = f"{PREFIX}{section}{NESTING}{key}".upper()
                raise ConfigInvalid(variable, _shown(variable, value), f"two underscores, as in {meant}")


def _refusal(found: ErrorDetails) -> ConfigInvalid:
    """Return what pydantic found as our error: key, value, what would be allowed."""
    path = [str(part) for part in found["loc"]]
    key = ".".join(path)
    owner, field = _declared(path)
    value = _shown(key, found["input"])
    if found["type"] == "extra_forbidden":
        return ConfigInvalid(key, value, f"a known key; {_nearest(path[-1], owner.model_fields)}")
    if found["type"] == "value_error":
        return ConfigInvalid(key, value, str(found["ctx"]["error"]))
    return ConfigInvalid(key, value, expected_of(field) if field is not None else "a table of keys")


def _declared(path: list[str]) -> tuple[type[BaseModel], FieldInfo | None]:
    """Return the table that holds a key, and the key's field when it is declared and no table itself."""
    owner: type[BaseModel] = HatConfig
    field: FieldInfo | None = None
    for part in path:
        if field is not None and part.isdigit():
            continue
        field = owner.model_fields.get(part)
        inside = field.annotation if field is not None else None
        if owner is RiskSection and part == "instruments":
            owner, field = InstrumentRisk, None
        elif isinstance(inside, type) and issubclass(inside, BaseModel):
            owner, field = inside, None
    return owner, field


def expected_of(field: FieldInfo) -> str:
    """Return in words what a key takes: "a number of percent from 0.1 to 100, at most 7 decimals"."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(member.value) for member in kind)}"
    if kind is bool:
        return "true or false"
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "le") if hasattr(rule, name)}
    if not bounds:
        return "text" if kind is str or kind is Path else 'a list of symbols such as ["BTC", "ETH"]'
    if kind is int:
        return f"a whole number from {bounds['ge']} to {bounds['le']}"
    unit = unit_of(field)
    places = next(rule.decimal_places for rule in field.metadata if getattr(rule, "decimal_places", None) is not None)
    span = f"from {bounds['ge']:f} to {bounds['le']:f}"
    return f"a number{f' of {unit}' if unit else ''} {span}, at most {places} decimals"


def unit_of(field: FieldInfo) -> str:
    """Return the unit of a key, empty when it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the nearest known name, or all of them when none is near."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _shown(key: str, value: object) -> str:
    """Return a value as an error may show it: short, without passwords."""
    if isinstance(value, Mapping | BaseModel):
        return "a table"
    return REDACTED if SECRET_KEY.search(key) else masked_words(hidden(str(value)))[:SHOWN_CHARS_MAX]


def redacted(config: HatConfig) -> dict[str, Any]:
    """Return the whole configuration as plain data for people: exact decimal text, defaults filled in, no passwords."""
    shown = {name: _plain(name, getattr(config, name)) for name in HatConfig.model_fields}
    parameters = getattr(strategy(config), "settings", None)
    if isinstance(parameters, msgspec.Struct):
        shown["strategy"].update(_plain("strategy", msgspec.to_builtins(parameters)))
    return shown


def _plain(key: str, value: object) -> Any:
    if isinstance(value, BaseModel):
        own = {name: getattr(value, name) for name in type(value).model_fields} | (value.model_extra or {})
        return {name: _plain(name, one) for name, one in own.items()}
    if isinstance(value, Mapping):
        return {str(name): _plain(str(name), one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(key, one) for one in value]
    if value is not None and SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Enum):
        return value.value
    return hidden(masked(str(value))) if isinstance(value, str | Path) else value


def config_hash(config: HatConfig) -> str:
    """Return the SHA-256, as hex, of what `redacted` shows: the name of this configuration on every ledger row."""
    return hash_of(redacted(config))


def hash_of(shown: Mapping[str, Any]) -> str:
    """Return the SHA-256, as hex, of a configuration as `redacted` shows it."""
    return sha256(msgspec.json.encode(shown, order="deterministic")).hexdigest()


def _scaled(value: Decimal, decimals: int) -> int:
    return parse_scaled(f"{value:f}", decimals)


def _money(value: Decimal) -> Money:
    return Money(_scaled(value, MONEY_DECIMALS))


def _percent(value: Decimal) -> Rate:
    return Rate(_scaled(value, PERCENT_DECIMALS))


def _ns(value: Decimal) -> int:
    return _scaled(value, MS_DECIMALS)


def risk_limits(config: HatConfig) -> RiskLimits:
    """Return the limits in integer units."""
    risk = config.risk
    return RiskLimits(
        default=_instrument_limits(risk),
        per_instrument={_symbol(config, name): _instrument_limits(own) for name, own in risk.instruments.items()},
        total_exposure_max=_money(risk.total_exposure_usd_max),
        leverage_max=Rate(_scaled(risk.leverage_max, FACTOR_DECIMALS)),
        open_orders_max=risk.open_orders_max,
        orders_per_interval_max=risk.orders_per_interval_max,
        order_interval_ns=_ns(risk.order_interval_ms),
        price_band=_percent(risk.price_band_percent),
        drawdown_warn=_percent(risk.drawdown_warn_percent),
        drawdown_stop=_percent(risk.drawdown_stop_percent),
        daily_loss_max=_money(risk.daily_loss_usd_max),
        market_data_age_ns_max=_ns(risk.market_data_age_ms_max),
        margin_ratio_stop=_percent(risk.margin_ratio_stop_percent),
        value_at_risk_max=_money(risk.value_at_risk_usd_max),
    )


def _instrument_limits(risk: InstrumentRisk) -> InstrumentLimits:
    return InstrumentLimits(
        order_notional_max=_money(risk.order_notional_usd_max),
        position_notional_max=_money(risk.position_notional_usd_max),
    )


def _symbol(config: HatConfig, name: str) -> str:
    """Return the traded symbol that a table names in any case: the environment knows only one."""
    return next((symbol for symbol in config.market.instruments if symbol.lower() == name.lower()), name)


def maker_settings(config: HatConfig) -> MakerSettings:
    """Return the maker router's settings in integer units."""
    maker = config.maker
    return MakerSettings(
        reprice_ticks=maker.reprice_ticks,
        resize_share=_percent(maker.resize_percent),
        use_replace=maker.use_replace,
    )


def engine_settings(
    config: HatConfig, run_id: RunId, instruments: tuple[Instrument, ...], requests_initial: int | None = None
) -> EngineSettings:
    """Return the engine's settings for one run over these instruments; requests_initial overrides the configured one.

    Raises: ConfigInvalid when they cannot be used together.
    """
    return EngineSettings(
        run_id=run_id,
        instruments=instruments,
        limits=risk_limits(config),
        maker=maker_settings(config),
        leverage=config.venue.leverage,
        pulse_interval_ns=_ns(config.bot.pulse_interval_ms),
        account_interval_ns=_ns(config.bot.account_interval_ms),
        recovery=RecoverySettings(answer_timeout_ns=_ns(config.bot.answer_timeout_ms)),
        denial_pause_ns=_ns(config.bot.denial_pause_ms),
        requests_initial=config.venue.requests_initial if requests_initial is None else requests_initial,
        flatten_on_halt=config.bot.flatten_on_halt,
        flatten_slippage=_percent(config.bot.flatten_slippage_percent),
    ).validated()


def venue_settings(config: HatConfig) -> VenueSettings:
    """Return the simulated venue's settings in integer units."""
    venue = config.venue
    sigma = Rate(_scaled(venue.latency_sigma, FACTOR_DECIMALS))

    def latency(median_ms: Decimal) -> LatencySettings:
        return LatencySettings(median_ns=_ns(median_ms), sigma=sigma)

    return VenueSettings(
        cash=_money(venue.cash_usd),
        leverage=venue.leverage,
        maker_rate=_percent(venue.maker_fee_percent),
        taker_rate=_percent(venue.taker_fee_percent),
        open_orders_max=venue.open_orders_max,
        queue_model=venue.queue_model,
        feed_latency=None if venue.feed_latency_ms is None else latency(venue.feed_latency_ms),
        order_latency=latency(venue.order_latency_ms),
        response_latency=latency(venue.response_latency_ms),
        seed=config.bot.seed,
        funding_on=venue.funding_on,
    )


def strategy(config: HatConfig) -> Strategy:
    """Return a fresh strategy with the parameters of its section.

    Raises: ConfigInvalid for an unknown strategy or parameter, and for a value the strategy cannot use.
    """
    section = config.strategy
    known = getattr(make_strategy(section.name, {}), "settings", None)
    types = {one.name: one.type for one in fields(known)} if isinstance(known, msgspec.Struct) else {}
    parameters: dict[str, Any] = {}
    for name, value in (section.model_extra or {}).items():
        key, shown = f"strategy.{name}", _shown(f"strategy.{name}", value)
        if types and name not in types:
            raise ConfigInvalid(key, shown, f"a known key; {_nearest(name, ['name', *types])}")
        plain = float(value) if isinstance(value, Decimal) else value
        try:
            parameters[name] = msgspec.convert(plain, types.get(name, Any), strict=False)
        except msgspec.ValidationError:
            expected = {int: "a whole number", float: "a number", bool: "true or false"}.get(types[name], "text")
            raise ConfigInvalid(key, shown, expected) from None
        if isinstance(parameters[name], float) and not isfinite(parameters[name]):
            raise ConfigInvalid(key, shown, "a finite number")
    return make_strategy(section.name, parameters)


def ledger_url(config: HatConfig) -> str:
    """Return the SQLAlchemy URL of the ledger."""
    return config.ledger.url or f"sqlite:///{config.bot.state_dir / 'ledger.db'}"


def log_path(config: HatConfig) -> Path:
    """Return where the log is written."""
    return Path(config.monitoring.log_path) if config.monitoring.log_path else config.bot.state_dir / "hat.log"
