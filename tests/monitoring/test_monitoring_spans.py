"""Where spans go: the ring, and a real collector on loopback that is well, refusing, hanging or gone."""

import gc
import socket

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from domain.errors import ConfigInvalid
from monitoring.spans import SPANS_PER_TRACE_MAX, OrderIds, SpanEvent, SpanRecord, SpanRing, SpanSink, traces_url
from tests.monitoring.collector import Collector


def span(trace_id: int, span_id: int, start_ns: int = 0) -> ReadableSpan:
    context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(1))
    return ReadableSpan("one", context, start_time=start_ns, end_time=start_ns + 1)


def write(sink: SpanSink, trace_id: int, count: int = 1) -> None:
    for number in range(count):
        sink.ids.trace_id = trace_id
        sink.tracer.start_span("one", Context(), start_time=number).end(number + 1)
        sink.ended += 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_ids_repeat_with_the_seed_and_never_within_it() -> None:
    one, again, other = OrderIds(1), OrderIds(1), OrderIds(2)
    ids = [one.generate_span_id() for _ in range(1_000)]
    assert ids == [again.generate_span_id() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert set(ids).isdisjoint({other.generate_span_id() for _ in range(1_000)})
    assert all(0 < each < 2**64 for each in ids)


def test_ring_returns_a_trace_by_start_time() -> None:
    ring = SpanRing()
    ring.export([span(1, 1, 20), span(1, 2, 10), span(2, 3, 5)])
    assert [10, 20] == [found.start_ns for found in ring.trace(1)]
    assert () == ring.trace(99)
    assert (2, 1) == ring.recent()
    assert (2,) == ring.recent(1)
    assert len(ring) == 3


def test_ring_gives_back_all_that_a_span_said() -> None:
    sink = SpanSink({}, seed=1)
    sink.ids.trace_id = 7
    root = sink.tracer.start_span("root", Context(), start_time=1)
    child = sink.tracer.start_span("child", set_span_in_context(root, Context()), attributes={"n": 1}, start_time=2)
    child.add_event("moved", {"to": "open"}, 3)
    child.set_status(Status(StatusCode.ERROR, "refused"))
    child.end(4)
    root.end(5)
    first, second = sink.ring.trace(7)
    assert ("root", "", 1, 5, False, "") == (
        first.name,
        first.parent_id,
        first.start_ns,
        first.end_ns,
        first.is_error,
        first.description,
    )
    assert (
        SpanRecord(
            name="child",
            span_id=second.span_id,
            parent_id=first.span_id,
            start_ns=2,
            end_ns=4,
            attributes={"n": 1},
            events=(SpanEvent("moved", 3, {"to": "open"}),),
            is_error=True,
            description="refused",
        )
        == second
    )


def test_ring_holds_nothing_the_garbage_collector_walks_but_one_queue_per_trace() -> None:
    ring = SpanRing()
    ring.export([span(trace_id, number + 1) for trace_id in range(1, 11) for number in range(100)])
    gc.collect()
    kept = [held for queue in ring._traces.values() for held in queue]
    assert 1_000 == len(kept)
    assert not any(gc.is_tracked(held) for held in kept)


def test_ring_forgets_the_oldest_trace_first() -> None:
    ring = SpanRing(spans_max=4)
    ring.export([span(1, 1), span(1, 2), span(2, 3), span(2, 4)])
    ring.export([span(1, 5)])
    assert (1,) == ring.recent()
    assert (3, 3) == (len(ring), len(ring.trace(1)))


def test_ring_bounds_one_endless_trace() -> None:
    ring = SpanRing(spans_max=10)
    ring.export([span(1, number + 1, number) for number in range(SPANS_PER_TRACE_MAX + 5)])
    assert SPANS_PER_TRACE_MAX == len(ring) == len(ring.trace(1))
    assert ring.trace(1)[0].start_ns == 5


def test_ring_ignores_a_span_without_context() -> None:
    ring = SpanRing()
    ring.export([ReadableSpan("none")])
    assert len(ring) == 0


def test_sink_without_endpoint_keeps_spans_in_the_ring() -> None:
    sink = SpanSink({}, seed=1)
    write(sink, 7, 3)
    assert 3 == len(sink.ring.trace(7))
    assert (0, 0, True) == (sink.failed, sink.dropped, sink.close(1))
    assert sink.close(1)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://collector/custom/path", "https://collector/custom/path"),
    ],
)
def test_endpoint_gets_the_standard_path_when_it_has_none(endpoint: str, url: str) -> None:
    assert url == traces_url(endpoint)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "nonsense"])
def test_endpoint_that_is_no_url_is_a_setting_that_cannot_be_used(endpoint: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"monitoring.otlp_endpoint = .*expected an http or https URL"):
        SpanSink({}, seed=1, endpoint=endpoint)


def test_spans_arrive_at_a_collector_as_otlp() -> None:
    with Collector() as collector:
        sink = SpanSink({"service.version": "0.1.0", "hat.run_id": "7"}, seed=1, endpoint=collector.url)
        write(sink, 0xABC, 5)
        assert sink.close(10)
        assert (0, 0) == (sink.failed, sink.dropped)
    assert ["/v1/traces"] == collector.paths
    assert 5 == len(collector.spans)
    assert {(0xABC).to_bytes(16, "big")} == {found.trace_id for found in collector.spans}
    assert [(0, 1), (1, 2)] == sorted((one.start_time_unix_nano, one.end_time_unix_nano) for one in collector.spans)[:2]
    said = collector.resources[0]
    assert ("hat", "0.1.0", "7") == (said["service.name"], said["service.version"], said["hat.run_id"])
    assert 5 == len(sink.ring.trace(0xABC))


def test_spans_that_a_collector_refuses_are_counted() -> None:
    with Collector(status=400) as collector:
        sink = SpanSink({}, seed=1, endpoint=collector.url)
        write(sink, 1, 4)
        assert not sink.close(10)
    assert (4, 0) == (sink.failed, sink.dropped)
    assert 4 == len(sink.ring.trace(1))


def test_collector_that_is_gone_costs_spans_and_a_bounded_time() -> None:
    sink = SpanSink({}, seed=1, endpoint=f"http://127.0.0.1:{free_port()}", timeout_seconds=0.2)
    write(sink, 1, 4)
    assert not sink.close(5)
    assert 4 == sink.failed + sink.dropped


def test_full_queue_drops_spans_and_counts_them_exactly_at_the_end() -> None:
    with Collector(is_slow=True) as collector:
        sink = SpanSink({}, seed=1, endpoint=collector.url, queue_max=10, timeout_seconds=10)
        write(sink, 1, 10)
        assert collector.asked.wait(10)
        write(sink, 1, 90)
        assert sink.dropped >= 70
        collector.release.set()
        assert not sink.close(10)
    assert sink.failed == 0
    assert 100 == len(collector.spans) + sink.dropped
    assert 10 <= len(collector.spans) <= 20


def test_hanging_collector_does_not_hold_up_closing() -> None:
    with Collector(is_slow=True) as collector:
        sink = SpanSink({}, seed=1, endpoint=collector.url, timeout_seconds=1)
        write(sink, 1, 3)
        assert not sink.close(0.05)
