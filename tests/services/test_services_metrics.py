"""The server's own metrics: counted by bounded labels."""

from prometheus_client.parser import text_string_to_metric_families

from services.venue_server.venue_metrics import VenueMetrics
from tests.services.venue_doors import NOW_NS, a_hall, buy, in_loop, open_doors


def samples(metrics, gauges=None, misfortunes=None):
    """Return every sample of the page: (name, labels) -> value."""
    page = metrics.page(gauges or {}, misfortunes or {}).decode()
    return {
        (one.name, *sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(page)
        for one in family.samples
    }


def requests(metrics):
    """Return how many requests were counted by type and outcome."""
    found = samples(metrics)
    return {
        (dict(labels)["type"], dict(labels)["outcome"]): value
        for (name, *labels), value in found.items()
        if name == "hat_venue_requests_total"
    }


@in_loop
async def test_requests_are_counted_by_type_and_outcome():
    metrics = VenueMetrics()
    async with open_doors(metrics=metrics) as doors:
        await doors.exchange(buy())
        await doors.exchange(buy())
        await doors.info(type="meta")
        await doors.info(type="meta")
    counted = requests(metrics)
    assert (1, 2) == (counted["order", "ok"], counted["meta", "ok"])
    assert 1 == counted["order", "err"]
    assert 2 == samples(metrics)["hat_venue_request_seconds_count", ("path", "/exchange")]


def test_callers_cannot_invent_labels():
    metrics = VenueMetrics()
    for number in range(1_000):
        metrics.take("/info", f"nonsense{number}", "422", 0.001)
    metrics.take("/info", "meta", "429", 0.001)
    assert {("other", "422"): 1_000, ("other", "429"): 1} == requests(metrics)
    metrics.take("/info", "meta", "ok", 0.001)
    metrics.take("/info", "meta", "429", 0.001)
    assert (1, 1) == (requests(metrics)["meta", "ok"], requests(metrics)["meta", "429"])


def test_states_of_the_hall_are_gauges():
    hall = a_hall()
    hall.connect("127.0.0.1", NOW_NS)
    found = samples(VenueMetrics(), hall.gauges(NOW_NS + 2_000_000_000), {"drop": 3})
    assert {"accounts": 2, "sockets": 1, "open_orders": 0, "lag_seconds": 2, "market_ended": 1} == {
        name: found[f"hat_venue_{name}",]
        for name in ("accounts", "sockets", "open_orders", "lag_seconds", "market_ended")
    }
    assert 3 == found["hat_venue_misfortunes", ("kind", "drop")]
