"""The sections of the configuration file, in the units a person writes: USDC, percent, milliseconds.

Why it exists: the parts of the bot take frozen settings in integers of small units; nobody should have to write those.
Every key is here once, with its range and its meaning; the error messages and `docs/CONFIG.md` are made from these
fields, and every default is taken from the part that uses it, so there is no second truth.

Laws: numbers are decimals, never floats; a key that is not declared here is refused; units stand last in names.
"""

import re
from collections import Counter
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec.structs import fields
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from bot.hidden import hidden
from domain.instrument import NOTIONAL_MIN
from domain.units import MONEY_DECIMALS, NS_PER_DAY, NS_PER_MS, NS_PER_SECOND, RATE_UNIT, format_scaled
from engine.settings import EngineSettings
from exchange.simulated.settings import (
    CASH_MAX,
    FEE_RATE_MAX,
    LATENCY_NS_MAX,
    LEVERAGE_MAX,
    SIGMA_MAX,
    QueueModel,
    VenueSettings,
)
from ledger.store_place import PORT_MAX, has_port
from monitoring.records import Level
from risk.limits import COUNT_MAX, LEVERAGE_LIMIT, MONEY_MAX, RiskLimits
from router.maker import MakerSettings
from router.recovery import RecoverySettings

PERCENT_DECIMALS = 7
FACTOR_DECIMALS = 9
MS_DECIMALS = 6

SEED_MAX = 2**63 - 1
SYMBOL_CHARS_MAX = 32

RISK = RiskLimits()
MAKER = MakerSettings()
VENUE = VenueSettings()
RECOVERY = RecoverySettings()
ENGINE = {field.name: field.default for field in fields(EngineSettings)}


def number(default: int | None, least: int, most: int, decimals: int, unit: str, meaning: str) -> Any:
    """Return a field for a decimal number. default, least and most are integers of 10**-decimals of the unit."""
    return Field(
        default=None if default is None else Decimal(format_scaled(default, decimals)),
        ge=Decimal(format_scaled(least, decimals)),
        le=Decimal(format_scaled(most, decimals)),
        decimal_places=decimals,
        description=meaning,
        json_schema_extra={"unit": unit},
    )


def usd(default: int, least: int, meaning: str, most: int = MONEY_MAX) -> Any:
    """Return a field in USDC from Money."""
    return number(default, least, most, MONEY_DECIMALS, "USDC", meaning)


def percent(default: int, least: int, most: int, meaning: str) -> Any:
    """Return a field in percent from Rate."""
    return number(default, least, most, PERCENT_DECIMALS, "percent", meaning)


def milliseconds(default: int | None, least: int, most: int, meaning: str) -> Any:
    """Return a field in milliseconds from nanoseconds."""
    return number(default, least, most, MS_DECIMALS, "milliseconds", meaning)


def count(default: int, least: int, most: int, meaning: str) -> Any:
    """Return a field for a whole number."""
    return Field(default=default, ge=least, le=most, description=meaning)


class Section(BaseModel):
    """One table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth_as_number(cls, value: object, info: ValidationInfo) -> object:
        """Keep true and false from passing as 1 and 0."""
        field = cls.model_fields.get(info.field_name or "")
        if isinstance(value, bool) and field is not None and field.annotation is not bool:
            raise PydanticCustomError("truth_value", "a truth value is no number")
        return value


class BotSection(Section):
    """The process and its rhythm."""

    state_dir: Path = Field(default=Path("state"), description="where ledger, journal, log and bot.json are kept")
    seed: int = count(1, 0, SEED_MAX, "seed of the synthetic market, the simulated venue and the run's identifiers")
    pulse_interval_ms: Decimal = milliseconds(
        ENGINE["pulse_interval_ns"],
        NS_PER_MS,
        60 * NS_PER_SECOND,
        "how often the account is marked and limits are watched",
    )
    account_interval_ms: Decimal = milliseconds(
        ENGINE["account_interval_ns"],
        0,
        3_600 * NS_PER_SECOND,
        "how often the venue's statement of the account is compared with the book; 0: only at start and after doubt",
    )
    answer_timeout_ms: Decimal = milliseconds(
        RECOVERY.answer_timeout_ns,
        NS_PER_MS,
        600 * NS_PER_SECOND,
        "how long an order waits for an answer before it is in doubt",
    )
    denial_pause_ms: Decimal = milliseconds(
        ENGINE["denial_pause_ns"], 0, 600 * NS_PER_SECOND, "how long a denied wish is not repeated unchanged"
    )
    flatten_on_halt: bool = Field(
        default=ENGINE["flatten_on_halt"], description="whether the kill switch also closes positions, reduce-only"
    )
    flatten_slippage_percent: Decimal = percent(
        ENGINE["flatten_slippage"],
        0,
        RATE_UNIT // 2,
        "how far from the market orders that close a position may be priced",
    )


class InstrumentRisk(Section):
    """What one instrument may hold."""

    order_notional_usd_max: Decimal = usd(RISK.default.order_notional_max, NOTIONAL_MIN, "largest value of one order")
    position_notional_usd_max: Decimal = usd(
        RISK.default.position_notional_max, NOTIONAL_MIN, "largest position at mark, its resting orders filled"
    )


class RiskSection(InstrumentRisk):
    """Limits of the account; the first two hold for every instrument without a table of its own."""

    instruments: dict[str, InstrumentRisk] = Field(
        default={},
        description="limits of single instruments, as tables [risk.instruments.BTC]; each replaces both defaults",
    )
    total_exposure_usd_max: Decimal = usd(
        RISK.total_exposure_max, NOTIONAL_MIN, "largest sum over instruments of position and resting orders at mark"
    )
    leverage_max: Decimal = number(
        RISK.leverage_max, 1, LEVERAGE_LIMIT, FACTOR_DECIMALS, "", "largest exposure, as a multiple of equity"
    )
    open_orders_max: int = count(RISK.open_orders_max, 1, COUNT_MAX, "most orders open at once")
    orders_per_interval_max: int = count(
        RISK.orders_per_interval_max, 1, COUNT_MAX, "most new orders within order_interval_ms"
    )
    order_interval_ms: Decimal = milliseconds(
        RISK.order_interval_ns, NS_PER_MS, NS_PER_DAY, "window of orders_per_interval_max"
    )
    price_band_percent: Decimal = percent(
        RISK.price_band, 1, RATE_UNIT - 1, "largest distance of an order's price from the mark price"
    )
    drawdown_warn_percent: Decimal = percent(
        RISK.drawdown_warn, 1, RATE_UNIT, "fall of equity below its peak that warns; at most drawdown_stop_percent"
    )
    drawdown_stop_percent: Decimal = percent(
        RISK.drawdown_stop, 1, RATE_UNIT, "fall of equity below its peak that engages the kill switch"
    )
    daily_loss_usd_max: Decimal = usd(RISK.daily_loss_max, 1, "loss since 00:00 UTC that engages the kill switch")
    market_data_age_ms_max: Decimal = milliseconds(
        RISK.market_data_age_ns_max, NS_PER_MS, NS_PER_DAY, "age of market data from which nothing is quoted"
    )
    margin_ratio_stop_percent: Decimal = percent(
        RISK.margin_ratio_stop, 1, RATE_UNIT, "maintenance margin over equity that engages the kill switch"
    )
    value_at_risk_usd_max: Decimal = usd(
        RISK.value_at_risk_max, 0, "largest 95 % value at risk for new positions; 0 is off"
    )

    @model_validator(mode="after")
    def _warn_before_stop(self) -> "RiskSection":
        """Refuse a warning that would come after the stop."""
        if self.drawdown_warn_percent > self.drawdown_stop_percent:
            raise ValueError(
                f"drawdown_warn_percent ({self.drawdown_warn_percent}) at most "
                f"drawdown_stop_percent ({self.drawdown_stop_percent})"
            )
        return self


class MakerSection(Section):
    """When a working order is close enough to the wanted quote to stay."""

    reprice_ticks: int = count(MAKER.reprice_ticks, 0, COUNT_MAX, "largest distance in ticks from the wanted price")
    resize_percent: Decimal = percent(
        MAKER.resize_share, 0, RATE_UNIT - 1, "largest difference of open size from the wanted size"
    )
    use_replace: bool = Field(
        default=MAKER.use_replace,
        description="whether an order is changed in one request instead of canceled and placed",
    )


class StrategySection(BaseModel):
    """Which strategy quotes; every further key is a parameter of that strategy."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(default="two_sided", description="which strategy quotes; further keys are its parameters")


class VenueSection(Section):
    """The simulated venue: money, fees, queue, latencies."""

    cash_usd: Decimal = usd(VENUE.cash, 0, "cash at start", CASH_MAX)
    leverage: int = count(ENGINE["leverage"], 1, LEVERAGE_MAX, "leverage set at the venue for every instrument")
    maker_fee_percent: Decimal = percent(
        VENUE.maker_rate, -FEE_RATE_MAX, FEE_RATE_MAX, "maker fee; negative is a rebate"
    )
    taker_fee_percent: Decimal = percent(VENUE.taker_rate, -FEE_RATE_MAX, FEE_RATE_MAX, "taker fee")
    open_orders_max: int = count(VENUE.open_orders_max, 1, COUNT_MAX, "open orders the venue allows")
    requests_initial: int = count(
        ENGINE["requests_initial"], 0, 10**9, "requests the venue allows before volume earns more"
    )
    queue_model: QueueModel = Field(
        default=VENUE.queue_model, description="how the queue ahead of a resting order shrinks without a trade"
    )
    feed_latency_ms: Decimal | None = milliseconds(
        None, 0, LATENCY_NS_MAX, "median delay of market data; left out: as recorded"
    )
    order_latency_ms: Decimal = milliseconds(
        VENUE.order_latency.median_ns, 0, LATENCY_NS_MAX, "median delay from us to the venue"
    )
    response_latency_ms: Decimal = milliseconds(
        VENUE.response_latency.median_ns, 0, LATENCY_NS_MAX, "median delay from the venue to us"
    )
    latency_sigma: Decimal = number(
        VENUE.order_latency.sigma, 0, SIGMA_MAX, FACTOR_DECIMALS, "",
        "spread of all latencies: standard deviation of their logarithm; 0 is constant",
    )  # fmt: skip
    funding_on: bool = Field(default=VENUE.funding_on, description="whether funding is paid each hour")


class NetworkName(StrEnum):
    """Where orders go."""

    SIMULATED = "simulated"
    LOCAL = "local"
    TESTNET = "testnet"
    MAINNET = "mainnet"


class NetworkSection(Section):
    """Where orders go, and as whom; simulated unless told."""

    name: NetworkName = Field(
        default=NetworkName.SIMULATED,
        description="simulated: inside this process; local: a venue server such as `hat venue`; testnet; mainnet",
    )
    url: str = Field(default="", description="base URL of network local; empty: http://127.0.0.1:3001")
    account: str = Field(
        default="", description="address of the account that trades: master or sub-account, never the agent's"
    )
    key_file: str = Field(default="", description="file with the agent's secret key as hex, readable by its owner only")
    keystore: str = Field(
        default="", description="encrypted Ethereum keystore v3 with the agent's key; HAT_KEYSTORE_PASSPHRASE opens it"
    )
    allow_master_key: bool = Field(
        default=False, description="whether the key may be the account's own; an agent's cannot withdraw"
    )
    expires_after_ms: Decimal = milliseconds(
        0,
        0,
        600 * NS_PER_SECOND,
        "after how long the venue refuses an order that is still on its way; 0: never",
    )
    request_timeout_ms: Decimal = milliseconds(
        5 * NS_PER_SECOND, NS_PER_MS, 60 * NS_PER_SECOND, "how long one request may take before its fate is unknown"
    )
    stale_ms: Decimal = milliseconds(
        30 * NS_PER_SECOND, NS_PER_SECOND, 600 * NS_PER_SECOND, "silence after which a connection counts as lost"
    )

    @field_validator("account")
    @classmethod
    def _address(cls, text: str) -> str:
        """Refuse what is no address; return it in lower case."""
        if text and not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
            raise ValueError("an address: 0x and 40 hex digits")
        return text.lower()

    @field_validator("url")
    @classmethod
    def _base(cls, url: str) -> str:
        """Refuse what is no base URL."""
        parts = urlsplit(url)
        if url and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}):
            raise ValueError("a base URL such as http://127.0.0.1:3001")
        return url.rstrip("/")


def split_list(value: object) -> object:
    """Return text such as "BTC, ETH" or '["BTC", "ETH"]' (an environment variable) as a list."""
    if not isinstance(value, str):
        return value
    return [part.strip().strip("\"'") for part in value.strip().removeprefix("[").removesuffix("]").split(",")]


class MarketSection(Section):
    """What is traded."""

    instruments: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)] = Field(
        default=("BTC", "ETH", "SOL"), min_length=1, max_length=1_000, description="symbols to trade"
    )

    @field_validator("instruments")
    @classmethod
    def _plain_and_once(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse names no venue has, and names given twice."""
        for symbol, times in Counter(symbols).items():
            if not 0 < len(symbol) <= SYMBOL_CHARS_MAX or not symbol.isprintable() or set(symbol) & set(" ,;\"'"):
                raise ValueError(
                    f"symbols of 1 to {SYMBOL_CHARS_MAX} characters such as BTC, found {hidden(symbol)[:40]!r}"
                )
            if times > 1:
                raise ValueError(f"every symbol once, found {symbol} {times} times")
        return symbols


class LedgerSection(Section):
    """Where the ledger is kept."""

    url: str = Field(
        default="", description="SQLAlchemy URL, sqlite or postgresql; empty: a SQLite file in state_dir"
    )  # fmt: skip

    @field_validator("url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        """Refuse databases the ledger is not tested with."""
        dialect, separator, place = url.partition("://")
        if url and (not separator or not place or dialect.partition("+")[0] not in {"sqlite", "postgresql"}):
            raise ValueError("a URL such as sqlite:///state/ledger.db or postgresql+psycopg://user@host/name")
        if not has_port(url):
            raise ValueError(f"a port from 1 to {PORT_MAX:,} after the server's name")
        return url


class MonitoringSection(Section):
    """What the bot tells the world."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="address of /metrics, /health and /status; loopback unless told"
    )
    port: int = count(8080, 0, 65_535, "port of the same; 0: any free one")
    otlp_endpoint: str = Field(
        default="", description="OTLP/HTTP endpoint for traces; empty: traces stay in memory"
    )  # fmt: skip
    log_path: str = Field(default="", description="the log file; empty: hat.log in state_dir")
    log_level: Level = Field(default=Level.INFO, description="least level that is logged")

    @field_validator("otlp_endpoint")
    @classmethod
    def _web_address(cls, url: str) -> str:
        """Refuse what no exporter could reach."""
        expected = "a URL such as http://localhost:4318/v1/traces"
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise ValueError(expected) from None
        if url and not is_address:
            raise ValueError(expected)
        return url
