"""The observer: takes what every engine step left behind and turns it into metrics, log lines and spans.

Theory of operation. The engine's thread calls `record`, which appends to a bounded deque and returns: no lock, no
system call, no wake-up. One thread of ours drains the deque at a steady beat and does all the work. When it cannot
keep up, the oldest observations fall out and are counted; the engine never waits.

Rule 1: nothing here can slow, stop or change a decision. Rule 2: what is lost is counted. Rule 3: stopping is bounded
in time. A backtest may call `handle` itself, without a thread, and then loses nothing.
"""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event as Flag
from threading import Thread
from typing import ParamSpec, TypeVar

import msgspec

from domain.events import Event
from domain.notices import Notice
from domain.units import NS_PER_SECOND
from monitoring.latency import LatencyWindow, Percentiles
from monitoring.logs import EventLog
from monitoring.measure import Measurements, ProcessError, StageTimes
from monitoring.records import Component, Describer, Level, LogRecord
from monitoring.spans import SpanSink
from monitoring.tracing import OrderTracer

QUEUE_MAX = 65_536
BEAT_SECONDS = 0.05
LATENCY_LOG_INTERVAL_NS = 10 * NS_PER_SECOND

P = ParamSpec("P")
R = TypeVar("R")


class Observation(msgspec.Struct, frozen=True, gc=False):
    """One engine step. started_ns, ended_ns and stages share the driver's clock, which need not be the engine's."""

    event: Event
    notices: Sequence[Notice]
    started_ns: int
    ended_ns: int
    stages: StageTimes = ()


class Stopwatch:
    """Measures parts of a step, by wrapping the functions that do them; used on the engine's thread only."""

    __slots__ = ("_clock_ns", "_stages")

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        """Read time from a clock that never goes back."""
        self._clock_ns = clock_ns
        self._stages: list[tuple[str, int, int]] = []

    def timed(self, stage: str, function: Callable[P, R]) -> Callable[P, R]:
        """Return the function, measured as a stage. A call that raises is not measured."""
        clock_ns = self._clock_ns

        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            started_ns = clock_ns()
            result = function(*args, **kwargs)
            self._stages.append((stage, started_ns, clock_ns()))
            return result

        return measured

    def take(self) -> StageTimes:
        """Return the stages since the last call and forget them."""
        if not self._stages:
            return ()
        stages = tuple(self._stages)
        self._stages.clear()
        return stages


class Observer:
    """The reader of observations. `log` and `spans` may be left out."""

    def __init__(
        self,
        measurements: Measurements,
        describer: Describer,
        log: EventLog | None = None,
        spans: SpanSink | None = None,
        *,
        queue_max: int = QUEUE_MAX,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        """Join the readers; nothing runs before start."""
        self.measurements = measurements
        self.log = log
        self.spans = spans
        self._describer = describer
        self._tracer = OrderTracer(spans, describer) if spans is not None else None
        self._queue: deque[Observation] = deque(maxlen=queue_max)
        self._recorded = self._handled = self._dropped = 0
        self._beat_seconds = beat_seconds
        self._stop = Flag()
        self._gave_up = False
        self._thread: Thread | None = None
        self._window = LatencyWindow()
        self._latency: Percentiles | None = None
        self._latency_due_ns = 0
        self._log_failures = self._span_failures = 0

    def record(self, observation: Observation) -> None:
        """Take one step; the only call on the engine's thread. Never waits; the oldest falls out of a full queue."""
        self._queue.append(observation)
        self._recorded += 1

    def start(self) -> None:
        """Start the draining thread."""
        self._thread = Thread(target=self._run, name="observer", daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> bool:
        """Drain, end open traces, close spans and log; return whether all of it was done in about timeout_seconds."""
        share = timeout_seconds / 2
        self._stop.set()
        if self._thread is not None:
            self._thread.join(share)
            self._gave_up = self._thread.is_alive()
            self._thread.join(share)
        else:
            self.drain()
        is_drained = not self._queue
        self._queue.clear()
        if self._tracer is not None and not self.is_running:
            self._tracer.close()
        is_sent = self.spans.close(share) if self.spans is not None else True
        self._count_losses()
        if self.log is not None:
            self.log.close()
        return is_drained and is_sent

    def drain(self) -> int:
        """Handle everything that waits and return how many observations that were; on one thread at a time only."""
        done = 0
        queue = self._queue
        while queue and not self._gave_up:
            # Counted before it is taken, so that `dropped`, read from another thread, never says too much.
            self._handled += 1
            self.handle(queue.popleft())
            done += 1
        self._count_losses()
        return done

    def handle(self, observation: Observation) -> None:
        """Turn one observation into metrics, log lines and spans, at once."""
        event, notices = observation.event, observation.notices
        duration_ns = observation.ended_ns - observation.started_ns
        self.measurements.take_step(event, duration_ns, observation.stages)
        self._window.take(duration_ns)
        for notice in notices:
            self.measurements.take(notice)
            if self.log is not None:
                self.log.write(self._describer.record(notice), notice.ts_ns)
        if notices and self._tracer is not None:
            self._tracer.take(event, notices, observation.started_ns, observation.ended_ns, observation.stages)
        if event.ts_recv_ns >= self._latency_due_ns:
            self._tell_latency(event.ts_recv_ns)

    @property
    def backlog(self) -> int:
        """Observations that wait."""
        return len(self._queue)

    @property
    def dropped(self) -> int:
        """Observations that fell out of the full queue; exact whenever nobody records."""
        recorded, waiting = self._recorded, len(self._queue)
        self._dropped = max(self._dropped, recorded - self._handled - waiting)
        return self._dropped

    @property
    def is_running(self) -> bool:
        """Whether the draining thread lives."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def latency(self) -> Percentiles | None:
        """Percentiles of the step durations of the last full interval; None before the first."""
        return self._latency

    def _run(self) -> None:
        while not self._stop.wait(self._beat_seconds):
            self.drain()
        self.drain()

    def _tell_latency(self, ts_ns: int) -> None:
        is_first = self._latency_due_ns == 0
        self._latency_due_ns = ts_ns + LATENCY_LOG_INTERVAL_NS
        found = self._window.percentiles()
        if is_first or found is None:
            return
        self._latency = found
        self._window.clear()
        if self.log is not None:
            data = {"duration_ms": found.p99_ms, **msgspec.to_builtins(found)}
            self.log.write(LogRecord(Component.PERFORMANCE, "loop_latency", Level.INFO, data), ts_ns)

    def _count_losses(self) -> None:
        self.measurements.set_dropped("observations", self.dropped)
        if self.log is not None:
            self.measurements.set_dropped("log_lines", self.log.failures)
            self.measurements.take_error(ProcessError.LOG_WRITE, self.log.failures - self._log_failures)
            self._log_failures = self.log.failures
        if self.spans is not None:
            self.measurements.set_dropped("spans", self.spans.dropped + self.spans.failed)
            self.measurements.take_error(ProcessError.SPAN_EXPORT, self.spans.failed - self._span_failures)
            self._span_failures = self.spans.failed
