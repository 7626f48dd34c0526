"""One file, the environment, the command line; exact numbers in, one sentence out when something is wrong."""

import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import config_sections
from bot.config import (
    HatConfig,
    engine_settings,
    expected_of,
    ledger_url,
    load,
    log_path,
    maker_settings,
    risk_limits,
    strategy,
    venue_settings,
)
from domain.errors import ConfigInvalid
from domain.identifiers import RunId
from domain.instrument import perpetual
from domain.units import MONEY_UNIT, NS_PER_MS, RATE_UNIT
from engine.settings import EngineSettings
from exchange.simulated.settings import QueueModel, VenueSettings
from exchange.simulated.settings import validated as venue_validated
from monitoring.records import Level
from risk.limits import RiskLimits
from risk.limits import validate as validate_limits
from router.maker import MakerSettings

BTC = perpetual("BTC", 0, 5, 40)
SECTIONS = {name: field.annotation for name, field in HatConfig.model_fields.items()}
NUMBERS = [
    (section, key, field)
    for section, kind in SECTIONS.items()
    for key, field in kind.model_fields.items()
    if any(hasattr(rule, "le") for rule in field.metadata)
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No file and no variable of the person who runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("HAT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def loaded(tmp_path):
    """Load a configuration from the text of a file."""

    def from_text(text="", overrides=None):
        path = tmp_path / "some.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, overrides)

    return from_text


def refused(loading, *arguments, **named):
    with pytest.raises(ConfigInvalid) as error:
        loading(*arguments, **named)
    assert "\n" not in str(error.value)
    return error.value


def test_defaults_are_those_of_the_parts():
    config = load()
    assert risk_limits(config) == RiskLimits()
    assert maker_settings(config) == MakerSettings()
    settings = engine_settings(config, RunId(7), (BTC,))
    assert settings == EngineSettings(run_id=RunId(7), instruments=(BTC,), limits=RiskLimits(), maker=MakerSettings())
    assert venue_settings(config) == VenueSettings(leverage=settings.leverage)
    assert config.market.instruments == ("BTC", "ETH", "SOL")
    assert strategy(config).name == "two_sided"


def test_the_defaults_pass_the_checks_of_the_parts():
    validate_limits(risk_limits(load()))
    venue_validated(venue_settings(load()))
    maker_settings(load()).validated()


def test_the_bot_stays_on_loopback_unless_told():
    assert load().monitoring.host == "127.0.0.1"
    assert load().monitoring.otlp_endpoint == ""


def test_hat_toml_of_the_working_directory_is_read_without_being_named():
    Path("hat.toml").write_text("[bot]\nseed = 42\n", encoding="utf-8")
    assert load().bot.seed == 42


def test_the_command_line_beats_the_environment_beats_the_file(loaded, monkeypatch):
    text = "[bot]\nseed = 1\n[risk]\nopen_orders_max = 1\ndaily_loss_usd_max = 1\n"
    monkeypatch.setenv("HAT_BOT__SEED", "2")
    monkeypatch.setenv("HAT_RISK__OPEN_ORDERS_MAX", "2")
    config = loaded(text, {"bot": {"seed": 3}})
    assert (config.bot.seed, config.risk.open_orders_max, config.risk.daily_loss_usd_max) == (3, 2, 1)


def test_every_section_reaches_the_part_it_is_for(loaded):
    config = loaded(
        """
        [bot]
        state_dir = "elsewhere"
        seed = 9
        pulse_interval_ms = 250
        answer_timeout_ms = 1500.5
        denial_pause_ms = 0
        flatten_on_halt = true
        flatten_slippage_percent = 0.5
        [risk]
        order_notional_usd_max = 123.45
        leverage_max = 2.5
        drawdown_stop_percent = "7.5"
        value_at_risk_usd_max = 100
        [risk.instruments.BTC]
        position_notional_usd_max = 2_000
        [maker]
        reprice_ticks = 0
        resize_percent = 25
        use_replace = false
        [venue]
        cash_usd = "500.00000001"
        leverage = 10
        maker_fee_percent = -0.002
        queue_model = "probabilistic"
        feed_latency_ms = 0.25
        order_latency_ms = 1
        latency_sigma = 0.3
        funding_on = false
        requests_initial = 77
        """
    )
    limits = risk_limits(config)
    assert limits.default.order_notional_max == 12_345_000_000
    assert limits.per_instrument["BTC"].position_notional_max == 2_000 * MONEY_UNIT
    assert limits.per_instrument["BTC"].order_notional_max == RiskLimits().default.order_notional_max
    assert (limits.leverage_max, limits.drawdown_stop) == (2_500_000_000, 75_000_000)
    assert limits.value_at_risk_max == 100 * MONEY_UNIT
    assert maker_settings(config) == MakerSettings(reprice_ticks=0, resize_share=RATE_UNIT // 4, use_replace=False)
    engine = engine_settings(config, RunId(1), (BTC,))
    assert (engine.pulse_interval_ns, engine.denial_pause_ns) == (250 * NS_PER_MS, 0)
    assert engine.recovery.answer_timeout_ns == 1_500_500_000
    assert (engine.flatten_on_halt, engine.flatten_slippage) == (True, RATE_UNIT // 200)
    assert (engine.leverage, engine.requests_initial) == (10, 77)
    venue = venue_settings(config)
    assert (venue.cash, venue.leverage, venue.maker_rate, venue.seed) == (50_000_000_001, 10, -20_000, 9)
    assert (venue.queue_model, venue.funding_on) == (QueueModel.PROBABILISTIC, False)
    assert (venue.feed_latency.median_ns, venue.order_latency.median_ns) == (250_000, NS_PER_MS)
    assert {one.sigma for one in (venue.feed_latency, venue.order_latency, venue.response_latency)} == {300_000_000}
    assert config.bot.state_dir == Path("elsewhere")


def test_numbers_of_the_file_are_exact(loaded):
    """0.1 as a float would not be ten million units of a rate."""
    assert risk_limits(loaded("[risk]\nprice_band_percent = 0.1\n")).price_band == 1_000_000
    cash = venue_settings(loaded("[venue]\ncash_usd = 123456789.12345678\n")).cash
    assert cash == 12_345_678_912_345_678


@given(money=st.integers(10 * MONEY_UNIT, 10**9 * MONEY_UNIT))
def test_any_amount_of_money_arrives_to_the_last_unit(money):
    config = load(overrides={"risk": {"total_exposure_usd_max": str(Decimal(money).scaleb(-8))}})
    assert risk_limits(config).total_exposure_max == money


@pytest.mark.parametrize(("section", "key", "field"), NUMBERS)
def test_every_number_has_a_range_that_holds_at_both_ends(section, key, field):
    (least,) = [rule.ge for rule in field.metadata if hasattr(rule, "ge")]
    (most,) = [rule.le for rule in field.metadata if hasattr(rule, "le")]
    step = 1 if field.annotation is int else Decimal(1).scaleb(-9)
    for value in (least, most):
        named = {key: value}
        if key == "drawdown_warn_percent":
            named["drawdown_stop_percent"] = 100
        if key == "drawdown_stop_percent":
            named["drawdown_warn_percent"] = least
        assert getattr(getattr(load(overrides={section: named}), section), key) == value
    for absurd in (
        least - step,
        most + step,
        "nan",
        "inf",
        "-inf",
        "NaN",
        Decimal("nan"),
        float("inf"),
        True,
        "x",
        [],
        "1e999",
    ):
        error = refused(load, overrides={section: {key: absurd}})
        assert error.key == f"{section}.{key}"
        plain = [str(one) if field.annotation is int else format(one, "f") for one in (least, most)]
        assert f"from {plain[0]} to {plain[1]}" in error.expected


def test_more_decimals_than_the_unit_has_are_refused():
    error = refused(load, overrides={"risk": {"daily_loss_usd_max": "1.000000001"}})
    assert str(error) == (
        "risk.daily_loss_usd_max = '1.000000001': expected a number of USDC from 0.00000001 to 10000000000, "
        "at most 8 decimals"
    )


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-5", "1e400"])
def test_absurd_numbers_of_a_file_are_refused(loaded, value):
    assert refused(loaded, f"[venue]\ncash_usd = {value}\n").key == "venue.cash_usd"


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("[risk]\nleverge_max = 3\n", "risk.leverge_max", "leverage_max"),
        ("[riks]\nleverage_max = 3\n", "riks", "risk"),
        ("seed = 3\n", "seed", "known are bot, market"),
        ("[bot]\nzzzz = 3\n", "bot.zzzz", "known are state_dir, seed"),
        ("[risk.instruments.BTC]\norder_notional_usd = 50\n", "risk.instruments.BTC.order_notional_usd", "order_notional_usd_max"),
        ("[strategy]\ngama = 0.2\n", "strategy.gama", "gamma"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_with_its_nearest_neighbor(loaded, text, key, near):
    error = refused(loaded, text)
    assert error.key == key
    assert near in error.expected


def test_an_unknown_override_is_refused_too():
    assert "did you mean venue?" in refused(load, overrides={"venu": {"cash_usd": 1}}).expected


def test_an_unknown_variable_is_refused_with_its_nearest_neighbor(monkeypatch):
    monkeypatch.setenv("HAT_RIKS__LEVERAGE_MAX", "2")
    error = refused(load)
    assert (error.key, error.value) == ("HAT_RIKS__LEVERAGE_MAX", "2")
    assert "HAT_RISK" in error.expected
    monkeypatch.delenv("HAT_RIKS__LEVERAGE_MAX")
    monkeypatch.setenv("HAT_RISK__LEVERGE_MAX", "2")
    assert "leverage_max" in refused(load).expected


def test_variables_that_are_not_ours_are_left_alone(monkeypatch):
    """A container platform sets HAT_PORT and the like for a service that is called hat."""
    monkeypatch.setenv("HAT_PORT", "tcp://10.0.0.1:8080")
    monkeypatch.setenv("HAT_PORT_8080_TCP_ADDR", "10.0.0.1")
    assert load().monitoring.port == 8080


def test_an_empty_variable_is_no_value(monkeypatch):
    monkeypatch.setenv("HAT_RISK__LEVERAGE_MAX", "")
    assert load().risk.leverage_max == 3


@pytest.mark.parametrize("text", ["BTC,ETH", " BTC , ETH ", '["BTC", "ETH"]', "['BTC','ETH']"])
def test_instruments_may_be_listed_in_a_variable(monkeypatch, text):
    monkeypatch.setenv("HAT_MARKET__INSTRUMENTS", text)
    assert load().market.instruments == ("BTC", "ETH")


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        (["BTC", "BTC"], "every symbol once, found BTC 2 times"),
        ([""], "symbols of 1 to 32 characters"),
        (["B TC"], "symbols of 1 to 32 characters"),
        (["x" * 33], "symbols of 1 to 32 characters"),
        ([], "a list of symbols"),
        (7, "a list of symbols"),
        ([7], "a list of symbols"),
    ],
)
def test_instruments_that_cannot_be_are_refused(symbols, expected):
    error = refused(load, overrides={"market": {"instruments": symbols}})
    assert error.key.startswith("market.instruments")
    assert expected in error.expected


def test_limits_of_an_instrument_may_come_from_a_variable(monkeypatch):
    """The environment knows one case only, the venue knows kPEPE."""
    monkeypatch.setenv("HAT_MARKET__INSTRUMENTS", "BTC,kPEPE")
    monkeypatch.setenv("HAT_RISK__INSTRUMENTS__KPEPE__ORDER_NOTIONAL_USD_MAX", "55")
    assert risk_limits(load()).of("kPEPE").order_notional_max == 55 * MONEY_UNIT


def test_a_warning_after_the_stop_is_refused():
    error = refused(load, overrides={"risk": {"drawdown_warn_percent": 6}})
    assert (error.key, error.value) == ("risk", "a table")
    assert error.expected == "drawdown_warn_percent (6) at most drawdown_stop_percent (5)"


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("bot", "flatten_on_halt", "perhaps", "true or false"),
        ("bot", "state_dir", 7, "text"),
        ("venue", "queue_model", "magic", "one of conservative, probabilistic"),
        ("monitoring", "log_level", "LOUD", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("monitoring", "host", "", "text"),
        ("monitoring", "otlp_endpoint", "localhost:4318", "a URL such as http"),
        ("monitoring", "otlp_endpoint", "http://", "a URL such as http"),
        ("monitoring", "otlp_endpoint", "http://host:99999", "a URL such as http"),
        ("ledger", "url", "mysql://host/db", "a URL such as sqlite"),
        ("ledger", "url", "ledger.db", "a URL such as sqlite"),
        ("strategy", "name", "magic", "one of null, two_sided"),
        ("strategy", "gamma", -1, "a number above 0"),
        ("strategy", "gamma", "nan", "a finite number"),
        ("strategy", "requote_move_bps", float("inf"), "a finite number"),
        ("strategy", "gamma", "lots", "a number"),
        ("strategy", "requote_interval_ms", "0.5", "a whole number"),
    ],
)
def test_values_that_cannot_be_used_are_refused_by_name(section, key, value, expected):
    error = refused(load, overrides={section: {key: value}})
    assert error.key == f"{section}.{key}"
    assert expected in error.expected


def test_a_section_that_is_no_table_is_refused(loaded, monkeypatch):
    assert str(refused(loaded, "risk = 5\n")) == "risk = '5': expected a table of keys"
    assert refused(loaded, "[risk]\ninstruments = 5\n").key == "risk.instruments"
    monkeypatch.setenv("HAT_RISK", "not a table")
    assert refused(load).key == "environment"


def test_parameters_of_the_strategy_are_keys_of_its_section(loaded, monkeypatch):
    monkeypatch.setenv("HAT_STRATEGY__KAPPA", "2.5")
    maker = strategy(loaded("[strategy]\ngamma = 0.25\nrequote_interval_ms = 100\n"))
    assert (maker.settings.gamma, maker.settings.kappa, maker.settings.requote_interval_ms) == (0.25, 2.5, 100)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert str(refused(load, Path("missing.toml"))) == (
        "config file = 'missing.toml': expected a readable TOML file (No such file or directory)"
    )
    assert refused(load, tmp_path).key == "config file"


@pytest.mark.parametrize(
    "content", [b"[bot\n", b"seed = = 1", b"\xff\xfe", b"a = " + b"[" * 5_000, b"a = " + b"9" * 5_000]
)
def test_a_file_that_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    assert "valid TOML" in refused(load, path).expected


def test_paths_default_to_the_state_directory():
    config = load(overrides={"bot": {"state_dir": "here"}})
    assert ledger_url(config) == "sqlite:///here/ledger.db"
    assert log_path(config) == Path("here/hat.log")
    config = load(overrides={"ledger": {"url": "sqlite:///x.db"}, "monitoring": {"log_path": "y.log"}})
    assert (ledger_url(config), log_path(config)) == ("sqlite:///x.db", Path("y.log"))
    assert config.monitoring.log_level is Level.INFO


def test_every_key_says_what_it_means_and_takes():
    for kind in [*SECTIONS.values(), config_sections.InstrumentRisk]:
        for key, field in kind.model_fields.items():
            assert field.description, key
            assert expected_of(field), key
