"""The observer: never in the way of the engine, bounded, counted; whole from notices to metrics, log and spans."""

import itertools
import json
import socket
from pathlib import Path
from threading import Event as Flag
from time import perf_counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.identifiers import trace_id
from domain.lifecycle import State, Trigger
from domain.units import NS_PER_SECOND
from monitoring.logs import EventLog
from monitoring.measure import Measurements
from monitoring.observe import LATENCY_LOG_INTERVAL_NS, Observation, Observer, Stopwatch
from monitoring.records import Describer, Level
from monitoring.spans import SpanSink
from tests.monitoring.collector import Collector
from tests.monitoring.observations import INSTRUMENTS, T0, life, moved, order, sent, step, top

DESCRIBER = Describer(INSTRUMENTS)


def observer_of(
    log: EventLog | None = None, spans: SpanSink | None = None, queue_max: int = 1_000_000, beat_seconds: float = 0.001
) -> Observer:
    return Observer(Measurements(INSTRUMENTS), DESCRIBER, log, spans, queue_max=queue_max, beat_seconds=beat_seconds)


def value(observer: Observer, name: str, **labels: str) -> float | None:
    return observer.measurements.registry.get_sample_value(name, labels)


class Gate:
    """An event log that waits until it is let go: a slow disk."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.entered, self.go = Flag(), Flag()
        self.failures = 0

    def write(self, record: object, ts_ns: int) -> None:
        self.entered.set()
        self.go.wait(20)
        self._log.write(record, ts_ns)

    def close(self) -> None:
        self._log.close()


def test_observer_feeds_metrics_log_and_spans_from_the_same_notices(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "trading.log", Level.DEBUG)
    spans = SpanSink({}, seed=1)
    observer = observer_of(log, spans)
    observer.start()
    recorded = [one for number in range(1, 21) for one in life(number, T0 + number * NS_PER_SECOND)]
    for one in recorded:
        observer.record(one)
    assert observer.stop(20)
    assert (0, 0, False) == (observer.dropped, observer.backlog, observer.is_running)
    assert 20 == value(observer, "orders_placed_total") == value(observer, "orders_filled_total")
    assert 60 == value(observer, "loop_duration_seconds_count")
    assert 20 == value(observer, "risk_calculation_time_seconds_count")
    assert 20 == value(observer, "validation_time_seconds_count")
    assert 20 == len(spans.ring.recent(100))
    told = [json.loads(text) for text in log.path.read_text().splitlines()]
    moves = [one for one in told if one["event_type"] == "state_transition"]
    assert sum(len(one.notices) for one in recorded) == len([one for one in told if one["component"] != "performance"])
    assert {trace_id(order(number)) for number in range(1, 21)} == {int(one["data"]["trace_id"], 16) for one in moves}
    assert set(spans.ring.recent(100)) == {int(one["data"]["trace_id"], 16) for one in moves}


def test_handle_works_without_a_thread_for_a_backtest() -> None:
    observer = observer_of()
    for one in life(1):
        observer.handle(one)
    assert 1 == value(observer, "orders_filled_total")
    assert observer.stop(1)
    assert 0 == observer.dropped


def test_stop_without_start_still_handles_what_was_recorded() -> None:
    observer = observer_of()
    observer.record(life(1)[0])
    assert 1 == observer.backlog
    assert observer.stop(1)
    assert 1 == value(observer, "orders_placed_total")


def test_full_queue_drops_the_oldest_and_counts_them() -> None:
    observer = observer_of(queue_max=10)
    for number in range(1, 26):
        observer.record(step(top(), moved(order(number), State.VALIDATED, Trigger.SUBMIT, State.SUBMITTED)))
    assert (10, 15) == (observer.backlog, observer.dropped)
    observer.drain()
    assert 10 == value(observer, "orders_placed_total")
    assert 15 == value(observer, "telemetry_dropped_total", what="observations")
    observer.record(life(1)[0])
    observer.drain()
    assert 15 == observer.dropped


def test_slow_disk_holds_up_the_observer_but_not_the_recorder(tmp_path: Path) -> None:
    gate = Gate(EventLog(tmp_path / "trading.log"))
    observer = observer_of(log=gate, queue_max=1_000)
    observer.start()
    observer.record(sent(order(1)))
    assert gate.entered.wait(10)
    one = sent(order(2))
    started = perf_counter()
    for _ in range(20_000):
        observer.record(one)
    took = perf_counter() - started
    assert not gate.go.is_set()
    assert took < 2, f"20 000 records took {took:.3f} s while the disk hung"
    assert (1_000, 19_000) == (observer.backlog, observer.dropped)
    gate.go.set()
    assert observer.stop(20)
    assert 1_001 == value(observer, "orders_placed_total")


@pytest.mark.parametrize("condition", ["hangs", "refuses", "is gone"])
def test_broken_collector_costs_spans_and_nothing_else(condition: str, tmp_path: Path) -> None:
    """record() takes as long as with no collector at all, and everything but the collector's copy is there."""
    with Collector(503 if condition == "refuses" else 200, is_slow=condition == "hangs") as collector:
        url = collector.url
        if condition == "is gone":
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        spans = SpanSink({}, seed=1, endpoint=url, queue_max=100, timeout_seconds=1)
        log = EventLog(tmp_path / "trading.log")
        log.forward_libraries(lambda: T0)
        observer = observer_of(log, spans)
        observer.start()
        lives = [life(number, T0 + number * NS_PER_SECOND) for number in range(1, 301)]
        started = perf_counter()
        for one in itertools.chain.from_iterable(lives):
            observer.record(one)
        took = perf_counter() - started
        assert took < 1, f"900 records took {took:.3f} s while the collector {condition}"
        assert not observer.stop(4)
    assert (0, 300) == (observer.dropped, value(observer, "orders_filled_total"))
    assert 300 == len(spans.ring.recent(1_000))
    lost = value(observer, "telemetry_dropped_total", what="spans")
    assert 0 < lost == spans.dropped + spans.failed <= spans.ended


def test_spans_of_whole_orders_arrive_at_a_collector() -> None:
    with Collector() as collector:
        spans = SpanSink({"service.version": "0.1.0"}, seed=1, endpoint=collector.url)
        observer = observer_of(spans=spans)
        observer.start()
        for one in itertools.chain(life(1), life(2)):
            observer.record(one)
        assert observer.stop(20)
    found = [span for span in collector.spans if int.from_bytes(span.trace_id, "big") == trace_id(order(2))]
    assert 18 == len(collector.spans)
    assert {
        "order_lifecycle",
        "market_data",
        "risk_calculation",
        "api_validation",
        "routing",
        "exchange",
        "state_transitions",
        "submitted",
        "open",
    } == {span.name for span in found}
    (root,) = (span for span in found if not span.parent_span_id)
    assert ("order_lifecycle", T0) == (root.name, root.start_time_unix_nano)
    transitions = next(span for span in found if span.name == "state_transitions")
    assert (root.span_id, 6) == (transitions.parent_span_id, len(transitions.events))


def test_stop_is_bounded_when_the_disk_hangs(tmp_path: Path) -> None:
    gate = Gate(EventLog(tmp_path / "trading.log"))
    observer = observer_of(log=gate)
    observer.start()
    for number in range(1, 11):
        observer.record(sent(order(number)))
    assert gate.entered.wait(10)
    started = perf_counter()
    assert not observer.stop(0.2)
    assert perf_counter() - started < 5
    assert observer.dropped == 9
    gate.go.set()


def test_disk_errors_show_as_errors_and_losses(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "trading.log")
    observer = observer_of(log)
    log.failures = 3
    observer.drain()
    log.failures = 5
    observer.drain()
    assert 5 == value(observer, "errors_total", type="log_write")
    assert 5 == value(observer, "telemetry_dropped_total", what="log_lines")
    log.close()


def test_loop_latency_is_told_once_per_interval(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "trading.log")
    observer = observer_of(log)
    for number in range(100):
        observer.handle(Observation(top(T0 + number), (), 0, (number + 1) * 1_000_000))
    assert observer.latency is None
    observer.handle(Observation(top(T0 + LATENCY_LOG_INTERVAL_NS), (), 0, 1_000_000))
    observer.handle(Observation(top(T0 + LATENCY_LOG_INTERVAL_NS + 1), (), 0, 1_000_000))
    log.close()
    (told,) = (json.loads(text) for text in log.path.read_text().splitlines())
    assert ("performance", "loop_latency", 101) == (told["component"], told["event_type"], told["data"]["count"])
    assert 99.0 == told["data"]["duration_ms"] == told["data"]["p99_ms"] == observer.latency.p99_ms


def test_scrape_works_while_the_observer_runs() -> None:
    observer = observer_of()
    observer.start()
    for number in range(1, 200):
        for one in life(number, T0):
            observer.record(one)
        if number % 20 == 0:
            body, _ = observer.measurements.exposition(T0)
            assert list(text_string_to_metric_families(body.decode()))
    assert observer.is_running
    assert observer.stop(20)


def test_stopwatch_measures_what_it_wraps_in_order_and_forgets() -> None:
    ticks = iter(range(0, 1_000, 10))
    watch = Stopwatch(lambda: next(ticks))
    risk = watch.timed("risk_calculation", lambda number, *, twice: number * (2 if twice else 1))
    check = watch.timed("api_validation", lambda: None)
    assert 6 == risk(3, twice=True)
    assert check() is None
    assert (("risk_calculation", 0, 10), ("api_validation", 20, 30)) == watch.take()
    assert () == watch.take()


def test_stopwatch_lets_errors_through_unmeasured() -> None:
    watch = Stopwatch(lambda: 0)

    def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        watch.timed("risk_calculation", broken)()
    assert () == watch.take()
