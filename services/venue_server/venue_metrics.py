"""What the venue server measures of itself, in Prometheus' format.

Law: labels are bounded: paths of the venue, types that it has answered to, status codes, kinds of misfortune.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
OTHER = "other"
ANSWERED = frozenset({"ok", "err"})


class VenueMetrics:
    """Counters of one server."""

    def __init__(self) -> None:
        """Register everything in a registry of our own."""
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "hat_venue_requests", "Requests by path, type and outcome.", ["path", "type", "outcome"], registry=registry
        )
        self._seconds = Histogram(
            "hat_venue_request_seconds",
            "Time from a request's last byte to its answer, misfortune left out.",
            ["path"],
            buckets=SECONDS,
            registry=registry,
        )
        self._gauges = {
            name: Gauge(f"hat_venue_{name}", text, registry=registry)
            for name, text in (
                ("accounts", "Accounts that were ever opened."),
                ("sockets", "Open sockets."),
                ("open_orders", "Orders that rest or wait."),
                ("lag_seconds", "How far the market that was played is behind the venue's clock."),
                ("market_ended", "1 when no market data is left to play: books stay, but for what clients do."),
            )
        }
        self._misfortunes = Gauge(
            "hat_venue_misfortunes", "Misfortunes since the start by kind.", ["kind"], registry=registry
        )
        self._kinds: set[str] = set()

    def take(self, path: str, kind: str, outcome: str, seconds: float) -> None:
        """Count one request. kind is the caller's word: a label only once the venue has answered to it."""
        if outcome in ANSWERED:
            self._kinds.add(kind)
        elif kind not in self._kinds:
            kind = OTHER
        self._requests.labels(path, kind, outcome).inc()
        self._seconds.labels(path).observe(seconds)

    def page(self, gauges: dict[str, float], misfortunes: dict[str, int]) -> bytes:
        """Return the exposition, gauges as given."""
        for name, value in gauges.items():
            self._gauges[name].set(value)
        for kind, count in misfortunes.items():
            self._misfortunes.labels(kind).set(count)
        return generate_latest(self._registry)
