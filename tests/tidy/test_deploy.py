"""What deploy/ holds is true: the configuration loads, the unit starts the bot, the alerts fire when they should."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

from bot.config import PREFIX, HatConfig, load, redacted
from monitoring.metrics import CATALOGUE, HISTOGRAMS

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PREFIX_OF_INSTALL = "/opt/hat"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH, so the alert rules are unchecked: apt-get install prometheus brings it",
)

KNOWN = (
    {metric.name for metric in CATALOGUE}
    | {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "count")}
    | {"up"}
)
SERIES = re.compile(r"\b(?:up|[a-z]+(?:_[a-z]+)+)\b(?!\s*\()")

SLOW = {"0.05": "0x240", "0.2": "0+1x240", "0.5": "0+10x240", "+Inf": "0+10x240"}
FAST = {"0.05": "0+10x240", "0.2": "0+10x240", "+Inf": "0+10x240"}
HEALTHY = {
    "up": "1x240",
    "kill_switch_engaged": "0x240",
    "current_drawdown": "1.9x240",
    "errors_total": "0x240",
    "loop_duration_seconds_count": "0+100x240",
    'risk_violations_total{reason="leverage"}': "0x240",
    "market_data_age_seconds": "0.2x240",
    "maker_ratio": "0.9x240",
    'fills_total{liquidity="maker"}': "10x240",
    "average_slippage_bps": "1x240",
    "fill_rate": "0.95x240",
    "discrepancy_open": "0x240",
    "equity_residual": "-0.001x240",
    "orders_filled_total": "20x240",
    "orders_cancelled_total": "0x240",
    "orders_rejected_total": "0x240",
    **{f'loop_duration_seconds_bucket{{le="{bound}"}}': values for bound, values in FAST.items()},
    **{f'order_latency_seconds_bucket{{le="{bound}"}}': values for bound, values in FAST.items()},
}
IDLE = HEALTHY | {
    # A bot that has just begun: gauges at zero mean nothing yet.
    "maker_ratio": "0x240",
    'fills_total{liquidity="maker"}': "0x240",
    "fill_rate": "0x240",
    "orders_filled_total": "0x240",
}
SICK = {
    "KillSwitchActivated": {"kill_switch_engaged": "1x240"},
    "DrawdownCritical": {"current_drawdown": "5.1x240"},
    "ErrorRateHigh": {"errors_total": "0+2x240"},
    "RiskLimitViolated": {'risk_violations_total{reason="leverage"}': "0x220 1x20"},
    "ApiConnectivityLost": {"market_data_age_seconds": "6x240"},
    "LedgerUnexplained": {"discrepancy_open": "1x240"},
    "EquityResidual": {"equity_residual": "-0.02x240"},
    "BotUnreachable": {"up": "0x240"},
    "DrawdownWarning": {"current_drawdown": "2.1x240"},
    "MakerRatioLow": {"maker_ratio": "0.59x240"},
    "SlippageHigh": {"average_slippage_bps": "5.1x240"},
    "FillRateLow": {"fill_rate": "0.89x240"},
    "LoopLatencyHigh": {f'loop_duration_seconds_bucket{{le="{bound}"}}': values for bound, values in SLOW.items()},
    "OrderLatencyHigh": {f'order_latency_seconds_bucket{{le="{bound}"}}': values for bound, values in SLOW.items()},
}
ALSO_FIRING = {"DrawdownCritical": {"DrawdownWarning"}}


def alerts() -> dict[str, dict[str, str]]:
    """Return the rules by name, each a flat table: this file is written one key per line, in plain scalars."""
    text = (DEPLOY / "alerts.yaml").read_text(encoding="utf-8")
    blocks = re.split(r"^ +- alert: ", text, flags=re.MULTILINE)[1:]
    return {
        block.splitlines()[0]: dict(re.findall(r"^ {8,10}(\w+): (.+)$", block, flags=re.MULTILINE)) for block in blocks
    }


@pytest.fixture
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("_clean_environment")
def test_the_example_configuration_is_the_defaults_written_out() -> None:
    written = tomllib.loads((DEPLOY / "hat.toml").read_text(encoding="utf-8"))
    config = redacted(load(DEPLOY / "hat.toml"))
    config["risk"]["instruments"] = {}

    assert set(HatConfig.model_fields) == set(written)
    assert redacted(HatConfig()) == config


@pytest.mark.usefixtures("_clean_environment")
def test_the_example_configuration_names_every_key(tmp_path: Path) -> None:
    file = tmp_path / "hat.toml"
    text = (DEPLOY / "hat.toml").read_text(encoding="utf-8")
    file.write_text(re.sub(r"^#(?=[a-z_]+ = )", "", text, flags=re.MULTILINE), encoding="utf-8")
    written = tomllib.loads(file.read_text(encoding="utf-8"))

    assert {name: set(keys) for name, keys in redacted(load(file)).items()} == {
        name: set(keys) for name, keys in written.items()
    }


def test_the_unit_runs_the_bot_without_rights() -> None:
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((DEPLOY / "hat.service").read_text(encoding="utf-8"))
    service = unit["Service"]
    program, *words = service["ExecStart"].split()

    assert f"{PREFIX_OF_INSTALL}/.venv/bin/hat" == program
    assert ["run", "--config", f"{PREFIX_OF_INSTALL}/deploy/hat.toml", "--state-dir", "${STATE_DIRECTORY}"] == words
    assert service["User"] not in {"", "root", "0"}
    assert "on-failure" == service["Restart"]
    assert "2 3" == service["RestartPreventExitStatus"]
    assert "strict" == service["ProtectSystem"]
    assert "hat" == service["StateDirectory"]
    # numba writes machine code at run time.
    assert "MemoryDenyWriteExecute" not in service
    assert "multi-user.target" == unit["Install"]["WantedBy"]


def test_the_unit_names_no_place_but_the_install_prefix() -> None:
    text = (DEPLOY / "hat.service").read_text(encoding="utf-8")
    places = re.findall(r"(?<![\w.}/])(?:file://)?(/[a-z][\w./-]*)", text)

    assert places
    assert [] == [place for place in places if not f"{place}/".startswith(f"{PREFIX_OF_INSTALL}/")]


@pytest.mark.usefixtures("_clean_environment")
def test_prometheus_scrapes_where_the_bot_answers() -> None:
    text = (DEPLOY / "prometheus.yaml").read_text(encoding="utf-8")
    monitoring = load(DEPLOY / "hat.toml").monitoring

    assert f"- {monitoring.host}:{monitoring.port}\n" in text
    assert "scrape_interval: 5s\n" in text
    assert "- alerts.yaml\n" in text


def test_every_alert_has_a_severity_and_advice() -> None:
    rules = alerts()

    assert set(SICK) == set(rules)
    assert {"critical", "warning"} == {rule["severity"] for rule in rules.values()}
    assert [] == [name for name, rule in rules.items() if not rule["summary"].endswith(".")]
    assert [] == [name for name, rule in rules.items() if not re.fullmatch(r"[A-Z](?!.*\. ).{30,}\.", rule["advice"])]


def test_every_alert_asks_for_declared_series() -> None:
    asked = {
        name: set(SERIES.findall(re.sub(r"\b(by|on) \([^)]*\)|\{[^}]*\}", "", rule["expr"])))
        for name, rule in alerts().items()
    }

    assert [] == [name for name, names in asked.items() if not names]
    assert {} == {name: names - KNOWN for name, names in asked.items() if names - KNOWN}


@pytest.mark.usefixtures("_clean_environment")
def test_the_alerts_have_the_bounds_of_the_configuration() -> None:
    rules, risk = alerts(), load(DEPLOY / "hat.toml").risk

    assert f"current_drawdown > {risk.drawdown_warn_percent}" == rules["DrawdownWarning"]["expr"]
    assert f"current_drawdown > {risk.drawdown_stop_percent}" == rules["DrawdownCritical"]["expr"]
    assert rules["ApiConnectivityLost"]["expr"].endswith(f" > {risk.market_data_age_ms_max // 1000}")


@needs_promtool
def test_promtool_accepts_the_configuration() -> None:
    checked = subprocess.run(
        ["promtool", "check", "config", DEPLOY / "prometheus.yaml"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(alerts())} rules found" in checked.stdout


def _labeled(series: str) -> str:
    """Return a series with the labels a scrape adds."""
    name, _, rest = series.partition("{")
    return f'{name}{{job="hat",instance="here",{rest or "}"}'


def _scene(name: str, series: dict[str, str], firing: set[str]) -> dict[str, object]:
    """Return one promtool scene: twenty minutes of scrapes, and which alerts fire at their end."""
    return {
        "name": name,
        "interval": "5s",
        "input_series": [{"series": _labeled(one), "values": values} for one, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "19m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(firing)],
            }
        ],
    }


@needs_promtool
def test_every_alert_fires_alone_and_none_when_all_is_well(tmp_path: Path) -> None:
    scenes = [_scene("healthy", HEALTHY, set()), _scene("idle", IDLE, set())]
    scenes += [
        _scene(alert, HEALTHY | sick, {alert} | ALSO_FIRING.get(alert, set())) for alert, sick in sorted(SICK.items())
    ]
    file = tmp_path / "scenes.yaml"  # JSON is YAML
    file.write_text(
        json.dumps({"rule_files": [str(DEPLOY / "alerts.yaml")], "evaluation_interval": "5s", "tests": scenes}),
        encoding="utf-8",
    )

    tested = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)

    assert tested.returncode == 0, tested.stdout + tested.stderr
