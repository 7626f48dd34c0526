"""Where spans go: always into a bounded ring in memory, and to an OTLP/HTTP collector when one is configured.

Rule 1: exporting happens on its own thread behind a bounded queue; a collector that is down, slow or gone costs spans,
which are counted, and nothing else. Rule 2: closing is bounded in time. Rule 3: the ring is bounded by spans; the
oldest trace goes first; it keeps encoded bytes, which the garbage collector does not walk: twenty thousand living span
objects would cost the engine's thread pauses of a tenth of a second.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

import msgspec
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanContext, StatusCode, format_span_id

from domain.errors import ConfigInvalid

TRACES_PATH = "/v1/traces"
EXPORT_TIMEOUT_SECONDS = 5
EXPORT_DELAY_MS = 1_000
QUEUE_MAX = 2_048
BATCH_MAX = 512
RING_SPANS = 20_000
SPANS_PER_TRACE_MAX = 512
EVENTS_PER_SPAN_MAX = 256

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class OrderIds(IdGenerator):
    """Gives a root span the trace id it is told, and every span a derived id: nothing is drawn."""

    def __init__(self, seed: int) -> None:
        """Count span ids from a seed; a restarted process takes another, so that one trace never holds an id twice."""
        self.trace_id = 0
        self._state = seed & _MASK

    def generate_trace_id(self) -> int:
        """Return the trace id of the order whose root span is being started."""
        return self.trace_id

    def generate_span_id(self) -> int:
        """Return the next span id, never zero. Source: SplitMix64, Steele, Lea and Flood, OOPSLA 2014."""
        self._state = (self._state + _GOLDEN) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ (mixed >> 31)) or 1


class SpanEvent(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened at one moment of a span."""

    name: str
    ts_ns: int
    attributes: dict[str, Any]


class SpanRecord(msgspec.Struct, frozen=True, array_like=True):
    """One ended span as the ring gives it back. parent_id is empty for a root; ids are hex text, as Jaeger shows."""

    name: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    events: tuple[SpanEvent, ...]
    is_error: bool
    description: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SpanRecord).decode


def _record(span: ReadableSpan, context: SpanContext) -> SpanRecord:
    return SpanRecord(
        span.name,
        format_span_id(context.span_id),
        format_span_id(span.parent.span_id) if span.parent is not None else "",
        span.start_time or 0,
        span.end_time or 0,
        dict(span.attributes or {}),
        tuple(SpanEvent(event.name, event.timestamp, dict(event.attributes or {})) for event in span.events),
        span.status.status_code is StatusCode.ERROR,
        span.status.description or "",
    )


class SpanRing(SpanExporter):
    """Keeps the newest spans in memory, by trace; read by the web page and by tests."""

    def __init__(self, spans_max: int = RING_SPANS) -> None:
        """Hold at most spans_max spans."""
        self._spans_max = spans_max
        self._traces: OrderedDict[int, deque[bytes]] = OrderedDict()
        self._count = 0
        self._lock = Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take ended spans; a trace that gets a span becomes the newest."""
        with self._lock:
            for span in spans:
                context = span.get_span_context()
                if context is None:
                    continue
                kept = self._traces.setdefault(context.trace_id, deque(maxlen=SPANS_PER_TRACE_MAX))
                self._traces.move_to_end(context.trace_id)
                self._count += len(kept) < SPANS_PER_TRACE_MAX
                kept.append(_encode(_record(span, context)))
            while self._count > self._spans_max and len(self._traces) > 1:
                _, oldest = self._traces.popitem(last=False)
                self._count -= len(oldest)
        return SpanExportResult.SUCCESS

    def trace(self, trace_id: int) -> tuple[SpanRecord, ...]:
        """Return the ended spans of one trace by start time; empty when unknown or forgotten."""
        with self._lock:
            found = tuple(self._traces.get(trace_id, ()))
        return tuple(sorted(map(_decode, found), key=lambda span: span.start_ns))

    def recent(self, limit: int = 50) -> tuple[int, ...]:
        """Return the trace ids that got spans last, newest first."""
        with self._lock:
            return tuple(reversed(self._traces))[:limit]

    def __len__(self) -> int:
        return self._count


class CountedExporter(SpanExporter):
    """An exporter with the count of what it was handed and what the collector did not take."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Wrap an exporter."""
        self._exporter = exporter
        self.handed = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass spans on and count."""
        self.handed += len(spans)
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """Stop; a retry that waits is broken off."""
        self._exporter.shutdown()


class SpanSink:
    """One run's tracer provider with its ring and, when configured, its collector."""

    def __init__(
        self,
        resource: Mapping[str, str],
        *,
        seed: int,
        endpoint: str | None = None,
        ring_spans: int = RING_SPANS,
        queue_max: int = QUEUE_MAX,
        timeout_seconds: float = EXPORT_TIMEOUT_SECONDS,
    ) -> None:
        """Open. resource holds what every span says about its process, such as service.version.

        Raises: ConfigInvalid when the endpoint is no http(s) URL.
        """
        self.ring = SpanRing(ring_spans)
        self.ids = OrderIds(seed)
        self.ended = 0
        self._queue_max = queue_max
        self._exporter: CountedExporter | None = None
        self._batches: BatchSpanProcessor | None = None
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create({"service.name": "hat", **resource}),
            shutdown_on_exit=False,
            id_generator=self.ids,
            span_limits=SpanLimits(max_events=EVENTS_PER_SPAN_MAX),
        )
        self._provider.add_span_processor(SimpleSpanProcessor(self.ring))
        if endpoint:
            exporter = OTLPSpanExporter(endpoint=traces_url(endpoint), timeout=timeout_seconds)
            self._exporter = CountedExporter(exporter)
            self._batches = BatchSpanProcessor(
                self._exporter,
                max_queue_size=queue_max,
                schedule_delay_millis=EXPORT_DELAY_MS,
                max_export_batch_size=min(BATCH_MAX, queue_max),
            )
            self._provider.add_span_processor(self._batches)
        self.tracer = self._provider.get_tracer("hat")
        self._is_closed = False

    @property
    def failed(self) -> int:
        """Spans that the collector did not take."""
        return self._exporter.failed if self._exporter is not None else 0

    @property
    def dropped(self) -> int:
        """Spans that never reached the exporter because its queue was full: a lower bound until close, then exact."""
        if self._exporter is None:
            return 0
        waiting_max = 0 if self._is_closed else self._queue_max
        return max(0, self.ended - self._exporter.handed - waiting_max)

    def close(self, timeout_seconds: float) -> bool:
        """Send what waits, for at most timeout_seconds; return whether everything was handed to the collector."""
        if self._is_closed or self._batches is None or self._exporter is None:
            self._is_closed = True
            return True
        closing = Thread(target=self._batches.shutdown, name="span-close", daemon=True)
        closing.start()
        closing.join(timeout_seconds)
        is_done = not closing.is_alive()
        if not is_done:
            self._exporter.shutdown()
        self._is_closed = True
        return is_done and self.failed == 0 and self.dropped == 0


def traces_url(endpoint: str) -> str:
    """Return the full URL spans are posted to: the endpoint, with the standard path when it has none.

    Raises: ConfigInvalid when it is no http(s) URL with a host.
    Source: OpenTelemetry protocol exporter specification, "Endpoint URLs for OTLP/HTTP".
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigInvalid("monitoring.otlp_endpoint", endpoint, "an http or https URL such as http://127.0.0.1:4318")
    return endpoint if parts.path not in {"", "/"} else endpoint.rstrip("/") + TRACES_PATH
