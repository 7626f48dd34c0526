"""The configuration as people see it: complete, exact, loadable, without a password anywhere."""

import os

import pytest

from bot.config import config_hash, load, redacted
from domain.errors import ConfigInvalid


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No file and no variable of the person who runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("HAT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def loaded(tmp_path):
    """Load a configuration from the text of a file."""

    def from_text(text):
        path = tmp_path / "some.toml"
        path.write_text(text, encoding="utf-8")
        return load(path)

    return from_text


def refused(overrides=None):
    with pytest.raises(ConfigInvalid) as error:
        load(overrides=overrides)
    return error.value


def test_the_configuration_as_shown_loads_back_to_itself(loaded):
    config = loaded("[risk.instruments.BTC]\norder_notional_usd_max = 50.5\n[strategy]\ngamma = 0.25\n")
    shown = redacted(config)
    again = {name: {key: one for key, one in section.items() if one is not None} for name, section in shown.items()}
    assert redacted(load(overrides=again)) == shown
    assert shown["risk"]["instruments"]["BTC"]["order_notional_usd_max"] == "50.5"
    assert (shown["strategy"]["gamma"], shown["strategy"]["kappa"]) == (0.25, 0.5)
    assert config_hash(load(overrides=again)) == config_hash(config)


def test_the_hash_names_the_configuration():
    assert config_hash(load()) == config_hash(load())
    assert config_hash(load()) != config_hash(load(overrides={"risk": {"leverage_max": "2.9"}}))
    assert len(config_hash(load())) == 64


def test_no_password_is_ever_shown(monkeypatch):
    secret = "hunter2"
    shown = redacted(load(overrides={
        "ledger": {"url": f"postgresql+psycopg://hat:{secret}@db:5432/hat?password={secret}&sslmode=require"},
        "monitoring": {"otlp_endpoint": f"https://:{secret}@traces:4318/v1/traces?token={secret}"},
    }))  # fmt: skip
    assert secret not in str(shown)
    assert shown["ledger"]["url"] == "postgresql+psycopg://hat:***@db:5432/hat?password=***&sslmode=require"
    for section, key, value in [
        ("ledger", "url", f"mysql://hat:{secret}@db/hat"),
        ("strategy", "api_key", secret),
        ("bot", "wallet_password", secret),
    ]:
        assert secret not in str(refused({section: {key: value}}))
    monkeypatch.setenv("HAT_RISKY__API_TOKEN", secret)
    assert secret not in str(refused())


def test_secrets_among_the_parameters_of_a_strategy_are_hidden():
    config = load(overrides={"strategy": {"name": "null", "feed_token": "hunter2", "feeds": {"password": "hunter2"}}})
    assert redacted(config)["strategy"] == {"name": "null", "feed_token": "***", "feeds": {"password": "***"}}
