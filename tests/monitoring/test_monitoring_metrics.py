"""The catalogue: the runbook's names, exactly; every series described; the drawn page current."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from monitoring.measure import Measurements
from monitoring.metrics import (
    CATALOGUE,
    COMPUTING_SECONDS,
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
    LOOP_SECONDS,
    Kind,
    register,
    render,
)
from tests.monitoring.observations import INSTRUMENTS, T0

PAGE = Path(__file__).resolve().parents[2] / "docs" / "METRICS.md"

RUNBOOK = {
    Kind.COUNTER: [
        "orders_placed_total",
        "orders_filled_total",
        "orders_cancelled_total",
        "orders_rejected_total",
        "errors_total",
        "risk_violations_total",
    ],
    Kind.GAUGE: [
        "current_drawdown",
        "position_count",
        "total_exposure",
        "margin_ratio",
        "maker_ratio",
        "system_health",
    ],
    Kind.HISTOGRAM: [
        "order_latency_seconds",
        "loop_duration_seconds",
        "validation_time_seconds",
        "risk_calculation_time_seconds",
    ],
}


@pytest.mark.parametrize("kind", Kind)
def test_catalogue_holds_the_runbooks_names_with_their_kinds(kind: Kind) -> None:
    declared = {metric.name for metric in CATALOGUE if metric.kind is kind}
    assert [] == [name for name in RUNBOOK[kind] if name not in declared]


def test_catalogue_begins_with_the_runbooks_names() -> None:
    assert [*RUNBOOK[Kind.COUNTER], *RUNBOOK[Kind.GAUGE], *RUNBOOK[Kind.HISTOGRAM]] == [
        metric.name for metric in CATALOGUE[:16]
    ]


def test_catalogue_names_each_series_once_and_describes_it() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert sorted(set(names)) == sorted(names)
    assert len(names) == len(COUNTERS) + len(GAUGES) + len(HISTOGRAMS)
    for metric in CATALOGUE:
        assert metric.help.endswith(".")
        assert metric.unit
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)


def test_buckets_rise_and_hold_the_runbooks_bounds() -> None:
    for metric in CATALOGUE:
        assert list(metric.buckets) == sorted(set(metric.buckets))
    assert {0.05, 0.1, 0.2} <= set(LOOP_SECONDS)
    assert 0.0002 in COMPUTING_SECONDS


def test_scrape_shows_every_declared_series_and_no_other() -> None:
    families = {family.name for family in _families(Measurements(INSTRUMENTS).exposition(T0)[0])}
    assert {metric.name.removesuffix("_total") for metric in CATALOGUE} == families


def test_scrape_holds_the_runbooks_counters_under_their_full_names() -> None:
    text = Measurements(INSTRUMENTS).exposition(T0)[0].decode()
    samples = {sample.name for family in _families(text.encode()) for sample in family.samples}
    assert set(RUNBOOK[Kind.COUNTER]) <= samples
    assert "_created" not in text


def test_registry_refuses_a_second_catalogue() -> None:
    registry = CollectorRegistry()
    register(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        register(registry)


def test_page_is_what_the_catalogue_draws() -> None:
    assert render() == PAGE.read_text(encoding="utf-8"), "run `make draw`"


def _families(body: bytes) -> list:
    return list(text_string_to_metric_families(body.decode()))
