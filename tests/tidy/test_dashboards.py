"""The dashboard asks only for series that exist, and every panel says what it shows and what to do about it."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from monitoring.metrics import CATALOGUE, HISTOGRAMS

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "grafana" / "trading_overview.json"
COLUMNS = 24
SCHEMA_OF_GRAFANA_12 = 41

PROMQL_WORDS = {"and", "or", "unless", "on", "ignoring", "by", "without", "bool", "offset", "group_left", "group_right"}
GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
BRACKETED = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"")
METRIC = re.compile(r"\b[A-Za-z_:][\w:]*\b(?!\s*\()")

EXPORTED = {metric.name for metric in CATALOGUE if metric.name not in HISTOGRAMS} | {
    f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")
}


def metrics_in(expr: str) -> set[str]:
    """Return the names of the series a PromQL expression asks for."""
    return set(METRIC.findall(GROUPING.sub(" ", BRACKETED.sub(" ", expr)))) - PROMQL_WORDS


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return loaded


def panels() -> list[dict[str, Any]]:
    """Return the panels that show something: all but the rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """Return (where, expression) of everything the dashboard asks Prometheus, its annotations and variables too."""
    page = dashboard()
    return [
        *((f"{panel['title']} {target['refId']}", target["expr"]) for panel in panels() for target in panel["targets"]),
        *((one["name"], one["expr"]) for one in page["annotations"]["list"] if "expr" in one),
        *(
            (f"${one['name']}", re.sub(r"label_values\((\w+), *\w+\)", r"\1", one["definition"]))
            for one in page["templating"]["list"]
            if one["type"] == "query"
        ),
    ]


def plain(expr: str) -> str:
    """Return an expression with Grafana's variables filled in."""
    return expr.replace("$__rate_interval", "20s").replace("$instance", "127.0.0.1:8080")


def test_the_reader_of_expressions_finds_names_and_nothing_else() -> None:
    assert {"errors_total", "a_count"} == metrics_in(
        'sum by (job, x) (rate(errors_total{type="log_write"}[5m])) / on (job) sum(a_count) > 0.01 and bool 1e3'
    )


def test_every_series_is_in_the_catalogue() -> None:
    asked = {where: metrics_in(expr) for where, expr in queries()}

    assert [] == [where for where, names in asked.items() if not names]
    assert {} == {where: names - EXPORTED for where, names in asked.items() if names - EXPORTED}


def test_the_file_is_canonical_json() -> None:
    written = json.dumps(dashboard(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    assert written == DASHBOARD.read_text(encoding="utf-8")


def test_the_page_can_be_imported_anywhere() -> None:
    page = dashboard()

    assert page["id"] is None
    assert page["title"]
    assert page["uid"]
    assert page["schemaVersion"] >= SCHEMA_OF_GRAFANA_12
    assert ["datasource", "instance"] == [one["name"] for one in page["templating"]["list"]]
    assert "prometheus" == page["templating"]["list"][0]["query"]


def test_every_panel_has_a_unit_a_title_and_advice() -> None:
    silent = [
        f"{panel['id']} {panel['title']!r}"
        for panel in panels()
        if not panel["title"]
        or not panel["fieldConfig"]["defaults"].get("unit")
        or len(panel.get("description", "").split()) < 10
    ]

    assert [] == silent
    assert len(panels()) == len({panel["title"] for panel in panels()})


def test_every_query_has_a_legend_and_the_chosen_datasource() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    broken = [
        f"{panel['title']} {target['refId']}"
        for panel in panels()
        for target in panel["targets"]
        if not target["legendFormat"] or target["datasource"] != chosen or panel["datasource"] != chosen
    ]

    assert [] == broken
    assert [] == [where for where, expr in queries() if "$" not in where and 'instance="$instance"' not in expr]


def test_no_two_panels_share_an_id_or_a_place() -> None:
    everything = dashboard()["panels"]
    places = [(panel["title"], panel["gridPos"]) for panel in everything]
    overlaps = [
        f"{one} and {other}"
        for (one, a), (other, b) in combinations(places, 2)
        if a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    ]

    assert [] == overlaps
    assert [] == [title for title, at in places if at["x"] < 0 or at["w"] < 1 or at["x"] + at["w"] > COLUMNS]
    assert len(everything) == len({panel["id"] for panel in everything})


@pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not on PATH, so PromQL syntax is unchecked: apt-get install prometheus brings it",
)
def test_every_expression_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": plain(expr), "labels": {"where": where.replace("$", "")}}
        for number, (where, expr) in enumerate(queries())
    ]
    file = tmp_path / "dashboard.yaml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")

    checked = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules)} rules found" in checked.stdout
